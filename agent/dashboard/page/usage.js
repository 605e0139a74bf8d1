// What a job took of this machine over time, with the stages behind it.

import { html, Empty, Loaded } from './parts.js';
import { duration, size } from './format.js';
import { useAnswer } from './store.js';

const wide = 1000, tall = 90, top = 16;

/** Points [ms, value] of what `of(sample, before)` makes of each sample of a step; nothing where it makes nothing. */
const line = (steps, of) => steps.map(({ samples, began }) => samples.map((sample, index) => [sample[0], of(sample, index ? samples[index - 1] : [began, 0])])
  .filter(([, value]) => value != null && isFinite(value))).filter(points => points.length);

/** Of one processor, in the time since the sample before. */
const cpuOf = (sample, before) => sample[1] == null || before[1] == null || sample[0] <= before[0] ? null : Math.max(0, (sample[1] - before[1]) / 10 / (sample[0] - before[0]));

function Chart({ title, lines, words, stages, from, to }) {
  if (!lines.length) return null;
  const most = Math.max(...lines.flat().map(([, value]) => value)) || 1, x = at => wide * Math.min(1, Math.max(0, (at - from) / Math.max(1, to - from))), y = value => top + (tall - top) * (1 - value / most);
  const path = points => 'M' + points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join('L');
  return html`<figure class="usage"><figcaption>${title} <span class="quiet">at most ${words(most)}</span></figcaption>
    <svg viewBox=${`0 0 ${wide} ${tall}`} role="img" aria-label=${`${title} over the time of the job, at most ${words(most)}`}>
      ${stages.map((stage, index) => { const begin = x(Date.parse(stage.started_at)), end = x(stage.ended_at ? Date.parse(stage.ended_at) : to);
        return html`<g key=${stage.stage}><rect class=${'band' + (index % 2 ? ' odd' : '')} x=${begin} width=${Math.max(1, end - begin)} y="0" height=${tall}><title>${stage.stage}</title></rect>${end - begin > 9 * stage.stage.length && html`<text class="band-name" x=${begin + 4} y="11">${stage.stage}</text>`}</g>`; })}
      ${lines.map((points, index) => html`<g key=${index}><path class="usage-area" d=${`${path(points)}L${x(points[points.length - 1][0])},${tall}L${x(points[0][0])},${tall}Z`}></path><path class="usage-line" d=${path(points)}></path>
        ${points.length < 30 && points.map(([at, value]) => html`<circle class="usage-point" key=${at} cx=${x(at)} cy=${y(value)} r="2.5"></circle>`)}</g>`)}
    </svg></figure>`;
}

const most = numbers => { const known = numbers.filter(number => number != null); return known.length ? Math.max(...known) : null; };

/** The same in figures, for each step. */
function Figures({ steps }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What each step took"><table><caption class="visually-hidden">What each step took, as far as it was measured</caption>
    <thead><tr><th scope="col">Step</th><th scope="col">Processor time</th><th scope="col">Most of one processor</th><th scope="col">Most memory</th><th scope="col">Most processes</th><th scope="col">Largest workspace</th></tr></thead>
    <tbody>${steps.map(({ step_id, samples, began }) => { const busiest = most(samples.map((sample, index) => cpuOf(sample, index ? samples[index - 1] : [began, 0]))), shown = (column, words) => { const value = most(samples.map(sample => sample[column])); return value == null ? '' : words(value); };
      return html`<tr key=${step_id}><th scope="row">${step_id}</th><td class="numbers">${shown(1, us => duration(us / 1000))}</td><td class="numbers">${busiest != null && Math.round(busiest) + ' %'}</td><td class="numbers">${shown(2, size)}</td><td class="numbers">${shown(3, String)}</td><td class="numbers">${shown(4, size)}</td></tr>`; })}</tbody></table></div>`;
}

export function Usage({ job }) {
  const answer = useAnswer(`jobs/${job.job_id}/usage`, { stale: event => event.job_id === job.job_id && /^(step|stage)[.]/.test(event.type), every: job.ended_at ? 0 : 2000 });
  return html`<section aria-labelledby="usage"><h2 id="usage">What it took of this machine</h2><${Loaded} of=${answer}>${({ usage }) => {
    if (!usage.steps.length) return html`<${Empty}>${job.ended_at ? 'Nothing was measured: no step ran for half a second.' : 'Nothing has been measured yet.'}<//>`;
    const steps = usage.steps.map(one => { const step = job.steps.find(other => other.step_id === one.step_id); return { ...one, began: step ? Date.parse(step.started_at) : one.samples[0][0] }; });
    const given = { stages: job.stages.filter(stage => stage.outcome !== 'empty' && stage.started_at), from: Date.parse(job.claimed_at || job.queued_at), to: job.ended_at ? Date.parse(job.ended_at) : Date.now() };
    return html`<${Chart} title="Processor" words=${percent => Math.round(percent) + ' % of one'} lines=${line(steps, cpuOf)} ...${given} />
      <${Chart} title="Memory" words=${size} lines=${line(steps, sample => sample[2])} ...${given} />
      <${Chart} title="Workspace" words=${size} lines=${line(steps, sample => sample[4])} ...${given} />
      <${Figures} steps=${steps} />`;
  }}<//></section>`;
}
