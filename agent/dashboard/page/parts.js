// Small parts that several screens show.

import { h } from 'preact';
import { useState } from 'preact/hooks';
import htm from 'htm';
import { duration, kindOf, moment, ago, span } from './format.js';

export const html = htm.bind(h);

const words = { success: 'success', failure: 'failure', error: 'error', killed: 'killed', running: 'running', waiting: 'waiting' };
const marks = { success: '✓', failure: '✗', error: '!', killed: '■', running: '▶', waiting: '…', ok: '✓', failed: '✗', cancelled: '■', empty: '–' };

/** A verdict or state: colour, sign and word, so that no one of them is needed. */
export const Badge = ({ kind, text }) => html`<span class=${'badge ' + kind}><span aria-hidden="true">${marks[kind] || '•'}</span> ${text || words[kind] || kind}</span>`;

export const JobBadge = ({ job }) => html`<${Badge} kind=${kindOf(job)} text=${kindOf(job) === 'waiting' ? job.state : kindOf(job)} />`;

export const jobLink = (job, rest = '') => '#/jobs/' + job.job_id + rest;

export const When = ({ at }) => html`<time datetime=${at || ''} title=${moment(at)}>${ago(at)}</time>`;

export const componentsOf = job => job.components.map(component => component.name).join(', ');

/** The stages of a job as a row of pieces. */
export const Stages = ({ job }) => html`<ol class="stages" aria-label="Stages">${job.stages.map(stage => html`
  <li class=${'stage ' + stage.outcome} title=${`${stage.stage}: ${stage.outcome}, ${duration(span(stage.started_at, stage.ended_at))}`}>
    <span aria-hidden="true">${marks[stage.outcome] || '▶'}</span> ${stage.stage}<span class="visually-hidden">: ${stage.outcome}</span>
  </li>`)}</ol>`;

export const Tests = ({ tests }) => tests.total === 0 ? html`<span class="quiet">none</span>` : html`
  <span class="numbers" title=${`${tests.total} cases`}>
    <span class="good">${tests.success} passed</span>${tests.flaky > 0 && html` <span class="quiet">(${tests.flaky} flaky)</span>`}${tests.failures + tests.errors > 0 && html`, <span class="bad">${tests.failures + tests.errors} failed</span>`}${
    tests.skips > 0 && html`, <span class="quiet">${tests.skips} skipped</span>`}
  </span>`;

/** What the running steps of a job show of themselves. */
export const Shown = ({ shows }) => shows && shows.length > 0 && html`<ul class="plain shown">${shows.map(one => html`<li key=${one.step_id + one.kind}>
  <span class="quiet">${one.step_id}:</span> ${one.done !== undefined && `${one.done} of ${one.of} `}${one.text}</li>`)}</ul>`;

/** A command to be run on the machine, with a button that copies it. */
export function Command({ text }) {
  const [done, set] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      set(true);
      setTimeout(() => set(false), 1500);
    } catch { /* It can be selected. */ }
  };
  return html`<span class="command"><code>${text}</code><button type="button" onClick=${copy}>${done ? 'copied' : 'copy'}<span class="visually-hidden"> the command ${text}</span></button></span>`;
}

export const Trouble = ({ error }) => error && html`<p class="trouble" role="alert">${error.message}</p>`;

export const Empty = ({ children }) => html`<p class="nothing">${children}</p>`;

/** Waits for data, and says what is wrong. */
export const Loaded = ({ of, children }) => html`<${Trouble} error=${of.error} />${of.data ? children(of.data) : !of.error && html`<p class="quiet">Loading…</p>`}`;

export const Bar = ({ value, limit, label }) => {
  const part = limit > 0 ? Math.min(1, value / limit) : 0;
  return html`<meter class=${part > 0.9 ? 'bar full' : 'bar'} min="0" max="1" value=${part} aria-label=${label}></meter>`;
};

export function JobTable({ jobs, caption }) {
  if (!jobs.length) return html`<${Empty}>No job has run yet.<//>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table class="jobs"><caption class="visually-hidden">${caption}</caption>
    <thead><tr><th scope="col">Verdict</th><th scope="col">Job</th><th scope="col">Components</th><th scope="col">Tests</th><th scope="col">Took</th><th scope="col">Ended</th></tr></thead>
    <tbody>${jobs.map(job => html`<tr key=${job.job_id}>
      <td><${JobBadge} job=${job} /></td>
      <td><a href=${jobLink(job)}>${job.name}</a></td>
      <td class="clip" title=${componentsOf(job)}>${componentsOf(job)}</td>
      <td data-is="tests"><${Tests} tests=${job.tests} /></td>
      <td class="numbers" data-is="took">${duration(span(job.claimed_at || job.queued_at, job.ended_at))}</td>
      <td data-is="ended">${job.ended_at ? html`<${When} at=${job.ended_at} />` : html`<span class="quiet">not yet</span>`}</td>
    </tr>`)}</tbody></table></div>`;
}
