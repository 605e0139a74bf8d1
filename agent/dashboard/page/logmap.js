// A log as a strip beside it: how much is printed where, and where errors are told of.

import { html } from './parts.js';
import { useLayoutEffect, useRef } from 'preact/hooks';

const width = 16, block = 1000;

/** How long lines are on average in each thousand of them, from 0 to 1. */
export function densityOf(file) {
  const means = file.offsets.map((from, at) => {
    const last = at + 1 === file.offsets.length, lines = last ? file.complete - at * block : block;
    return lines > 0 ? ((last ? file.end : file.offsets[at + 1]) - from) / lines : 0;
  });
  const most = Math.max(1, ...means);
  return means.map(mean => mean / most);
}

/**
 * `rows` says which line stands in which row, `top` and `seen` which rows are looked at; `goTo(row)` scrolls. It is for
 * the eye and the mouse: who uses the keyboard has the buttons for errors, and the scroll bar.
 */
export function LogMap({ file, rows, top, seen, height, goTo }) {
  const canvas = useRef(null), held = useRef(false);
  useLayoutEffect(() => {
    const { current } = canvas, scale = devicePixelRatio || 1;
    current.width = width * scale;
    current.height = Math.max(1, height * scale);
    current.style.height = height + 'px';
    const pen = current.getContext('2d'), style = getComputedStyle(current);
    pen.scale(scale, scale);
    const at = row => row / Math.max(1, rows.count) * height;
    pen.fillStyle = style.getPropertyValue('--dead');
    const density = densityOf(file);
    for (let y = 0; y < height && density.length; ++y) {
      const part = density[Math.floor(rows.lineAt(Math.floor(y / height * rows.count)) / block)] || 0;
      pen.globalAlpha = 0.1 + 0.3 * part;
      pen.fillRect(0, y, 2 + (width - 2) * part, 1);
    }
    pen.globalAlpha = 0.22;
    pen.fillStyle = style.getPropertyValue('--accent');
    pen.fillRect(0, at(top), width, Math.max(6, at(Math.min(seen, rows.count))));
    pen.globalAlpha = 1;
    pen.fillStyle = style.getPropertyValue('--bad');
    for (const line of file.errors) pen.fillRect(0, Math.min(height - 2, at(rows.rowOf(line))), width, 2);
  });
  const move = event => held.current && goTo(event.offsetY / Math.max(1, height) * rows.count - seen / 2);
  return html`<canvas class="log-map" ref=${canvas} aria-hidden="true" onPointerDown=${event => { held.current = true; event.currentTarget.setPointerCapture(event.pointerId); move(event); }}
    onPointerMove=${move} onPointerUp=${() => { held.current = false; }} onPointerCancel=${() => { held.current = false; }}></canvas>`;
}
