// Tests over the jobs of a name: which of them fail, which come and go, and what became of one of them.

import { html, Badge, Empty, JobBadge, Loaded, Tests, Trouble, When, componentsOf, jobLink } from './parts.js';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { duration, median, moment } from './format.js';
import { changesJobs, useAnswer } from './store.js';
import { caseLink, isBad, keyOf, kindOfCase, readJob } from './junit.js';
import { Plot } from './plot.js';

const jobsRead = 20;

/** The cases of several jobs, the oldest first: [{job, results}]; read one after the other, shown as they come. */
function useHistory(jobs) {
  const ids = jobs.map(job => job.job_id).join();
  const [state, set] = useState({ runs: [], done: false, error: null });
  useEffect(() => {
    let gone = false;
    (async () => {
      const runs = [];
      let error = null;
      for (const job of jobs) {
        try {
          const results = await readJob(job.job_id);
          error = results.map(one => one.error).find(Boolean) || error;
          runs.unshift({ job, results });
        } catch (problem) {
          error = problem;  // Its files may have gone meanwhile; the others are still worth a look.
        }
        if (gone) return;
        set({ runs: [...runs], done: false, error });
      }
      if (!gone) set({ runs: [...runs], done: true, error });
    })();
    return () => { gone = true; };
  }, [ids]);
  return state;
}

/** Passed and failed with the same components, or went to and fro: nobody has repaired it in between so often. */
export function isFlaky(cells, runs) {
  const seen = cells.map((one, index) => ({ one, of: componentsOf(runs[index].job) })).filter(({ one }) => one && one.outcome !== 'skipped');
  if (seen.some(({ one }) => one.rerun)) return true;
  const byComponents = new Map();
  let turns = 0;
  seen.forEach(({ one, of }, index) => {
    byComponents.set(of, new Set([...(byComponents.get(of) || []), isBad(one.outcome)]));
    if (index > 0 && isBad(one.outcome) !== isBad(seen[index - 1].one.outcome)) ++turns;
  });
  return turns >= 3 || [...byComponents.values()].some(ends => ends.size > 1);
}

/** A row for each case: {result, suite, name, cells: one for each run, bad, flaky, slower}. */
function rowsOf(runs) {
  const rows = new Map();
  runs.forEach(({ results }, index) => {
    for (const result of results) {
      for (const one of result.cases) {
        const key = result.name + '\n' + keyOf(one);
        if (!rows.has(key)) rows.set(key, { key, result: result.name, suite: one.suite, name: one.name, cells: Array(runs.length).fill(null) });
        const rerun = (result.flaky_names || []).some(name => name.endsWith(`${one.suite}:${one.name}`));
        rows.get(key).cells[index] = rerun ? { ...one, rerun } : one;
      }
    }
  });
  for (const row of rows.values()) {
    const last = row.cells[row.cells.length - 1], usual = median(row.cells.slice(0, -1).filter(Boolean).map(one => one.seconds));
    row.bad = row.cells.filter(one => one && isBad(one.outcome)).length;
    row.flaky = isFlaky(row.cells, runs);
    row.slower = last && usual != null && last.seconds > 1 && last.seconds > 2 * usual;
  }
  return [...rows.values()];
}

const filters = {
  'failed or flaky': row => row.bad > 0 || row.flaky,
  'fail now': row => row.cells[row.cells.length - 1] && isBad(row.cells[row.cells.length - 1].outcome),
  flaky: row => row.flaky,
  'slower than usual': row => row.slower,
  all: () => true,
};
const shown = 200;

const Squares = ({ cells }) => html`<svg class="squares" viewBox=${`0 0 ${12 * cells.length} 12`} width=${12 * cells.length} height="12" aria-hidden="true">${cells.map((one, index) => html`<rect class=${'held ' + (one ? kindOfCase[one.outcome] : 'absent')} x=${12 * index + 1} y="1" width="10" height="10" rx="2"></rect>`)}</svg>`;

const inWords = row => {
  const count = row.cells.filter(Boolean).length;
  return row.bad ? `failed in ${row.bad} of ${count}` : `${count} runs`;
};

function Matrix({ name, runs, done, error }) {
  const [filter, setFilter] = useState('failed or flaky'), [text, setText] = useState('');
  const rows = useMemo(() => rowsOf(runs), [runs]);
  const wanted = rows.filter(row => filters[filter](row) && (row.name + row.suite).toLowerCase().includes(text.toLowerCase())).sort((one, other) => other.bad - one.bad);
  return html`<div class="tools"><label>Show <select value=${filter} onChange=${event => setFilter(event.target.value)}>${Object.keys(filters).map(one => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
      <label>Name <input type="search" value=${text} onInput=${event => setText(event.target.value)} /></label>
      <span class="quiet" role="status">${done ? `${wanted.length} of ${rows.length} cases, in the last ${runs.length} jobs` : `reading, ${runs.length} jobs so far…`}</span></div>
    <${Trouble} error=${error} />
    ${done && wanted.length === 0 && html`<${Empty}>No case is like that.<//>`}
    ${wanted.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Cases"><table><caption class="visually-hidden">Cases and what became of them, the newest job on the right</caption>
      <thead><tr><th scope="col">Case</th><th scope="col">Of</th><th scope="col">The last jobs</th><th scope="col">In words</th><th scope="col">Usually takes</th></tr></thead>
      <tbody>${wanted.slice(0, shown).map(row => html`<tr key=${row.key}><td><a href=${caseLink(name, row.result, row)}>${row.name}</a></td><td class="quiet">${row.suite}</td><td><${Squares} cells=${row.cells} /></td>
        <td class=${row.bad ? 'bad' : ''}>${inWords(row)}${row.flaky && html` <${Badge} kind="error" text="flaky" />`}</td><td class="numbers">${duration(1000 * median(row.cells.filter(Boolean).map(one => one.seconds)))}${row.slower && html` <span class="bad">slower now</span>`}</td></tr>`)}</tbody></table></div>`}
    ${wanted.length > shown && html`<p class="quiet">and ${wanted.length - shown} more</p>`}`;
}

/** One case over the jobs. */
function Case({ runs, done, error, result, suite, name }) {
  const row = useMemo(() => rowsOf(runs).find(one => one.result === result && one.suite === suite && one.name === name), [runs]);
  const seen = row ? row.cells.map((one, index) => ({ one, job: runs[index].job })).filter(({ one }) => one) : [];
  const ran = seen.filter(({ one }) => one.outcome !== 'skipped'), good = ran.filter(({ one }) => !isBad(one.outcome));
  const timed = good.filter(({ one }) => one.seconds > 0).map(({ one, job }) => ({ at: Date.parse(job.ended_at || job.claimed_at), value: one.seconds * 1000 }));
  const middle = median(timed.map(point => point.value));
  return html`<h2>${name}</h2><p class="quiet">${[suite, result].filter(Boolean).join(', ')}</p>
    <${Trouble} error=${error} />${!done && html`<p class="quiet" role="status">reading, ${runs.length} jobs so far…</p>`}
    ${done && !row && html`<${Empty}>No job of this name that is remembered had it.<//>`}
    ${row && html`<p>${good.length} of ${ran.length} times passed${seen.length > ran.length ? `, ${seen.length - ran.length} times skipped` : ''}${row.flaky && html` <${Badge} kind="error" text="flaky" /> it passes and fails with the same components, or goes to and fro`}</p>
      ${timed.length > 1 && html`<figure><${Plot} points=${timed} line=${middle} label=${`How long it took when it passed, ${timed.length} times, median ${duration(middle)}`} /><figcaption class="quiet">How long it took when it passed; the dashed line is the median: ${duration(middle)}</figcaption></figure>`}
      <div class="scroll" tabindex="0" role="region" aria-label="Runs"><table><caption class="visually-hidden">Its runs, the newest first</caption><thead><tr><th scope="col">Outcome</th><th scope="col">Components</th><th scope="col">Took</th><th scope="col">When</th><th scope="col">What it said</th></tr></thead>
        <tbody>${[...seen].reverse().map(({ one, job }) => html`<tr key=${job.job_id}><td><${Badge} kind=${kindOfCase[one.outcome]} text=${one.outcome} /></td><td><a href=${jobLink(job, '/tests')}>${componentsOf(job)}</a></td><td class="numbers">${one.seconds ? duration(one.seconds * 1000) : ''}</td><td>${moment(job.ended_at || job.claimed_at)}</td>
          <td>${one.text && html`<details><summary>${one.text.split('\n')[0].slice(0, 120)}</summary><pre tabindex="0">${one.text.slice(0, 20000)}</pre></details>`}</td></tr>`)}</tbody></table></div>`}`;
}

function OfName({ name, jobs, query }) {
  const history = useHistory(jobs.filter(job => job.name === name && job.tests.total > 0).slice(0, jobsRead)), wanted = new URLSearchParams(query);
  return html`<p><a href="#/tests">All tests</a>${wanted.has('case') && html`, <a href=${'#/tests/' + encodeURIComponent(name)}>those of ${name}</a>`}</p>
    ${wanted.has('case') ? html`<${Case} ...${history} result=${wanted.get('result')} suite=${wanted.get('suite')} name=${wanted.get('case')} />` : html`<h2>${name}</h2><${Matrix} name=${name} ...${history} />`}`;
}

function Stack({ parts, most }) {
  let y = 100;
  return parts.map(([kind, count]) => {
    const height = most ? 100 * count / most : 0;
    y -= height;
    return html`<rect class=${'held ' + kind} x="1" width="8" y=${y} height=${height}></rect>`;
  });
}

/** The results of the last jobs side by side, for each name of a job. */
function Names({ jobs }) {
  const names = [...new Set(jobs.map(job => job.name))];
  const shown = names.map(name => [name, jobs.filter(job => job.name === name && job.tests.total > 0).slice(0, 40)]).filter(([, list]) => list.length);
  if (!shown.length) return html`<${Empty}>No job has left test results yet.<//>`;
  return shown.map(([name, list]) => {
    const most = Math.max(...list.map(job => job.tests.total));
    return html`<section key=${name} aria-label=${name}><h2>${name}</h2><p><a href=${'#/tests/' + encodeURIComponent(name)}>Each case over the last jobs</a></p>
      <div class="bars" aria-hidden="true">${[...list].reverse().map(job => html`<a key=${job.job_id} href=${jobLink(job, '/tests')} tabindex="-1" title=${`${componentsOf(job)}: ${job.tests.success} passed, ${job.tests.failures + job.tests.errors} failed, ${job.tests.skips} skipped`}>
        <svg viewBox="0 0 10 100" preserveAspectRatio="none"><${Stack} parts=${[['success', job.tests.success], ['failure', job.tests.failures + job.tests.errors], ['waiting', job.tests.skips]]} most=${most} /></svg></a>`)}</div>
      <div class="scroll" tabindex="0" role="region" aria-label=${'Tests of ' + name}><table><caption class="visually-hidden">Tests of ${name}</caption><thead><tr><th scope="col">Verdict</th><th scope="col">Components</th><th scope="col">Tests</th><th scope="col">Ended</th></tr></thead>
        <tbody>${list.slice(0, 10).map(job => html`<tr key=${job.job_id}><td><${JobBadge} job=${job} /></td><td><a href=${jobLink(job, '/tests')}>${componentsOf(job)}</a></td><td><${Tests} tests=${job.tests} /></td><td><${When} at=${job.ended_at} /></td></tr>`)}</tbody></table></div></section>`;
  });
}

export function AllTests({ rest, query }) {
  const answer = useAnswer('jobs?limit=200', { stale: changesJobs });
  return html`<h1>Tests</h1><${Loaded} of=${answer}>${({ jobs }) => rest[0] ? html`<${OfName} key=${rest[0]} name=${rest[0]} jobs=${jobs} query=${query} />` : html`<${Names} jobs=${jobs} />`}<//>`;
}
