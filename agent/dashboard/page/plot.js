// Durations over time, drawn by uPlot, which is read when it is needed first.

import { html } from './parts.js';
import { useEffect, useRef } from 'preact/hooks';
import { duration } from './format.js';

let plotter;

const loadPlotter = () => plotter ||= new Promise((resolve, reject) => {
  const style = document.createElement('link');
  Object.assign(style, { rel: 'stylesheet', href: '/vendor/uplot/uPlot.min.css' });
  const script = document.createElement('script');
  // The next one who wants it tries again.
  const failed = () => { plotter = null; reject(new Error('The plotter cannot be read from the daemon.')); };
  Object.assign(script, { src: '/vendor/uplot/uPlot.iife.min.js', onload: () => resolve(window.uPlot), onerror: failed });
  document.head.append(style, script);
});

/** `points`: [{at, value}], both in ms, the oldest first; `line`: a value that is marked, or none. */
export function Plot({ points, line, label }) {
  const box = useRef(null);
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
        axes: [axis, { ...axis, size: 80, values: (_, values) => values.map(value => duration(value)) }],
        series: [{}, { stroke: colour('--accent'), width: 2, points: { show: true, size: 6 } }, { stroke: colour('--quiet'), dash: [6, 4] }] },
      [points.map(point => point.at / 1000), points.map(point => point.value), points.map(() => line ?? null)], figure);
    }, () => {});
    return () => { gone = true; plot?.destroy(); };
  }, [points.length, points.length && points[points.length - 1].at, line]);
  return html`<div class="plot" ref=${box} role="img" aria-label=${label}></div>`;
}
