// The files that test runners leave, as cases; and what is new between two jobs.

import { ask, get } from './api.js';

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

export const keyOf = one => one.suite + '\n' + one.name;
export const kindOfCase = { passed: 'success', failed: 'failure', error: 'error', skipped: 'waiting' };
/** Where the history of a case over the jobs of a name is shown. */
export const caseLink = (jobName, resultName, one) => `#/tests/${encodeURIComponent(jobName)}?${new URLSearchParams({ result: resultName, suite: one.suite, case: one.name })}`;
export const isBad = outcome => outcome === 'failed' || outcome === 'error';

/** A file that was left does not change any more, so it is read once. The last ones are kept, up to so many bytes of XML. */
const known = new Map(), kept = 48 << 20;

async function readFile(jobId, result) {
  if (result.size > largest) throw new Error('The file is too large to be shown here.');
  return casesOf(await (await ask(`jobs/${jobId}/tests/${result.id}`)).text());
}

export function readCases(jobId, result) {
  const name = jobId + '/' + result.id;
  if (!known.has(name)) {
    const cases = readFile(jobId, result);
    known.set(name, { cases, size: result.size });
    cases.catch(() => known.delete(name));
    let whole = [...known.values()].reduce((sum, one) => sum + one.size, 0);
    for (const [old, { size }] of known) {
      if (whole <= kept || old === name) break;
      known.delete(old);
      whole -= size;
    }
  }
  return known.get(name).cases;
}

/** All results of a job with their cases; one that cannot be read has an `error` instead. */
export async function readJob(jobId) {
  const { tests } = await get(`jobs/${jobId}/tests`);
  return Promise.all(tests.map(async result => {
    try {
      return { ...result, cases: await readCases(jobId, result), error: null };
    } catch (error) {
      return { ...result, cases: [], error };
    }
  }));
}

/** What a case is against the one of before, of which only the outcome counts: 'new failure', 'fixed', ''. */
export const newsOf = (outcome, before) => before === undefined ? '' : isBad(outcome) && !isBad(before) ? 'new failure' : !isBad(outcome) && isBad(before) ? 'fixed' : '';
