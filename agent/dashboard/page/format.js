// Numbers, moments and terminal colours as people read them.

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function size(bytes) {
  let unit = 0, value = Number(bytes) || 0;
  for (; value >= 1024 && unit + 1 < units.length; ++unit) value /= 1024;
  return (unit === 0 ? value : value.toFixed(1)) + ' ' + units[unit];
}

export function duration(ms) {
  if (ms == null || !isFinite(ms) || ms < 0) return '';
  if (ms < 1000) return Math.round(ms) + ' ms';
  const seconds = ms / 1000;
  if (seconds < 60) return seconds.toFixed(seconds < 10 ? 1 : 0) + ' s';
  const whole = Math.round(seconds), two = number => String(number).padStart(2, '0');
  if (whole < 3600) return Math.floor(whole / 60) + ' min ' + two(whole % 60) + ' s';
  return Math.floor(whole / 3600) + ' h ' + two(Math.floor(whole / 60) % 60) + ' min';
}

export const span = (from, to) => from ? (to ? Date.parse(to) : Date.now()) - Date.parse(from) : null;

export function ago(moment) {
  if (!moment) return 'never';
  const ms = Date.now() - Date.parse(moment);
  if (ms < 2000) return 'just now';
  if (ms < 48 * 3600e3) return duration(ms).replace(/ (\d\d) s$/, '') + ' ago';
  return Math.floor(ms / 86400e3) + ' days ago';
}

/** In the time of this browser, as everything that is shown. */
export function moment(text) {
  if (!text) return '';
  const date = new Date(text), two = number => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
export const clock = text => moment(text).slice(11);

export function median(numbers) {
  const sorted = numbers.filter(number => number != null && isFinite(number)).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

/** 'success', 'failure', 'error', 'killed', 'running', 'waiting'... of a job of the API. */
export function kindOf(job) {
  if (job.judgement) return job.judgement.verdict;
  if (job.state.startsWith('running') || job.state.startsWith('claim')) return 'running';
  return ['success', 'failure', 'error', 'killed'].includes(job.state) ? job.state : 'waiting';
}

/**
 * The runs of one line of a log: [{text, style}], where `style` names the classes of its colours. Other escape sequences,
 * and what a progress bar has overwritten, are left out; other control bytes are shown as they are called.
 */
export function ansi(line) {
  if (!/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) return [{ text: line, style: '' }];
  const rest = line.replace(/\r$/, '');
  const shown = rest.slice(rest.lastIndexOf('\r') + 1);
  const runs = [];
  let style = { bold: false, colour: '' }, at = 0;
  const sequence = /\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b./g;
  const put = text => {
    const visible = text.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, byte => '\\x' + byte.charCodeAt(0).toString(16).padStart(2, '0'));
    if (visible) runs.push({ text: visible, style: (style.bold ? 'bold ' : '') + style.colour });
  };
  for (let found; (found = sequence.exec(shown));) {
    put(shown.slice(at, found.index));
    at = sequence.lastIndex;
    if (found[1] === undefined) continue;
    for (const code of (found[1] || '0').split(';').map(Number)) {
      if (code === 0) style = { bold: false, colour: '' };
      else if (code === 1) style = { ...style, bold: true };
      else if (code === 22) style = { ...style, bold: false };
      else if (code === 39) style = { ...style, colour: '' };
      else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style = { ...style, colour: 'c' + (code % 10) };
    }
  }
  put(shown.slice(at));
  return runs;
}

/** Only addresses that are pages of the web can be followed. */
export const webAddress = url => /^https?:\/\//i.test(url || '') ? url : null;
