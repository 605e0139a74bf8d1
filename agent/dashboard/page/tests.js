// What the tests of a job said, and what is new in it.

import { html, Badge, Empty, Loaded, Tests, Trouble, componentsOf, jobLink } from './parts.js';
import { useEffect, useState } from 'preact/hooks';
import { get } from './api.js';
import { caseLink, isBad, keyOf, kindOfCase, newsOf, readCases } from './junit.js';
import { duration } from './format.js';
import { useAnswer } from './store.js';

/** The cases of a result, and of the same one in the job before, where there is one. */
function useCases(job, result, before) {
  const [state, set] = useState({ cases: null, error: null });
  useEffect(() => {
    let gone = false;
    (async () => {
      try {
        const read = await readCases(job.job_id, result);
        let old = new Map();
        if (before) {
          try {
            const same = (await get(`jobs/${before.job_id}/tests`)).tests.find(one => one.name === result.name);
            if (same) old = new Map((await readCases(before.job_id, same)).map(one => [keyOf(one), one.outcome]));
          } catch { /* Then nothing is known of before. */ }
        }
        const cases = read.map(one => ({ ...one, news: newsOf(one.outcome, old.get(keyOf(one))) }));
        if (!gone) set({ cases, error: null });
      } catch (error) {
        if (!gone) set({ cases: null, error });
      }
    })();
    return () => { gone = true; };
  }, [result.id, before && before.job_id]);
  return state;
}

const shownAtOnce = 300;

function Case({ one, job, result }) {
  const history = html`<a class="history" href=${caseLink(job.name, result.name, one)}>history<span class="visually-hidden"> of ${one.name}</span></a>`;
  const head = html`<${Badge} kind=${kindOfCase[one.outcome]} text=${one.outcome} /> ${one.news && html`<span class=${'news ' + (one.news === 'fixed' ? 'good' : 'bad')}>${one.news}</span>`} <span class="case">${one.name}</span> <span class="quiet numbers">${one.seconds ? duration(one.seconds * 1000) : ''}</span>`;
  return one.text ? html`<li><details open=${isBad(one.outcome)}><summary>${head}</summary><pre tabindex="0">${one.text.slice(0, 20000)}</pre>${history}</details></li>` : html`<li class="plain-case">${head} ${history}</li>`;
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
    ${[...suites].map(([suite, list]) => html`<div key=${suite}><h4>${suite}</h4><ul class="cases">${list.map(one => html`<${Case} key=${one.name} one=${one} job=${job} result=${result} />`)}</ul></div>`)}
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
