// What still has to reach a server, and what a server will not take.

import { html, Badge, Command, Empty, Loaded, When, jobLink } from './parts.js';
import { size } from './format.js';
import { useAnswer } from './store.js';
import { ReporterActions } from './actions.js';

/** An item without the id of its job, which stands beside it. */
const shortKey = item => item.job_id && item.key.startsWith(item.job_id + '/') ? item.key.slice(item.job_id.length + 1) : item.key;

const whyItWaits = (item, down) => item.reason || (item.state !== 'attempting' ? 'its turn has not come' : down ? 'is tried again when the server answers' : 'is being sent');

function Items({ path, field, caption, empty, down }) {
  const answer = useAnswer(path, { stale: event => /^(log|result|artifact|stage|job)\./.test(event.type), every: 5000 });
  return html`<${Loaded} of=${answer}>${data => data[field].length === 0 ? html`<${Empty}>${empty}<//>` : html`
    <div class="scroll" tabindex="0" role="region" aria-label=${caption}><table><caption class="visually-hidden">${caption}</caption>
      <thead><tr><th scope="col">Item</th><th scope="col">Kind</th><th scope="col">Job</th><th scope="col">Size</th><th scope="col">Tries</th><th scope="col">Why it waits</th></tr></thead>
      <tbody>${data[field].map(item => html`<tr key=${item.key}><td class="clip" title=${item.key}>${shortKey(item)}</td><td>${item.kind}</td><td>${item.job_id && html`<a href=${jobLink(item)}>${item.job_id.slice(0, 8)}</a>`}</td>
        <td class="numbers">${item.bytes ? size(item.bytes) : ''}</td><td class="numbers">${item.attempts}</td><td>${whyItWaits(item, down)}</td></tr>`)}</tbody></table></div>`}<//>`;
}

export function Uploads({ status }) {
  const answer = useAnswer('reporters', { every: 3000, stale: event => /^(job|result|artifact|log)\./.test(event.type) });
  return html`<h1>Uploads</h1><${Loaded} of=${answer}>${data => data.reporters.length === 0 ? html`<${Empty}>No control server is configured.<//>` : data.reporters.map(one => {
    const live = status.reporters.find(other => other.name === one.name), path = 'reporters/' + encodeURIComponent(one.name);
    return html`<section key=${one.name} aria-label=${one.name}><h2>${one.name} ${one.waiting === 0 ? html`<${Badge} kind="success" text="all delivered" />` : html`<${Badge} kind="running" text=${one.waiting + ' waiting'} />`}</h2>
      <dl class="facts">
        <div><dt>Delivered</dt><dd>${one.delivered}</dd></div><div><dt>Waiting</dt><dd>${one.waiting} (${size(one.waiting_bytes)} of files)</dd></div>
        <div><dt>Refused</dt><dd class=${one.parked ? 'bad' : ''}>${one.parked}</dd></div>
        ${live && html`<div><dt>Last answer</dt><dd><${When} at=${live.last_contact} /></dd></div>`}
      </dl>
      <${ReporterActions} reporter=${one} status=${status} />
      ${live && live.last_error && html`<p class="bad">${live.last_error}</p>`}
      ${one.waiting > 0 && html`<h3>Waiting</h3><${Items} path=${path + '/waiting'} field="waiting" caption=${'Waiting for ' + one.name} empty="Nothing waits any more." down=${live && live.last_error} />`}
      ${one.parked > 0 && html`<h3>Refused by the server</h3><p>When the reason is gone: <${Command} text=${'outpost reporter retry ' + one.name} /></p>
        <${Items} path=${path + '/parked'} field="parked" caption=${'Refused by ' + one.name} empty="Nothing is refused any more." />`}
      ${!one.configured && html`<p>Its source is no longer configured. To drop what is kept for it: <${Command} text=${'outpost reporter forget ' + one.name} /></p>`}
    </section>`;
  })}<//>`;
}
