// The log of a step: only the lines that are seen are in the page, whatever its length.

import { html, Empty, Trouble, jobLink } from './parts.js';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ansi, clock, duration, size, span } from './format.js';
import { useEvents } from './store.js';
import { LogFile } from './logfile.js';
import { Rows, foldsOf } from './folds.js';
import { LogMap } from './logmap.js';

const row = 20, tallest = 12e6;  // Pixels; browsers do not scroll through more than some millions.

const timeModes = ['clock', 'since start', 'since line before', 'none'];

function timeText(mode, line, before, first) {
  if (!line || !line.time || mode === 'none') return '';
  if (mode === 'clock') return clock(line.time) + '.' + line.time.slice(20, 23);
  const since = mode === 'since start' ? first : before && before.time;
  return since ? '+' + (duration(Date.parse(line.time) - Date.parse(since)) || '0 ms') : '';
}

/** The text with what is looked for marked. */
function marked(text, wanted) {
  if (!wanted) return text;
  const parts = [], lower = text.toLowerCase();
  let at = 0;
  for (let found; (found = lower.indexOf(wanted, at)) >= 0; at = found + wanted.length) parts.push(text.slice(at, found), html`<mark>${text.slice(found, found + wanted.length)}</mark>`);
  return [...parts, text.slice(at)];
}

/** What stands beside the first line of a part that can be folded. */
const Fold = ({ fold, closed, toggle }) => html`<button type="button" class="fold" aria-expanded=${!closed} aria-label=${`fold ${fold.name}, ${fold.end - fold.line} lines`} onClick=${() => toggle(fold.line)}>${closed ? '▸' : '▾'}</button>`;

function Row({ number, line, before, first, mode, wanted, chosen, href, digits, fold, closed, toggle, folds }) {
  const gap = line && /^\[(gap: )?\d* ?bytes|^\[gap: /.test(line.text);
  return html`<div class=${'log-row' + (chosen ? ' chosen' : '') + (gap ? ' gap' : '')}>
    <a class="log-number" href=${href} aria-label=${'Line ' + (number + 1)}>${String(number + 1).padStart(digits)}</a>
    ${folds && html`<span class="log-fold">${fold && html`<${Fold} fold=${fold} closed=${closed} toggle=${toggle} />`}</span>`}
    ${mode !== 'none' && html`<span class="log-time">${timeText(mode, line, before, first)}</span>`}
    <span class="log-text">${line ? ansi(line.text).map(run => run.style ? html`<span class=${run.style}>${marked(run.text, wanted)}</span>` : marked(run.text, wanted)) : '…'}</span>
    ${fold && closed && html`<span class="fold-name">… ${fold.end - fold.line} lines</span>`}
  </div>`;
}

function useSearch(file, goTo) {
  const [state, set] = useState({ text: '', found: null, at: 0, busy: false });
  const abort = useRef(null);
  useEffect(() => set({ text: '', found: null, at: 0, busy: false }), [file]);
  const look = async text => {
    if (abort.current) abort.current.abort();
    if (!text) return set({ text: '', found: null, at: 0, busy: false });
    abort.current = new AbortController();
    set({ text, found: null, at: 0, busy: true });
    try {
      const found = await file.search(text, abort.current.signal);
      set({ text, found, at: 0, busy: false });
      if (found.length) goTo(found[0]);
    } catch (error) {
      if (error.name !== 'AbortError') set({ text, found: [], at: 0, busy: false });
    }
  };
  useEffect(() => () => abort.current && abort.current.abort(), []);
  const step = by => set(old => {
    if (!old.found || !old.found.length) return old;
    const at = (old.at + by + old.found.length) % old.found.length;
    goTo(old.found[at]);
    return { ...old, at };
  });
  return { ...state, look, step };
}

/** `small`: one of several on a page. */
function Viewer({ job, step, running, line: wantedLine, small }) {
  const file = useMemo(() => new LogFile(job.job_id, step.step_id), [job.job_id, step.step_id]);
  const [, redraw] = useState(0);
  const [error, setError] = useState(null);
  const [mode, setMode] = useState('clock');
  const [follow, setFollow] = useState(running && !wantedLine);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [closed, setClosed] = useState(() => new Set());
  const box = useRef(null), field = useRef(null), again = () => redraw(count => count + 1), following = useRef(follow), growing = useRef(false);
  following.current = follow;

  const folds = useMemo(() => foldsOf(file.marks, file.lines), [file.marks.length, file.lines]);
  const rowsSeen = useMemo(() => new Rows(file.lines, folds, closed), [folds, closed, file.lines]);
  const foldAt = useMemo(() => new Map(folds.map(fold => [fold.line, fold])), [folds]);
  const toggle = line => setClosed(old => { const changed = new Set(old); if (!changed.delete(line)) changed.add(line); return changed; });

  const seen = Math.max(1, Math.floor(height / row)), most = Math.max(0, rowsSeen.count - seen + 1);
  const tall = Math.min(tallest, Math.max(height, rowsSeen.count * row)), scrollable = Math.max(1, tall - height);
  const scaled = rowsSeen.count * row > tallest;
  const topLine = scaled ? top / scrollable * most : top / row;
  const latest = useRef(rowsSeen);
  latest.current = rowsSeen;
  const scrollToRow = wanted => {
    if (!box.current) return;
    const { count } = latest.current, whole = Math.min(tallest, Math.max(height, count * row)), at = Math.max(0, wanted);
    box.current.scrollTop = count * row > tallest ? at / Math.max(1, count - seen + 1) * (whole - height) : at * row;
  };
  const scrollTo = number => scrollToRow(latest.current.rowOf(number) - Math.floor(seen / 3));
  /** The line is seen, whatever was folded. */
  const show = number => {
    const around = folds.filter(fold => closed.has(fold.line) && fold.line < number && number < fold.end);
    if (around.length) setClosed(old => new Set([...old].filter(line => !around.some(fold => fold.line === line))));
    setTimeout(() => scrollTo(number));
  };
  const search = useSearch(file, number => { setFollow(false); show(number); });
  const [atError, setAtError] = useState(-1);
  /** The next line that tells of an error after the one that was shown last, or the one before it; round the end. */
  const stepError = by => {
    const { errors } = file, from = atError >= 0 ? atError : by > 0 ? -1 : file.lines;
    const found = by > 0 ? errors.find(line => line > from) ?? errors[0] : errors.findLast(line => line < from) ?? errors[errors.length - 1];
    if (found === undefined) return;
    setAtError(found);
    setFollow(false);
    show(found);
  };

  const grow = async () => {
    if (growing.current) return;
    growing.current = true;
    try {
      const grown = await file.grow();
      if (grown) again();
      // Old daemons and torn logs have none; the log is there all the same.
      if (grown && await file.mark().catch(() => false)) again();
      setError(null);
    } catch (problem) {
      if (problem.status !== 404 || !running) setError(problem);
    }
    growing.current = false;
  };
  useEffect(() => { if (!running && !wantedLine) file.peek().then(again, () => {}); }, [file]);
  useEffect(() => { grow().then(() => wantedLine && setTimeout(() => scrollTo(wantedLine - 1))); }, [file]);
  useEffect(() => { if (wantedLine && file.lines) show(wantedLine - 1); }, [wantedLine]);
  // A running step prints more often than the journal tells of it.
  useEffect(() => {
    if (!running) return void grow();
    const timer = setInterval(() => document.hidden || grow(), 500);
    return () => clearInterval(timer);
  }, [file, running]);
  useEvents(event => event.step_id === step.step_id && event.job_id === job.job_id && grow());
  useLayoutEffect(() => {
    const measure = () => box.current && setHeight(box.current.clientHeight);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  // Of several on a page each takes what its lines need.
  useLayoutEffect(() => { if (small && box.current) box.current.style.height = Math.max(3, Math.min(18, rowsSeen.count + 1)) * row + 'px'; }, [small, rowsSeen.count]);
  useLayoutEffect(() => { if (follow && box.current) box.current.scrollTop = tall; }, [follow, file.size, height]);

  const scrolled = event => {
    const now = event.currentTarget.scrollTop;
    if (following.current && now + height < tall - 3 * row && now < top) setFollow(false);
    setTop(now);
  };
  const keys = event => {
    if (event.target.tagName === 'INPUT' || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { '/': () => field.current.focus(), n: () => search.step(1), N: () => search.step(-1), e: () => stepError(1), E: () => stepError(-1), f: () => setFollow(!follow), g: () => scrollTo(0), G: () => { box.current.scrollTop = tall; } }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const begin = Math.max(0, Math.min(Math.floor(topLine), rowsSeen.count - 1)), rows = [];
  const first = file.lines ? (file.line(0, again) || {}).time : null, wanted = search.text.toLowerCase();
  for (let at = begin; at < Math.min(rowsSeen.count, begin + seen + 2); ++at) {
    const number = rowsSeen.lineAt(at), fold = foldAt.get(number);
    rows.push(html`<${Row} key=${number} number=${number} line=${file.line(number, again)} before=${number > 0 && mode === timeModes[2] ? file.line(number - 1, again) : null} first=${first} mode=${mode}
      wanted=${wanted} chosen=${number + 1 === wantedLine || number === atError || (search.found && search.found[search.at] === number)} href=${jobLink(job, `/log/${encodeURIComponent(step.step_id)}?line=${number + 1}`)} digits=${String(file.lines).length} folds=${folds.length > 0} fold=${fold} closed=${closed.has(number)} toggle=${toggle} />`);
  }

  return html`<section class=${small ? 'log small' : 'log'} onKeyDown=${keys} aria-label=${'Log of ' + step.step_id}>
    <div class="log-tools" role="toolbar" aria-label="Log">
      <form role="search" onSubmit=${event => { event.preventDefault(); const text = event.target.elements.q.value; text === search.text && search.found ? search.step(1) : search.look(text); }}>
        <input ref=${field} name="q" type="search" placeholder="Search  ( / )" aria-label="Search in the log" autocomplete="off" />
        <button type="submit">Find</button>
      </form>
      <span class="found" role="status">${search.busy ? 'searching…' : search.found && (search.found.length ? `${search.at + 1} of ${search.found.length}${search.found.length >= 10000 ? '+' : ''}` : 'not found')}</span>
      ${search.found && search.found.length > 1 && html`<button type="button" onClick=${() => search.step(-1)} aria-label="Match before">↑</button><button type="button" onClick=${() => search.step(1)} aria-label="Next match">↓</button>`}
      <label>Times <select value=${mode} onChange=${event => setMode(event.target.value)}>${timeModes.map(name => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
      ${folds.length > 0 && html`<label>Part <select value="" onChange=${event => { setFollow(false); show(Number(event.target.value)); event.target.value = ''; }}><option value="">go to…</option>${folds.slice(0, 1000).map(fold => html`<option key=${fold.line} value=${fold.line}>${'\u00a0'.repeat(2 * fold.level)}${fold.name}</option>`)}</select></label>
        <button type="button" onClick=${() => setClosed(new Set(folds.filter(fold => fold.kind !== 'play').map(fold => fold.line)))}>Fold all</button><button type="button" disabled=${closed.size === 0} onClick=${() => setClosed(new Set())}>Unfold</button>`}
      ${file.errors.length > 0 && html`<span class="errors" role="group" aria-label="Errors"><span class="bad">${file.errors.length}${file.errors.length >= 20 ? '+' : ''} ${file.errors.length === 1 ? 'error' : 'errors'}</span> <button type="button" onClick=${() => stepError(-1)} aria-label="Error before">↑</button><button type="button" onClick=${() => stepError(1)} aria-label="Next error">↓</button></span>`}
      <button type="button" aria-pressed=${follow} onClick=${() => setFollow(!follow)}>Follow</button>
      <span class="quiet log-size">${file.lines.toLocaleString('en')} ${file.lines === 1 ? 'line' : 'lines'}, ${size(file.size)}${running ? ', running' : ''}</span>
    </div>
    <${Trouble} error=${error} />
    ${file.begin > 0 && html`<p class="gap">The first ${size(file.begin)} are not on this machine any more: they were delivered, and the room was needed.</p>`}
    <div class="log-frame"><div class="log-box" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-live="off" aria-label=${`${file.lines} lines`}>
      <div class="log-space" ref=${space => space && (space.style.height = tall + 'px')}>
        <div class="log-window" ref=${view => view && (view.style.height = height + 'px')}>
          <div class="log-rows" ref=${view => view && (view.style.transform = `translateY(${-(topLine - begin) * row}px)`)}>${rows}</div>
        </div>
      </div>
    </div>${!small && rowsSeen.count > seen && html`<${LogMap} file=${file} rows=${rowsSeen} top=${topLine} seen=${seen} height=${height} goTo=${at => { setFollow(false); scrollToRow(Math.round(at)); }} />`}</div>
  </section>`;
}

/** All steps on one page, each to be folded; what went wrong, or runs, is open. */
function WholeJob({ job, open }) {
  const [shown, set] = useState(() => new Set(open ? [open.step_id] : []));
  const toggle = id => set(old => { const changed = new Set(old); if (!changed.delete(id)) changed.add(id); return changed; });
  return html`<div class="whole-log"><div class="tools"><button type="button" onClick=${() => set(new Set(job.steps.map(step => step.step_id)))}>Open all</button><button type="button" onClick=${() => set(new Set())}>Close all</button></div>
    ${job.steps.map(step => html`<section key=${step.step_id} aria-label=${'Step ' + step.step_id}><h3><button type="button" class="step-fold" aria-expanded=${shown.has(step.step_id)} onClick=${() => toggle(step.step_id)}>
        <span aria-hidden="true">${shown.has(step.step_id) ? '▾' : '▸'}</span> ${step.stage} <span class="quiet">${step.plugin}${step.hook !== step.stage ? ' / ' + step.hook : ''}${step.attempt > 1 ? `, attempt ${step.attempt}` : ''}, ${step.state}, ${duration(span(step.started_at, step.ended_at))}, ${size(step.log_bytes)}</span></button></h3>
      ${shown.has(step.step_id) && html`<${Viewer} job=${job} step=${step} running=${step.state === 'running'} line=${0} small />`}</section>`)}</div>`;
}

export function LogView({ job, step: wantedStep, query }) {
  const steps = job.steps, running = steps.find(one => one.state === 'running'), wanted = new URLSearchParams(query);
  const failed = job.judgement && steps.filter(one => one.stage === job.judgement.stage && (!job.judgement.plugin || one.plugin === job.judgement.plugin)).pop();
  const step = steps.find(one => one.step_id === wantedStep) || running || failed || steps[steps.length - 1], whole = wanted.has('all');
  if (!step) return html`<${Empty}>Nothing has been printed yet.<//>`;
  return html`<div class="log-page">
    <nav class="steps" aria-label="Steps"><ul class="plain"><li><a href=${jobLink(job, '/log?all=1')} aria-current=${whole ? 'page' : null}><span>whole job</span><span class="quiet">${steps.length} steps</span></a></li>
      ${steps.map(one => html`<li key=${one.step_id}>
      <a href=${jobLink(job, '/log/' + encodeURIComponent(one.step_id))} aria-current=${one === step && !whole ? 'page' : null}><span>${one.stage}</span><span class="quiet">${one.plugin}</span><span class="numbers quiet">${one.state === 'running' ? 'running' : size(one.log_bytes)}</span></a></li>`)}</ul></nav>
    ${whole ? html`<${WholeJob} job=${job} open=${running || failed || step} />` : html`<${Viewer} key=${step.step_id} job=${job} step=${step} running=${step.state === 'running'} line=${Number(wanted.get('line')) || 0} />`}
  </div>`;
}
