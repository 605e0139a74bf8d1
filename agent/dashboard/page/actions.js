// What the page may change, where `dashboard.actions` lets it: always with a question before, and never by a link.

import { html, Trouble } from './parts.js';
import { useEffect, useRef, useState } from 'preact/hooks';
import { post } from './api.js';

/** Asks whether it is meant, perhaps why, and does it. `done(answer)` is called with what the daemon says. */
function Question({ title, text, button, danger, why, path, body, done, close }) {
  const dialog = useRef(null), [error, setError] = useState(null), [busy, setBusy] = useState(false), [reason, setReason] = useState('');
  useEffect(() => { dialog.current.showModal(); }, []);
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      const answer = await post(path, reason ? { ...body, reason } : body);
      dialog.current && dialog.current.close();
      if (done) done(answer);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`<dialog class="question" ref=${dialog} aria-labelledby="question" onClose=${close}>
    <h2 id="question">${title}</h2><p>${text}</p>
    ${why && html`<label>Why <input type="text" maxlength="300" value=${reason} onInput=${event => setReason(event.target.value)} /></label>`}
    <${Trouble} error=${error} />
    <p class="answers"><button type="button" autofocus onClick=${() => dialog.current.close()}>No</button><button type="button" class=${danger ? 'danger' : 'primary'} disabled=${busy} onClick=${act}>${button}</button></p>
  </dialog>`;
}

/** A button for a change; says for a while that it was made. */
export function Action({ label, ...asked }) {
  const [open, setOpen] = useState(false), [made, setMade] = useState(false);
  useEffect(() => {
    if (!made) return;
    const timer = setTimeout(() => setMade(false), 4000);
    return () => clearTimeout(timer);
  }, [made]);
  const done = answer => {
    setMade(true);
    if (asked.done) asked.done(answer);
  };
  return html`<button type="button" onClick=${() => setOpen(true)}>${label}</button><span class="good" role="status">${made && '✓ asked for'}</span>
    ${open && html`<${Question} title=${label + '?'} button=${label} ...${asked} done=${done} close=${() => setOpen(false)} />`}`;
}

/** Of the agent as a whole. */
export function AgentActions({ status }) {
  if (!status.page_actions) return null;
  const { claims } = status, paused = claims.paused.some(one => !one.source && !one.resource), draining = /^drain/.test(claims.state);
  return html`<div class="tools" role="group" aria-label="Actions">
    <${Action} key="poll" label="Poll now" text="All control servers are asked for new components at once." path="poll" />
    ${paused || draining ? html`<${Action} key="resume" label="Resume" text="Jobs are claimed again." path="resume" />` : html`
      <${Action} key="pause" label="Pause" text="No more jobs are claimed until somebody resumes it, also after a restart. Running jobs go on." path="pause" why />
      <${Action} key="drain" label="Drain" text="Running jobs end, and no more are claimed until somebody resumes it, or the daemon is started again." path="drain" why />`}
  </div>`;
}

/** Of one job. */
export function JobActions({ job, status }) {
  if (!status.page_actions) return null;
  const path = 'jobs/' + encodeURIComponent(job.job_id), waiting = status.jobs.waiting.find(one => one.job_id === job.job_id);
  if (job.ended_at) return html`<div class="tools" role="group" aria-label="Actions">
    <${Action} key="retry" label="Run again" text=${`A new job of ${job.name} with the same components and the configuration of today is queued.`} path=${path + '/retry'} done=${answer => { location.hash = '#/jobs/' + answer.job_id; }} /></div>`;
  return html`<div class="tools" role="group" aria-label="Actions">
    <${Action} key="cancel" label="Cancel job" danger why text=${waiting ? 'It is withdrawn before it has begun.' : 'The running hook is stopped, and the job ends as killed. The closing stages still run.'} path=${path + '/cancel'} />
    ${waiting && (/^held/.test(waiting.waits_for) ? html`<${Action} key="release" label="Release" text="It is claimed when it is its turn." path=${path + '/release'} />`
      : html`<${Action} key="hold" label="Hold" why text="It is not claimed until somebody releases it." path=${path + '/hold'} />`)}</div>`;
}

/** Of what waits for one server. */
export const ReporterActions = ({ reporter, status }) => status.page_actions && reporter.waiting > 0 && html`<div class="tools" role="group" aria-label=${'Actions for ' + reporter.name}>
  <${Action} label="Try now" text=${`What waits for ${reporter.name} is tried now instead of later.`} path="spool/flush" body=${{ reporter: reporter.name }} /></div>`;
