// What the agent has on this machine: plugins, lab resources, its configuration.

import { html, Badge, Command, Empty, JobBadge, Loaded, When, componentsOf, jobLink } from './parts.js';
import { useState } from 'preact/hooks';
import { moment } from './format.js';
import { changesJobs, useAnswer } from './store.js';

export function Plugins() {
  const answer = useAnswer('plugins');
  return html`<h1>Plugins</h1><${Loaded} of=${answer}>${({ plugins }) => plugins.length === 0 ? html`<${Empty}>No plugin is installed. To begin one: <${Command} text="outpost plugin new NAME" /><//>` : html`
    <div class="scroll" tabindex="0" role="region" aria-label="Plugins"><table><caption class="visually-hidden">Installed plugins</caption>
    <thead><tr><th scope="col">Plugin</th><th scope="col">Version</th><th scope="col">Stages</th><th scope="col">Used by</th><th scope="col">State</th><th scope="col">Folder</th></tr></thead>
    <tbody>${plugins.map(one => html`<tr key=${one.name}><th scope="row">${one.name}</th><td>${one.version}</td><td>${one.stages.join(', ')}</td><td>${one.jobs.join(', ') || html`<span class="quiet">no job</span>`}</td>
      <td>${one.broken ? html`<${Badge} kind="failure" text="broken" /> <${Command} text=${'outpost plugin lint ' + one.path} />` : html`<${Badge} kind="success" text="fine" />`}</td><td><code>${one.path}</code></td></tr>`)}</tbody></table></div>`}<//>`;
}

const day = 24 * 3600e3;

/** The part of the last 24 hours in which a job held it. */
function busy(jobs, name) {
  const from = Date.now() - day;
  let held = 0;
  for (const job of jobs) {
    if (!job.claimed_at || !job.resources.includes(name)) continue;
    held += Math.max(0, (job.ended_at ? Date.parse(job.ended_at) : Date.now()) - Math.max(from, Date.parse(job.claimed_at)));
  }
  return Math.min(1, held / day);
}

export function Resources({ status }) {
  const answer = useAnswer('jobs?limit=200', { stale: changesJobs });
  const names = Object.keys(status.resources);
  return html`<h1>Resources</h1>${names.length === 0 ? html`<${Empty}>No lab resources are configured.<//>` : html`<${Loaded} of=${answer}>${({ jobs }) => names.map(name => {
    const holder = jobs.find(job => job.job_id === status.resources[name].held_by), paused = status.claims.paused.find(one => one.resource === name);
    const waiting = status.jobs.waiting.filter(job => job.resources.includes(name));
    return html`<section key=${name} aria-label=${name}><h2>${name} ${status.resources[name].held_by ? html`<${Badge} kind="running" text="held" />` : html`<${Badge} kind="success" text="free" />`} ${paused && html`<${Badge} kind="killed" text="paused" />`}</h2>
      <dl class="facts">
        <div><dt>Held by</dt><dd>${holder ? html`<a href=${jobLink(holder)}>${holder.name}</a> <span class="quiet">${componentsOf(holder)}</span>` : 'nobody'}</dd></div>
        <div><dt>Waiting for it</dt><dd>${waiting.length ? waiting.map(job => job.name).join(', ') : 'no job'}</dd></div>
        <div><dt>Busy in the last 24 hours</dt><dd>${Math.round(100 * busy(jobs, name))} %</dd></div>
      </dl>
      ${paused ? html`<p>Paused${paused.reason && ': ' + paused.reason}. <${Command} text=${'outpost resume --resource ' + name} /></p>` : html`<p class="quiet">To work on it: <${Command} text=${'outpost pause --resource ' + name} /></p>`}
      <ul class="plain held-by">${jobs.filter(job => job.resources.includes(name) && job.ended_at).slice(0, 5).map(job => html`<li key=${job.job_id}><${JobBadge} job=${job} /> <a href=${jobLink(job)}>${job.name}</a> <span class="quiet">${componentsOf(job)}, <${When} at=${job.ended_at} /></span></li>`)}</ul>
    </section>`;
  })}<//>`}`;
}

export function Configuration({ status }) {
  const answer = useAnswer('configuration');
  const [text, setText] = useState(''), [set, setSet] = useState(false);
  const { problem } = status.configuration;
  return html`<h1>Configuration</h1>
    ${problem && html`<div class="card alarms"><p class="bad">The files as they are now are not in force: ${problem}</p><p><${Command} text="outpost config check" /></p></div>`}
    <${Loaded} of=${answer}>${({ configuration }) => {
      const keys = configuration.keys.filter(one => (!set || one.origin) && (one.key + ' ' + one.value).toLowerCase().includes(text.toLowerCase()));
      return html`<p>In force since ${moment(configuration.since)}, read from <code>${configuration.file}</code> and <code>conf.d</code> beside it. Secrets are never shown, and of plugins only their own documents say what is one.</p>
        <div class="tools"><label>Filter <input type="search" value=${text} onInput=${event => setText(event.target.value)} /></label>
          <label><input type="checkbox" checked=${set} onChange=${event => setSet(event.target.checked)} /> only what is set</label></div>
        <div class="scroll" tabindex="0" role="region" aria-label="Configuration"><table><caption class="visually-hidden">Keys, values and where they are set</caption><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">Set in</th></tr></thead>
        <tbody>${keys.map(one => html`<tr key=${one.key}><th scope="row"><code>${one.key}</code></th><td>${one.hidden ? html`<span class="quiet">set, not shown</span>` : html`<code>${one.value}</code>`}</td><td>${one.origin || html`<span class="quiet">default</span>`}</td></tr>`)}</tbody></table></div>`;
    }}<//>`;
}
