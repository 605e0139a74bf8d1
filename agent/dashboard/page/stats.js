// What became of the jobs that are remembered, why, how long they took and when the lab is busy.

import { html, Empty, JobTable, Loaded, componentsOf } from './parts.js';
import { useState } from 'preact/hooks';
import { duration, kindOf, median, span } from './format.js';
import { changesJobs, useAnswer } from './store.js';
import { Plot } from './plot.js';

const verdicts = ['success', 'failure', 'error', 'killed'];
const heads = html`<th scope="col">Success</th><th scope="col">Product failed</th><th scope="col">Lab or agent failed</th><th scope="col">Killed</th>`;

/** How many jobs have each verdict, in figures and as a bar. */
function Counts({ jobs, most = jobs.length }) {
  const count = kind => jobs.filter(job => kindOf(job) === kind).length;
  let x = 0;
  return html`<td class="numbers">${jobs.length}</td>${verdicts.map(kind => html`<td class="numbers">${count(kind) || ''}</td>`)}
    <td class="track"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${verdicts.map(kind => { const width = 100 * count(kind) / (most || 1), at = x; x += width; return html`<rect class=${'held ' + kind} x=${at} width=${width} y="1" height="8"></rect>`; })}</svg></td>`;
}

function grouped(jobs, of) {
  const groups = new Map();
  for (const job of jobs) groups.set(of(job), [...(groups.get(of(job)) || []), job]);
  return [...groups];
}

const Verdicts = ({ jobs, of, title, head }) => html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table><caption>${title}</caption>
  <thead><tr><th scope="col">${head}</th><th scope="col">Jobs</th>${heads}<th scope="col" class="track">Share</th></tr></thead>
  <tbody>${grouped(jobs, of).slice(0, 20).map(([name, list]) => html`<tr key=${name}><th scope="row">${name}</th><${Counts} jobs=${list} /></tr>`)}</tbody></table></div>`;

const two = number => String(number).padStart(2, '0');
const dayOf = moment => { const date = new Date(moment); return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`; };

/** Whether it is the product that fails, or what it is tested with: by day, and by reason. */
function Blame({ jobs }) {
  const days = grouped(jobs, job => dayOf(job.ended_at)).slice(0, 14), most = Math.max(...days.map(([, list]) => list.length));
  const failed = jobs.filter(job => job.judgement && kindOf(job) !== 'success');
  const count = kind => jobs.filter(job => kindOf(job) === kind).length, product = count('failure'), lab = count('error');
  const reasons = grouped(failed, job => `${job.judgement.reason || kindOf(job)}${job.judgement.stage ? ' in ' + job.judgement.stage : ''}`).sort(([, one], [, other]) => other.length - one.length);
  return html`<section aria-labelledby="blame"><h2 id="blame">Product or lab</h2>
    <p>Of ${jobs.length} jobs ${product} failed because of the product, ${lab} because of the lab or the agent${product + lab > 0 && `: ${Math.round(100 * lab / (product + lab))} % of what failed says nothing of the product`}.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="By day"><table><caption>By day</caption><thead><tr><th scope="col">Day</th><th scope="col">Jobs</th>${heads}<th scope="col" class="track">How many</th></tr></thead>
      <tbody>${days.map(([name, list]) => html`<tr key=${name}><th scope="row">${name}</th><${Counts} jobs=${list} most=${most} /></tr>`)}</tbody></table></div>
    ${reasons.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Why jobs fail"><table><caption>Why jobs fail</caption><thead><tr><th scope="col">Reason</th><th scope="col">Jobs</th>${heads}<th scope="col" class="track">How many</th></tr></thead>
      <tbody>${reasons.slice(0, 15).map(([name, list]) => html`<tr key=${name}><th scope="row">${name}</th><${Counts} jobs=${list} most=${reasons[0][1].length} /></tr>`)}</tbody></table></div>`}</section>`;
}

/** {count, least, lower, middle, upper, most}: quartiles of numbers. */
function spreadOf(numbers) {
  const sorted = numbers.filter(number => number != null && isFinite(number)).sort((one, other) => one - other), at = part => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return { count: sorted.length, least: sorted[0], lower: at(0.25), middle: median(sorted), upper: at(0.75), most: sorted[sorted.length - 1] };
}

function Durations({ jobs }) {
  const points = [...jobs].reverse().map(job => ({ at: Date.parse(job.ended_at), value: span(job.claimed_at, job.ended_at) }));
  const middle = median(points.map(point => point.value));
  return html`<figure><${Plot} points=${points} line=${middle} label=${`Durations of ${points.length} jobs, median ${duration(middle)}`} /><figcaption class="quiet">Each point is a job, the dashed line the median: ${duration(middle)}</figcaption></figure>`;
}

/** Half of all jobs are within the box, all of them within the line, the mark is the median. */
function Spread({ jobs }) {
  const stages = [...new Set(jobs.flatMap(job => job.stages.filter(stage => stage.outcome !== 'empty').map(stage => stage.stage)))];
  const rows = [['whole job', jobs.map(job => span(job.claimed_at, job.ended_at))],
    ...stages.map(name => [name, jobs.flatMap(job => job.stages.filter(stage => stage.stage === name && stage.outcome === 'ok' && stage.ended_at).map(stage => span(stage.started_at, stage.ended_at)))])]
    .map(([name, numbers]) => [name, spreadOf(numbers)]).filter(([, spread]) => spread.count > 0);
  const most = Math.max(1, ...rows.map(([, spread]) => spread.most)), x = value => 100 * value / most;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Spread"><table><caption>Spread of what was a success</caption>
    <thead><tr><th scope="col">What</th><th scope="col">Times</th><th scope="col">Shortest</th><th scope="col">Quarter below</th><th scope="col">Median</th><th scope="col">Quarter above</th><th scope="col">Longest</th><th scope="col" class="track">Half of all is in the box</th></tr></thead>
    <tbody>${rows.map(([name, spread]) => html`<tr key=${name}><th scope="row">${name}</th><td class="numbers">${spread.count}</td>${['least', 'lower', 'middle', 'upper', 'most'].map(part => html`<td class="numbers">${duration(spread[part])}</td>`)}
      <td class="track"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><line class="whisker" x1=${x(spread.least)} x2=${x(spread.most)} y1="5" y2="5"></line><rect class="held running" x=${x(spread.lower)} width=${Math.max(0.4, x(spread.upper) - x(spread.lower))} y="1.5" height="7"></rect><line class="usual" x1=${x(spread.middle)} x2=${x(spread.middle)} y1="0" y2="10"></line></svg></td></tr>`)}</tbody></table></div>`;
}

const hour = 3600e3, weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** For each hour of the week the part of it, from 0, in which jobs ran; more than 1 when several did. */
export function busyHours(jobs, now = Date.now()) {
  const busy = Array.from({ length: 7 }, () => Array(24).fill(0)), there = busy.map(row => [...row]);
  const each = (from, to, see) => {
    for (let at = from; at < to;) {
      const date = new Date(at), next = Math.min(to, new Date(date.getFullYear(), date.getMonth(), date.getDate(), date.getHours() + 1).getTime());
      see((date.getDay() + 6) % 7, date.getHours(), next - at);
      at = next > at ? next : at + hour;  // Clocks are put back, too.
    }
  };
  const spans = jobs.filter(job => job.claimed_at).map(job => [Date.parse(job.claimed_at), Math.min(now, job.ended_at ? Date.parse(job.ended_at) : now)]);
  const first = Math.max(now - 8 * 7 * 24 * hour, Math.min(now, ...spans.map(([from]) => from)));
  each(first, now, (day, at, ms) => { there[day][at] += ms; });
  for (const [from, to] of spans) each(Math.max(first, from), to, (day, at, ms) => { busy[day][at] += ms; });
  return busy.map((row, day) => row.map((ms, at) => there[day][at] > 0 ? ms / there[day][at] : null));
}

function Busy({ jobs }) {
  const hours = busyHours(jobs), most = Math.max(0.01, ...hours.flat());
  const shade = part => part == null ? 'unknown' : 'h' + Math.ceil(4 * part / most);
  const words = part => part == null ? 'not seen yet' : Math.round(100 * part) + ' %';
  return html`<section aria-labelledby="busy"><h2 id="busy">Busy hours</h2><p class="quiet">How much of each hour of the week jobs ran, in the last eight weeks at most, in the time of this browser; above 100 % several did.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Busy hours"><table class="heat"><caption class="visually-hidden">Busy hours of the week</caption>
      <thead><tr><th scope="col"><span class="visually-hidden">Day</span></th>${hours[0].map((_, at) => html`<th scope="col" key=${at}>${at}</th>`)}</tr></thead>
      <tbody>${hours.map((row, day) => html`<tr key=${day}><th scope="row">${weekdays[day]}</th>${row.map((part, at) => html`<td key=${at} class=${shade(part)} title=${`${weekdays[day]} ${two(at)}:00, ${words(part)}`}><span class="visually-hidden">${words(part)}</span></td>`)}</tr>`)}</tbody></table></div></section>`;
}

export function Stats() {
  const answer = useAnswer('jobs?limit=500', { stale: changesJobs });
  const [name, setName] = useState('');
  return html`<h1>Jobs and statistics</h1><${Loaded} of=${answer}>${({ jobs }) => {
    const ended = jobs.filter(job => job.ended_at && job.claimed_at);
    if (!ended.length) return html`<${Empty}>No job has ended yet.<//>`;
    const names = [...new Set(ended.map(job => job.name))], chosen = names.includes(name) ? name : names[0];
    const good = ended.filter(job => job.name === chosen && kindOf(job) === 'success');
    return html`
      <${Verdicts} jobs=${ended} of=${job => job.topic} title="By topic" head="Topic" />
      <${Verdicts} jobs=${ended} of=${componentsOf} title="By version" head="Version" />
      <${Blame} jobs=${ended} />
      <h2>How long successful jobs take</h2>
      <div class="tools"><label>Job <select value=${chosen} onChange=${event => setName(event.target.value)}>${names.map(one => html`<option key=${one} value=${one}>${one}</option>`)}</select></label></div>
      ${good.length ? html`<${Durations} key=${chosen} jobs=${good} /><${Spread} jobs=${good} />` : html`<${Empty}>No job of this name was a success.<//>`}
      <${Busy} jobs=${jobs} />
      <h2>All jobs</h2><${JobTable} jobs=${jobs} caption="All jobs, newest first" />`;
  }}<//>`;
}
