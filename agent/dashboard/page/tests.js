// What the tests of a job said, and what is new in it.

import { html, Badge, Empty, Loaded, Tests, Trouble, JobBadge, When, componentsOf, jobLink } from './parts.js';
import { useEffect, useState } from 'preact/hooks';
import { ask } from './api.js';
import { duration } from './format.js';
import { changesJobs, useAnswer } from './store.js';

const largest = 16 << 20;

/** The cases of a JUnit file: [{suite, name, outcome, seconds, text}]. Browsers read no foreign entities in XML. */
function casesOf(xml) {
  const root = new DOMParser().parseFromString(xml, 'application/xml');
  if (root.querySelector('parsererror')) throw new Error('The file is no XML that a browser can read.');
  return [...root.querySelectorAll('testsuite > testcase')].map(one => {
    const said = ['failure', 'error', 'skipped'].map(name => one.querySelector(':scope > ' + name)).find(Boolean);
    const outcome = said ? { failure: 'failed', error: 'error', skipped: 'skipped' }[said.tagName] : 'passed';
    return { suite: one.getAttribute('classname') || one.parentElement.getAttribute('name') || '', name: one.getAttribute('name') || '(no name)', outcome,
      seconds: Number(one.getAttribute('time')) || 0, text: said ? [said.getAttribute('message'), said.textContent.trim()].filter(Boolean).join('\n') : '' };
  });
}

const keyOf = one => one.suite + '\n' + one.name;
const isBad = outcome => outcome === 'failed' || outcome === 'error';

async function readCases(jobId, result) {
  if (result.size > largest) throw new Error('The file is too large to be shown here.');
  return casesOf(await (await ask(`jobs/${jobId}/tests/${result.id}`)).text());
}

/** The cases of a result, and of the same one in the job before, where there is one. */
function useCases(job, result, before) {
  const [state, set] = useState({ cases: null, error: null });
  useEffect(() => {
    let gone = false;
    (async () => {
      try {
        const cases = await readCases(job.job_id, result);
        let old = new Map();
        if (before) {
          try {
            const list = (await (await ask(`jobs/${before.job_id}/tests`)).json()).tests;
            const same = list.find(one => one.name === result.name);
            if (same) old = new Map((await readCases(before.job_id, same)).map(one => [keyOf(one), one.outcome]));
          } catch { /* Then nothing is known of before. */ }
        }
        for (const one of cases) {
          const then = old.get(keyOf(one));
          one.news = then === undefined ? '' : isBad(one.outcome) && !isBad(then) ? 'new failure' : !isBad(one.outcome) && isBad(then) ? 'fixed' : '';
        }
        if (!gone) set({ cases, error: null });
      } catch (error) {
        if (!gone) set({ cases: null, error });
      }
    })();
    return () => { gone = true; };
  }, [result.id, before && before.job_id]);
  return state;
}

const kinds = { passed: 'success', failed: 'failure', error: 'error', skipped: 'waiting' };
const shownAtOnce = 300;

function Case({ one }) {
  const head = html`<${Badge} kind=${kinds[one.outcome]} text=${one.outcome} /> ${one.news && html`<span class=${'news ' + (one.news === 'fixed' ? 'good' : 'bad')}>${one.news}</span>`} <span class="case">${one.name}</span> <span class="quiet numbers">${one.seconds ? duration(one.seconds * 1000) : ''}</span>`;
  return one.text ? html`<li><details open=${isBad(one.outcome)}><summary>${head}</summary><pre tabindex="0">${one.text.slice(0, 20000)}</pre></details></li>` : html`<li class="plain-case">${head}</li>`;
}

function Result({ job, result, before, filter }) {
  const { cases, error } = useCases(job, result, before);
  const [all, showAll] = useState(false);
  const wanted = cases && cases.filter(filter), suites = new Map();
  for (const one of (wanted || []).slice(0, all ? Infinity : shownAtOnce)) suites.set(one.suite, [...(suites.get(one.suite) || []), one]);
  return html`<section class="result" aria-label=${result.name}>
    <h3>${result.name} <${Tests} tests=${result} /></h3>
    ${!result.well_formed && html`<p class="bad">The file is broken: ${result.problem}</p>`}
    <${Trouble} error=${error} />
    ${!cases && !error && html`<p class="quiet">Loading…</p>`}
    ${[...suites].map(([suite, list]) => html`<div key=${suite}><h4>${suite}</h4><ul class="cases">${list.map(one => html`<${Case} key=${one.name} one=${one} />`)}</ul></div>`)}
    ${cases && wanted.length === 0 && html`<p class="quiet">None of ${cases.length} cases.</p>`}
    ${wanted && wanted.length > shownAtOnce && !all && html`<button type="button" onClick=${() => showAll(true)}>Show all ${wanted.length}</button>`}
  </section>`;
}

const filters = { 'failed and new': one => isBad(one.outcome) || one.news, all: () => true, failed: one => isBad(one.outcome), skipped: one => one.outcome === 'skipped', fixed: one => one.news === 'fixed' };

export function JobTests({ job, jobs }) {
  const answer = useAnswer(`jobs/${job.job_id}/tests`, { stale: event => event.job_id === job.job_id && event.type === 'result.found' });
  const bad = job.tests.failures + job.tests.errors > 0;
  const [name, setName] = useState(bad ? 'failed and new' : 'all');
  const [text, setText] = useState('');
  const at = jobs.findIndex(other => other.job_id === job.job_id);
  const before = jobs.slice(at + 1).find(other => other.name === job.name && other.ended_at && other.tests.total > 0);
  const filter = one => filters[name](one) && (one.name + one.suite).toLowerCase().includes(text.toLowerCase());
  return html`<${Loaded} of=${answer}>${data => data.tests.length === 0 ? html`<${Empty}>No test results.<//>` : html`
    <div class="tools"><label>Show <select value=${name} onChange=${event => setName(event.target.value)}>${Object.keys(filters).map(one => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
      <label>Name <input type="search" value=${text} onInput=${event => setText(event.target.value)} /></label>
      ${before && html`<span class="quiet">compared with <a href=${jobLink(before, '/tests')}>${componentsOf(before)}</a></span>`}</div>
    ${data.tests.map(result => html`<${Result} key=${result.id} job=${job} result=${result} before=${before} filter=${filter} />`)}`}<//>`;
}

/** The tests of the last jobs side by side. */
export function AllTests() {
  const answer = useAnswer('jobs?limit=200', { stale: changesJobs });
  return html`<h1>Tests</h1><${Loaded} of=${answer}>${({ jobs }) => {
    const names = [...new Set(jobs.map(job => job.name))];
    const shown = names.map(name => [name, jobs.filter(job => job.name === name && job.tests.total > 0).slice(0, 40)]).filter(([, list]) => list.length);
    if (!shown.length) return html`<${Empty}>No job has left test results yet.<//>`;
    return shown.map(([name, list]) => {
      const most = Math.max(...list.map(job => job.tests.total));
      return html`<section key=${name} aria-label=${name}><h2>${name}</h2>
        <div class="bars" aria-hidden="true">${[...list].reverse().map(job => html`<a key=${job.job_id} href=${jobLink(job, '/tests')} tabindex="-1" title=${`${componentsOf(job)}: ${job.tests.success} passed, ${job.tests.failures + job.tests.errors} failed, ${job.tests.skips} skipped`}>
          <svg viewBox="0 0 10 100" preserveAspectRatio="none"><${Stack} parts=${[['success', job.tests.success], ['failure', job.tests.failures + job.tests.errors], ['waiting', job.tests.skips]]} most=${most} /></svg></a>`)}</div>
        <div class="scroll" tabindex="0" role="region" aria-label=${'Tests of ' + name}><table><caption class="visually-hidden">Tests of ${name}</caption><thead><tr><th scope="col">Verdict</th><th scope="col">Components</th><th scope="col">Tests</th><th scope="col">Ended</th></tr></thead>
          <tbody>${list.slice(0, 10).map(job => html`<tr key=${job.job_id}><td><${JobBadge} job=${job} /></td><td><a href=${jobLink(job, '/tests')}>${componentsOf(job)}</a></td><td><${Tests} tests=${job.tests} /></td><td><${When} at=${job.ended_at} /></td></tr>`)}</tbody></table></div></section>`;
    });
  }}<//>`;
}

function Stack({ parts, most }) {
  let y = 100;
  return parts.map(([kind, count]) => {
    const height = most ? 100 * count / most : 0;
    y -= height;
    return html`<rect class=${'held ' + kind} x="1" width="8" y=${y} height=${height}></rect>`;
  });
}
export { Stack };
