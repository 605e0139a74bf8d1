// One job: its verdict and why, what took how long, and what it left.

import { html, Badge, Empty, JobBadge, Loaded, Shown, Stages, Tests, Trouble, componentsOf, jobLink } from './parts.js';
import { useState } from 'preact/hooks';
import { duration, kindOf, median, moment, size, span, webAddress } from './format.js';
import { save } from './api.js';
import { useAnswer, useTick } from './store.js';
import { LogView } from './log.js';
import { JobTests } from './tests.js';
import { Compare } from './compare.js';
import { Usage } from './usage.js';
import { JobActions } from './actions.js';

const Head = ({ job }) => html`<header class="job-head">
  <h1>${job.name} <${JobBadge} job=${job} /></h1>
  ${job.judgement && html`<p class="reason"><strong>${job.judgement.reason || job.judgement.verdict}</strong>${job.judgement.stage && html` in <em>${job.judgement.stage}</em>`}: ${job.judgement.message}</p>`}
  ${job.withdrawn && html`<p class="reason"><strong>withdrawn</strong>: ${job.withdrawn}</p>`}
  <dl class="facts">
    <div><dt>Components</dt><dd>${componentsOf(job)}</dd></div>
    <div><dt>Topic</dt><dd>${job.topic}</dd></div>
    <div><dt>Claimed</dt><dd>${moment(job.claimed_at) || 'not yet'}</dd></div>
    <div><dt>${job.ended_at ? 'Took' : 'For'}</dt><dd>${duration(span(job.claimed_at || job.queued_at, job.ended_at))}</dd></div>
    <div><dt>Tests</dt><dd><${Tests} tests=${job.tests} /></dd></div>
    ${job.resources.length > 0 && html`<div><dt>Resources</dt><dd>${job.resources.join(', ')}</dd></div>`}
    <div><dt>At the server</dt><dd>${webAddress(job.url) ? html`<a href=${job.url} rel="noreferrer noopener" target="_blank">${job.external_ref}</a>` : job.external_ref || 'no job yet'}</dd></div>
    <div><dt>Id</dt><dd><code>${job.job_id}</code></dd></div>
  </dl>
  ${job.warnings.length > 0 && html`<details><summary>${job.warnings.length} warnings</summary><ul>${job.warnings.map(text => html`<li>${text}</li>`)}</ul></details>`}
</header>`;

const kinds = { ok: 'success', failed: 'failure', cancelled: 'killed', empty: 'waiting', running: 'running' };
const kindOfStep = step => step.state === 'running' ? 'running' : /^exit(ed)? (with )?(status )?0$|success|^ok/.test(step.state) ? 'success' : /^exit/.test(step.state) ? 'failure' : 'error';

/** What ran when, as a table whose last column is drawn to one scale; a mark says how long a stage takes usually. */
function Waterfall({ job, usual }) {
  const begin = Date.parse(job.claimed_at || job.queued_at), end = job.ended_at ? Date.parse(job.ended_at) : Date.now();
  const whole = Math.max(1, end - begin), part = ms => 100 * Math.min(1, Math.max(0, ms / whole));
  const bar = (kind, from, to, ms) => html`<td class="track"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <rect class=${'held ' + kind} x=${Math.min(part(Date.parse(from) - begin), 99.4)} width=${Math.max(0.6, part((to ? Date.parse(to) : end) - Date.parse(from)))} y="2" height="6"></rect>
    ${ms && html`<line class="usual" x1=${part(Date.parse(from) - begin + ms)} x2=${part(Date.parse(from) - begin + ms)} y1="0" y2="10"></line>`}</svg></td>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Stages and steps"><table class="waterfall"><caption class="visually-hidden">Stages and steps with their durations</caption>
    <thead><tr><th scope="col">Stage and step</th><th scope="col">Outcome</th><th scope="col">Took</th><th scope="col">Usual</th><th scope="col">Log</th><th scope="col" class="track">When</th></tr></thead>
    <tbody>${job.stages.map(stage => html`
      <tr class="of-stage" key=${stage.stage}><th scope="row">${stage.stage}</th><td>${stage.outcome === 'empty' ? html`<span class="quiet">no hooks</span>` : html`<${Badge} kind=${kinds[stage.outcome] || 'waiting'} text=${stage.outcome} />`}</td>
        <td class="numbers">${stage.outcome !== 'empty' && duration(span(stage.started_at, stage.ended_at))}</td><td class="numbers quiet">${usual[stage.stage] > 0 && duration(usual[stage.stage])}</td><td></td>
        ${stage.outcome === 'empty' ? html`<td></td>` : bar(kinds[stage.outcome] || 'waiting', stage.started_at, stage.ended_at, usual[stage.stage])}</tr>
      ${job.steps.filter(step => step.stage === stage.stage).map(step => html`<tr key=${step.step_id}>
        <td class="step">${step.plugin}${step.hook !== step.stage && ' / ' + step.hook}${step.attempt > 1 && `, attempt ${step.attempt}`}</td>
        <td>${step.state}</td><td class="numbers">${duration(span(step.started_at, step.ended_at))}</td><td></td>
        <td class="numbers"><a href=${jobLink(job, '/log/' + encodeURIComponent(step.step_id))}>${size(step.log_bytes)}<span class="visually-hidden"> of output, log of ${step.step_id}</span></a></td>
        ${bar(kindOfStep(step), step.started_at, step.ended_at)}</tr>`)}
      ${job.skipped.filter(hook => hook.stage === stage.stage).map(hook => html`<tr key=${`skipped ${hook.plugin} ${hook.hook}`}>
        <td class="step">${hook.plugin}${hook.hook !== hook.stage && ' / ' + hook.hook}</td><td colspan="5" class="quiet">skipped: ${hook.reason}</td></tr>`)}`)}</tbody></table></div>`;
}

function Artifacts({ job }) {
  const artifacts = useAnswer(`jobs/${job.job_id}/artifacts`, { stale: event => event.job_id === job.job_id && event.type === 'artifact.found' });
  const [error, set] = useState(null);
  const fetchIt = async one => {
    set(null);
    try {
      await save(`jobs/${job.job_id}/artifacts/${one.id}`, one.name);
    } catch (problem) {
      set(problem);
    }
  };
  return html`<${Trouble} error=${error} /><${Loaded} of=${artifacts}>${data => data.artifacts.length === 0 ? html`<${Empty}>No artifacts.<//>` : html`
    <div class="scroll" tabindex="0" role="region" aria-label="Artifacts"><table><caption class="visually-hidden">Artifacts</caption>
    <thead><tr><th scope="col">Name</th><th scope="col">Of</th><th scope="col">Type</th><th scope="col">Size</th><th scope="col">File</th></tr></thead>
    <tbody>${data.artifacts.map(one => html`<tr key=${one.id}><td>${one.name}</td><td>${one.stage} / ${one.plugin}</td><td class="quiet">${one.mime}</td><td class="numbers">${size(one.size)}</td>
      <td><button type="button" onClick=${() => fetchIt(one)} aria-label=${'save ' + one.name}>save</button></td></tr>`)}</tbody></table></div>`}<//>`;
}

/** How long each stage took in the good jobs of this name before. */
function usualOf(job, jobs) {
  const before = jobs.filter(other => other.name === job.name && other.job_id !== job.job_id && kindOf(other) === 'success').slice(0, 20);
  const usual = {};
  for (const { stage } of job.stages)
    usual[stage] = median(before.flatMap(other => other.stages.filter(one => one.stage === stage && one.ended_at).map(one => span(one.started_at, one.ended_at))));
  return usual;
}

const tabs = [['', 'Steps'], ['log', 'Log'], ['tests', 'Tests'], ['artifacts', 'Artifacts'], ['compare', 'Compare']];

export function Job({ id, tab, step, query, status }) {
  const answer = useAnswer('jobs/' + encodeURIComponent(id), { stale: event => event.job_id === id, every: 0 });
  const others = useAnswer('jobs?limit=100');
  const job = answer.data && answer.data.job;
  useTick(1000, job && !job.ended_at);
  return html`<${Loaded} of=${answer}>${() => html`
    <${Head} job=${job} />
    <${JobActions} job=${job} status=${status} />
    ${!job.ended_at && html`<${Shown} shows=${(status.jobs.running.find(one => one.job_id === job.job_id) || {}).shows} /><${Stages} job=${job} />`}
    <nav class="tabs" aria-label="Parts of the job">${tabs.map(([name, title]) => html`<a key=${name} href=${jobLink(job, name && '/' + name)} aria-current=${(tab || '') === name ? 'page' : null}>${title}</a>`)}</nav>
    ${!tab && (job.stages.length ? html`<${Waterfall} job=${job} usual=${usualOf(job, others.data ? others.data.jobs : [])} /><${Usage} job=${job} />` : html`<${Empty}>Nothing has run yet.<//>`)}
    ${tab === 'log' && html`<${LogView} job=${job} step=${step} query=${query} />`}
    ${tab === 'tests' && html`<${JobTests} job=${job} jobs=${others.data ? others.data.jobs : []} />`}
    ${tab === 'compare' && (others.data ? html`<${Compare} job=${job} jobs=${others.data.jobs} query=${query} />` : html`<p class="quiet">Loading…</p>`)}
    ${tab === 'artifacts' && html`<${Artifacts} job=${job} />`}`}<//>`;
}
