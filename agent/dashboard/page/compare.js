// What is different between a job and the last good one before it: what it ran on, its tests, how long its stages took.

import { html, Badge, Empty, JobBadge, Tests, Trouble, componentsOf, jobLink } from './parts.js';
import { useEffect, useState } from 'preact/hooks';
import { duration, kindOf, moment, span } from './format.js';
import { useAnswer } from './store.js';
import { isBad, keyOf, kindOfCase, newsOf, readJob } from './junit.js';

/** Earlier jobs of the same name that have ended, the newest first. */
export const earlier = (job, jobs) => jobs.filter(other => other.name === job.name && other.job_id !== job.job_id && other.claimed_at && other.ended_at && Date.parse(other.queued_at) <= Date.parse(job.queued_at));

/** What became of each case: {broken, fixed, stillBad, added, gone}, lists of {result, one, then}. */
export function testNews(now, then) {
  const news = { broken: [], stillBad: [], fixed: [], added: [], gone: [] };
  const before = new Map(then.flatMap(result => result.cases.map(one => [result.name + '\n' + keyOf(one), one])));
  for (const result of now) {
    for (const one of result.cases) {
      const key = result.name + '\n' + keyOf(one), old = before.get(key), is = newsOf(one.outcome, old && old.outcome);
      before.delete(key);
      const list = !old ? news.added : is === 'new failure' ? news.broken : is === 'fixed' ? news.fixed : isBad(one.outcome) ? news.stillBad : null;
      if (list) list.push({ key, result: result.name, one, then: old });
    }
  }
  for (const [key, one] of before) news.gone.push({ key, one, then: one });
  return news;
}

const titles = { broken: 'Became bad', stillBad: 'Were bad before too', fixed: 'Fixed', added: 'New', gone: 'Not there any more' };
const shown = 100;

const CaseNews = ({ list, open }) => html`<ul class="cases">${list.slice(0, shown).map(({ key, one }) => html`<li key=${key}>${one.text && isBad(one.outcome) ? html`<details open=${open && list.length <= 5}><summary><${Badge} kind=${kindOfCase[one.outcome]} text=${one.outcome} /> <span class="case">${one.name}</span> <span class="quiet">${one.suite}</span></summary><pre tabindex="0">${one.text.slice(0, 20000)}</pre></details>`
  : html`<span class="plain-case"><${Badge} kind=${kindOfCase[one.outcome]} text=${one.outcome} /> <span class="case">${one.name}</span> <span class="quiet">${one.suite}</span></span>`}</li>`)}
  ${list.length > shown && html`<li class="quiet">and ${list.length - shown} more</li>`}</ul>`;

/** The cases of both jobs, once they are read. */
function useBoth(job, other) {
  const [state, set] = useState({ news: null, error: null });
  const stamp = job.test_results.length;  // Results come while a job runs.
  useEffect(() => {
    let gone = false;
    Promise.all([readJob(job.job_id), readJob(other.job_id)]).then(
      ([now, then]) => gone || set({ news: testNews(now, then), error: [...now, ...then].map(one => one.error).find(Boolean) || null }),
      error => gone || set({ news: null, error }));
    return () => { gone = true; };
  }, [job.job_id, other.job_id, stamp]);
  return state;
}

function TestNews({ job, other }) {
  const { news, error } = useBoth(job, other);
  const some = news && Object.keys(titles).filter(name => news[name].length);
  return html`<section aria-labelledby="news"><h2 id="news">Tests</h2><${Trouble} error=${error} />
    ${!news && !error && html`<p class="quiet">Loading…</p>`}
    ${some && some.length === 0 && html`<${Empty}>Every case came to the same end in both jobs.<//>`}
    ${some && some.map(name => html`<div key=${name} class="result"><h3>${titles[name]} <span class="numbers quiet">${news[name].length}</span></h3><${CaseNews} list=${news[name]} open=${name === 'broken'} /></div>`)}</section>`;
}

const keyOfStep = step => [step.stage, step.plugin, step.hook].join('/');
const took = one => one && one.started_at && one.ended_at ? span(one.started_at, one.ended_at) : null;

/** Stages and their steps in the order of this job, then what only the other one has. */
function rowsOf(job, other) {
  const rows = [];
  const add = (level, name, now, then) => rows.push({ level, name, now: took(now), then: took(then), only: !now ? 'then' : !then ? 'now' : '' });
  const last = (steps, key) => steps.filter(step => keyOfStep(step) === key).pop();
  for (const stage of [...new Set([...job.stages, ...other.stages].map(one => one.stage))]) {
    const now = job.stages.find(one => one.stage === stage), then = other.stages.find(one => one.stage === stage);
    if ([now, then].every(one => !one || one.outcome === 'empty')) continue;
    add('stage', stage, now, then);
    for (const key of new Set([...job.steps, ...other.steps].filter(step => step.stage === stage).map(keyOfStep)))
      add('step', key.slice(stage.length + 1), last(job.steps, key), last(other.steps, key));
  }
  return rows;
}

/** By how much it took longer; below a second nobody cares. */
function Change({ now, then, only }) {
  if (only) return html`<span class="quiet">${only === 'now' ? 'not in the good job' : 'not in this job'}</span>`;
  if (now == null || then == null) return null;
  const by = now - then, much = Math.abs(by) > 1000 && Math.abs(by) > 0.2 * then;
  return html`<span class=${much ? by > 0 ? 'bad' : 'good' : 'quiet'}>${by >= 0 ? '+' : '−'}${duration(Math.abs(by)) || '0 ms'}${much && (by > 0 ? ', slower' : ', faster')}</span>`;
}

function Durations({ job, other }) {
  const rows = rowsOf(job, other), most = Math.max(1, ...rows.flatMap(row => [row.now || 0, row.then || 0]));
  return html`<section aria-labelledby="took"><h2 id="took">How long it took</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="How long it took"><table><caption class="visually-hidden">Stages and steps, in this job and in the other one</caption>
    <thead><tr><th scope="col">Stage and step</th><th scope="col">This job</th><th scope="col">The other</th><th scope="col">Change</th><th scope="col" class="track">This one above, the other below</th></tr></thead>
    <tbody>${rows.map(row => html`<tr key=${row.level + row.name} class=${row.level === 'stage' ? 'of-stage' : ''}><th scope="row" class=${row.level === 'step' ? 'step' : ''}>${row.name}</th><td class="numbers">${duration(row.now)}</td><td class="numbers">${duration(row.then)}</td>
      <td class="numbers"><${Change} ...${row} /></td><td class="track"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="held running" width=${100 * (row.now || 0) / most} y="1" height="4"></rect><rect class="held" width=${100 * (row.then || 0) / most} y="5" height="4"></rect></svg></td></tr>`)}</tbody></table></div></section>`;
}

function Facts({ job, other }) {
  const types = [...new Set([...job.components, ...other.components].map(one => one.type))];
  const names = (list, type) => list.filter(one => one.type === type).map(one => one.name).join(', ');
  const rows = [...types.map(type => [type, names(job.components, type), names(other.components, type)]),
    ['resources', job.resources.join(', '), other.resources.join(', ')], ['topic', job.topic, other.topic]].filter(([, now, then]) => now || then);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What they ran"><table><caption class="visually-hidden">What both jobs ran</caption>
    <thead><tr><th scope="col"></th><th scope="col">This job</th><th scope="col">The other</th></tr></thead>
    <tbody><tr><th scope="row">verdict</th><td><${JobBadge} job=${job} /></td><td><${JobBadge} job=${other} /></td></tr>
      <tr><th scope="row">tests</th><td><${Tests} tests=${job.tests} /></td><td><${Tests} tests=${other.tests} /></td></tr>
      ${rows.map(([name, now, then]) => html`<tr key=${name}><th scope="row">${name}</th><td>${now !== then ? html`<strong>${now || 'none'}</strong>` : now}</td><td>${then || 'none'}</td></tr>`)}
      <tr><th scope="row">began</th><td>${moment(job.claimed_at)}</td><td>${moment(other.claimed_at)}</td></tr></tbody></table></div>`;
}

export function Compare({ job, jobs, query }) {
  const before = earlier(job, jobs), wanted = new URLSearchParams(query).get('with');
  const chosen = before.find(other => other.job_id === wanted) || before.find(other => kindOf(other) === 'success');
  const answer = useAnswer(chosen ? 'jobs/' + chosen.job_id : null), other = answer.data && answer.data.job;
  if (!before.length) return html`<${Empty}>There is no earlier job of this name to compare with.<//>`;
  const choose = event => { location.hash = jobLink(job, '/compare?with=' + event.target.value); };
  return html`<div class="tools"><label>Compare with <select value=${chosen ? chosen.job_id : ''} onChange=${choose}>${!chosen && html`<option value="">none was a success</option>`}
      ${before.slice(0, 50).map(one => html`<option key=${one.job_id} value=${one.job_id}>${kindOf(one)}: ${componentsOf(one)}, ${moment(one.claimed_at)}</option>`)}</select></label>
      ${chosen && html`<a href=${jobLink(chosen)}>open it</a>`}</div>
    <${Trouble} error=${answer.error} />
    ${other ? html`<${Facts} job=${job} other=${other} /><${TestNews} key=${other.job_id} job=${job} other=${other} /><${Durations} job=${job} other=${other} />` : chosen && !answer.error && html`<p class="quiet">Loading…</p>`}`;
}
