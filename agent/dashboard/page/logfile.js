// A step's log of any length: where its lines begin, and the few thousands of them that are looked at.

import { get } from './api.js';

const chunkLines = 1000, kept = 40, longest = 20000;

export class LogFile {
  constructor(jobId, stepId) {
    this.path = `jobs/${encodeURIComponent(jobId)}/logs/${encodeURIComponent(stepId)}`;
    this.offsets = [];  // Of each thousandth line.
    this.errors = [];   // Numbers of lines that tell of an error, of many close together not all.
    this.complete = 0;  // Lines that end with a newline.
    this.end = 0;       // Bytes that they take.
    this.size = 0;
    this.begin = 0;     // Bytes at the beginning that are not on the machine any more.
    this.chunks = new Map();
    this.marks = [];    // Where parts begin that can be folded, of the lines before marked.lines.
    this.marked = { end: 0, lines: 0 };
  }

  /** All lines, the last one perhaps without its end. */
  get lines() {
    return this.complete + (this.size > this.end ? 1 : 0);
  }

  /** The first lines, before anybody knows how many there are. */
  async peek() {
    const { log } = await get(`${this.path}?lines=200`);
    if (this.offsets.length) return;
    const lines = log.lines.filter(entry => !entry.part && !entry.given_back).map(entry => ({ ...entry, text: entry.text.slice(0, longest) }));
    this.chunks.set(0, { lines, whole: false, stale: false });
    Object.assign(this, { complete: lines.length, end: log.next, size: log.next, begin: log.begin });
  }

  /** Looks what has come; whether that is anything. */
  async grow() {
    const before = this.size;
    for (let whole = false; !whole;) {
      const known = Math.max(0, this.offsets.length - 1), from = this.offsets[known] ?? 0;
      const { index } = await get(`${this.path}/index?from=${from}&line=${known * chunkLines}`);
      this.offsets.splice(known, this.offsets.length - known, ...index.offsets);
      const old = this.errors.findIndex(line => line >= known * chunkLines);
      this.errors.splice(old < 0 ? this.errors.length : old, Infinity, ...(index.errors || []));
      const stuck = index.lines === this.complete;
      Object.assign(this, { complete: index.lines, end: index.end, size: index.size, begin: index.begin });
      whole = index.complete || stuck;
    }
    if (this.size !== before) this.forgetEnd();
    return this.size !== before;
  }

  /** Looks for marks in what has come; whether there are more of them. */
  async mark() {
    const before = this.marks.length;
    for (let done = false; !done;) {
      const { end, lines } = this.marked;
      const { sections } = await get(`${this.path}/sections?from=${end}&line=${lines}`);
      if (this.marked.end !== end) return false;  // Somebody else was faster.
      this.marks.push(...sections.marks);
      this.marked = { end: sections.end, lines: sections.lines };
      done = sections.complete || sections.lines === lines;
    }
    return this.marks.length !== before;
  }

  /** What was read of the end is not all of it any more; it is shown until all of it has come. */
  forgetEnd() {
    for (const chunk of this.chunks.values()) if (!chunk.whole) chunk.stale = true;
  }

  /** The line (from 0), or nothing while it is on its way; `arrived()` is called then. */
  line(number, arrived) {
    const chunkNumber = Math.floor(number / chunkLines);
    let chunk = this.chunks.get(chunkNumber);
    if (!chunk || chunk.stale) {
      const before = chunk ? chunk.lines : null;
      chunk = { lines: before, whole: false, stale: false };
      this.chunks.set(chunkNumber, chunk);
      this.read(chunkNumber, chunk).then(arrived, () => this.chunks.delete(chunkNumber));
      for (const old of this.chunks.keys()) if (this.chunks.size > kept && old !== chunkNumber) this.chunks.delete(old);
    }
    return chunk.lines && chunk.lines[number % chunkLines];
  }

  async read(number, chunk) {
    const until = this.offsets[number + 1] ?? Infinity, lines = [];
    let from = this.offsets[number] ?? this.end;
    for (let done = false; !done;) {
      const { log } = await get(`${this.path}?from=${from}&lines=${chunkLines}`);
      for (const entry of log.lines) {
        if (entry.offset >= until || (lines.length >= chunkLines && !entry.part)) break;
        if (entry.given_back) continue;
        const last = lines[lines.length - 1];
        if (entry.part && last) last.text = (last.text + entry.text).slice(0, longest);
        else lines.push({ ...entry, text: entry.text.slice(0, longest) });
      }
      done = log.next === from || log.next >= until || lines.length >= chunkLines;
      from = log.next;
    }
    chunk.lines = lines;
    chunk.whole = until !== Infinity;
  }

  /** The numbers of the lines that hold the text, in their order. */
  async search(text, signal) {
    const found = [];
    for (let from = 0, line = 0, done = false; !done && found.length < 10000;) {
      const { search } = await get(`${this.path}/search?q=${encodeURIComponent(text)}&from=${from}&line=${line}&limit=10000`, { signal });
      found.push(...search.matches.map(match => match.line));
      done = search.complete || search.lines === line;
      from = search.end;
      line = search.lines;
    }
    return found;
  }
}
