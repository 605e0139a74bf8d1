// What became of the jobs that are remembered.

import { html, Empty, JobTable, Loaded } from './parts.js';
import { useEffect, useRef, useState } from 'preact/hooks';
import { duration, kindOf, median, span } from './format.js';
import { changesJobs, useAnswer } from './store.js';

let plotter;

/** uPlot, when it is needed first. */
const loadPlotter = () => plotter ||= new Promise((resolve, reject) => {
  const style = document.createElement('link');
  Object.assign(style, { rel: 'stylesheet', href: '/vendor/uplot/uPlot.min.css' });
  const script = document.createElement('script');
  // The next one who wants it tries again.
  const failed = () => { plotter = null; reject(new Error('The plotter cannot be read from the daemon.')); };
  Object.assign(script, { src: '/vendor/uplot/uPlot.iife.min.js', onload: () => resolve(window.uPlot), onerror: failed });
  document.head.append(style, script);
});

/** How long jobs took, one after the other, and their median. */
function Durations({ jobs }) {
  const box = useRef(null);
  const points = [...jobs].reverse().map(job => ({ at: Date.parse(job.ended_at) / 1000, seconds: span(job.claimed_at, job.ended_at) / 1000 }));
  const middle = median(points.map(point => point.seconds));
  useEffect(() => {
    // The reader may have left the screen before this runs, and while the plotter is on its way.
    const figure = box.current;
    let plot, gone = false;
    loadPlotter().then(UPlot => {
      if (gone || !figure?.isConnected) return;
      const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name);
      const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
      plot = new UPlot({ width: figure.clientWidth, height: 220, legend: { show: false }, cursor: { show: false },
        scales: { y: { range: (_, least, most) => [0, most * 1.1 || 1] } },
        axes: [axis, { ...axis, size: 80, values: (_, values) => values.map(value => duration(value * 1000)) }],
        series: [{}, { stroke: colour('--accent'), width: 2, points: { show: true, size: 6 } }, { stroke: colour('--quiet'), dash: [6, 4] }] },
      [points.map(point => point.at), points.map(point => point.seconds), points.map(() => middle)], figure);
    }, () => {});
    return () => { gone = true; plot?.destroy(); };
  }, [points.length, points.length && points[points.length - 1].at]);
  return html`<figure><div class="plot" ref=${box} role="img" aria-label=${`Durations of ${points.length} jobs, median ${duration(middle * 1000)}`}></div><figcaption class="quiet">Each point is a job, the dashed line the median: ${duration(middle * 1000)}</figcaption></figure>`;
}

const verdicts = ['success', 'failure', 'error', 'killed'];

function Verdicts({ jobs, of, title }) {
  const groups = new Map();
  for (const job of jobs) groups.set(of(job), [...(groups.get(of(job)) || []), kindOf(job)]);
  const count = (list, kind) => list.filter(one => one === kind).length;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table><caption>${title}</caption>
    <thead><tr><th scope="col">Name</th><th scope="col">Jobs</th><th scope="col">Success</th><th scope="col">Product failed</th><th scope="col">Lab or agent failed</th><th scope="col">Killed</th><th scope="col" class="track">Share</th></tr></thead>
    <tbody>${[...groups].slice(0, 20).map(([name, list]) => { let x = 0; return html`<tr key=${name}><th scope="row">${name}</th><td class="numbers">${list.length}</td>${verdicts.map(kind => html`<td class="numbers">${count(list, kind) || ''}</td>`)}
      <td class="track"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${verdicts.map(kind => { const width = 100 * count(list, kind) / list.length, at = x; x += width; return html`<rect class=${'held ' + kind} x=${at} width=${width} y="1" height="8"></rect>`; })}</svg></td></tr>`; })}</tbody></table></div>`;
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
      <${Verdicts} jobs=${ended} of=${job => job.topic} title="By topic" />
      <${Verdicts} jobs=${ended} of=${job => job.components.map(component => component.name).join(', ')} title="By version" />
      <h2>How long successful jobs take</h2>
      <div class="tools"><label>Job <select value=${chosen} onChange=${event => setName(event.target.value)}>${names.map(one => html`<option key=${one} value=${one}>${one}</option>`)}</select></label></div>
      ${good.length ? html`<${Durations} key=${chosen} jobs=${good} />` : html`<${Empty}>No job of this name was a success.<//>`}
      <h2>All jobs</h2><${JobTable} jobs=${jobs} caption="All jobs, newest first" />`;
  }}<//>`;
}
