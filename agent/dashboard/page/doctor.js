// What outpost doctor finds where the daemon is, and what to do about it.

import { html, Badge, Command, Empty, Loaded, Trouble, When } from './parts.js';
import { useState } from 'preact/hooks';
import { duration } from './format.js';
import { useAnswer } from './store.js';

const kinds = { pass: 'success', warn: 'error', fail: 'failure', skip: 'waiting' };
const words = { pass: 'fine', warn: 'warning', fail: 'failure', skip: 'not looked at' };
const gravest = ['fail', 'warn', 'pass', 'skip'];
const filters = { all: () => true, 'what is wrong': one => one.verdict === 'fail' || one.verdict === 'warn' };

const lines = text => text.split('\n').filter(Boolean).map(line => html`<span class="line">${line}</span>`);

function Checks({ checks }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Checks"><table class="checks"><caption class="visually-hidden">Checks, the gravest first</caption>
    <thead><tr><th scope="col">Verdict</th><th scope="col">Check</th><th scope="col">Measured</th><th scope="col">What it means, and what to do</th></tr></thead>
    <tbody>${checks.map(one => html`<tr key=${one.id}>
      <td><${Badge} kind=${kinds[one.verdict]} text=${words[one.verdict]} /></td>
      <th scope="row">${one.name} <span class="quiet" title=${one.page}>${one.id}, ${one.group}</span></th>
      <td class=${one.verdict === 'skip' ? 'quiet' : ''}>${lines(one.measured)}</td>
      <td>${one.problem && html`<p class=${one.verdict === 'fail' ? 'bad' : ''}>${lines(one.problem)}</p>`}${one.advice && html`<p>${lines(one.advice)}</p>`}${one.fix.split('\n').filter(Boolean).map(line => html`<p key=${line}><${Command} text=${line} /></p>`)}
        ${one.fixable && html`<p class="quiet">It can be repaired without harm: <${Command} text=${'outpost doctor --fix ' + one.id} /></p>`}</td></tr>`)}</tbody></table></div>`;
}

/** "1 failure, 2 warnings, ..." */
function summary(checks) {
  const count = verdict => checks.filter(one => one.verdict === verdict).length, plural = (number, word) => number + ' ' + word + (number === 1 ? '' : 's');
  return `${plural(count('fail'), 'failure')}, ${plural(count('warn'), 'warning')}, ${count('pass')} passed, ${count('skip')} not looked at`;
}

export function Doctor() {
  const [age, setAge] = useState(300), [filter, setFilter] = useState('all');
  const [running, setRunning] = useState(true);
  // While it looks, and until the answer of what was asked last is there, it is asked every half second.
  const answer = useAnswer('doctor?max_age=' + age, { every: running ? 500 : 0 });
  const known = answer.data && answer.data.doctor;
  if (known && known.running !== running) setRunning(known.running);
  if (known && !known.running && age !== 300) setAge(300);
  return html`<h1>Doctor</h1>
    <p>The checks of <code>outpost doctor</code>, run by the daemon: as its user, within its limits. Each is explained by its number in <code>man outpost-doctor</code>.</p>
    <${Loaded} of=${answer}>${({ doctor: { report, looked_at, took_ms, error } }) => {
      const checks = report ? report.checks.filter(filters[filter]).sort((one, other) => gravest.indexOf(one.verdict) - gravest.indexOf(other.verdict)) : [];
      return html`<div class="tools">
          <button type="button" aria-disabled=${running} onClick=${() => running || (setRunning(true), setAge(0))}>Look again</button>
          <label>Show <select value=${filter} onChange=${event => setFilter(event.target.value)}>${Object.keys(filters).map(name => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
          <span role="status">${running ? 'It looks…' : report && summary(report.checks)}</span>
          ${looked_at && html`<span class="quiet">looked <${When} at=${looked_at} />, for ${duration(took_ms)}</span>`}</div>
        <${Trouble} error=${error && { message: error }} />
        ${report && (checks.length ? html`<${Checks} checks=${checks} />` : html`<${Empty}>Nothing is wrong.<//>`)}`;
    }}<//>`;
}
