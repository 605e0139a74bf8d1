// Parts of a log that can be folded, and which of its lines are seen when some of them are.

/** [{line, end, name, kind, level}]: from the marks of a log; a part without an end goes to the end of the log. */
export function foldsOf(marks, lines) {
  const folds = [], open = [];
  const close = (from, line) => open.splice(from).forEach(one => { one.end = line; });
  for (const { line, kind, name } of marks) {
    const group = open.map(one => one.kind).lastIndexOf('group');
    if (kind === 'end') {
      if (group >= 0) close(group, line + 1);  // With what has begun in it.
      continue;
    }
    if (kind === 'play') close(group + 1, line);
    if (kind === 'task' && open.length && open[open.length - 1].kind === 'task') close(open.length - 1, line);
    const fold = { line, end: lines, name, kind, level: open.length };
    folds.push(fold);
    open.push(fold);
  }
  return folds.filter(fold => fold.end - fold.line > 1);
}

/** Which line stands in which row, when the folds that begin at the lines `closed` show their first line only. */
export class Rows {
  constructor(lines, folds, closed) {
    this.hidden = [];  // [{from, to, before}]: lines that are not seen, and how many before them are not.
    let hidden = 0, covered = 0;
    for (const { line, end } of folds) {
      if (!closed.has(line) || line < covered) continue;
      this.hidden.push({ from: line + 1, to: end, before: hidden });
      hidden += end - line - 1;
      covered = end;
    }
    this.count = lines - hidden;
  }

  lineAt(row) {
    // The last hidden part that begins at or before this row.
    let low = 0, high = this.hidden.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hidden[middle].from - this.hidden[middle].before <= row) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return row;
    const { from, to, before } = this.hidden[low - 1];
    return row + before + to - from;
  }

  /** Of a hidden line it is the row of the fold that hides it. */
  rowOf(line) {
    let row = line;
    for (const { from, to } of this.hidden) {
      if (from > line) break;
      row -= Math.min(line + 1, to) - from;
    }
    return row;
  }
}
