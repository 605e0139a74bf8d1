// What the agent does, and why it does not.

import { html, Bar, Badge, Command, Empty, JobTable, Loaded, Shown, Stages, Tests, When, componentsOf, jobLink } from './parts.js';
import { duration, kindOf, moment, size, span } from './format.js';
import { changesJobs, useAnswer, useTick } from './store.js';
import { AgentActions } from './actions.js';

const day = 24 * 3600e3;

const says = {
  idle: 'Nothing to do: it polls, and no new component has come.',
  busy: 'Jobs run.',
  degraded: 'It works, but something is in its way.',
  stopping: 'It ends its jobs and stops.',
  paused: 'It claims no jobs until it is resumed.',
  draining: 'Running jobs end, and no more are claimed.',
  drained: 'All jobs have ended, and no more are claimed.',
  unhealthy: 'It claims no jobs until the health hooks pass.',
  closed: 'It claims no jobs until the configuration is right.',
};

const State = ({ status }) => html`<section class="card state" aria-labelledby="state">
  <h2 id="state">Agent</h2>
  <p class="large"><span class=${'dot ' + status.state} aria-hidden="true"></span> ${status.state}</p>
  <p>${status.state_reason || says[status.state]}</p>
  <dl>
    <div><dt>Slots</dt><dd>${status.slots.busy} of ${status.slots.total} busy</dd></div>
    <div><dt>Up since</dt><dd>${moment(status.since)}</dd></div>
    <div><dt>Version</dt><dd>${status.version}, steps run by ${status.runner === 'local' ? 'the agent itself' : status.runner}</dd></div>
  </dl>
  <${AgentActions} status=${status} /></section>`;

function Link({ source, reporter }) {
  const broken = source.last_error || (reporter && reporter.last_error);
  return html`<li class="link">
    <p><strong>${source.name}</strong> ${broken ? html`<${Badge} kind="failure" text="no answer" />` : source.last_poll ? html`<${Badge} kind="success" text="connected" />` : html`<${Badge} kind="waiting" text="not asked yet" />`}</p>
    <p class="quiet">${source.url}</p>
    <p>Last answer ${html`<${When} at=${source.last_poll} />`}${reporter && html`; last delivery ${html`<${When} at=${reporter.last_contact} />`}`}</p>
    ${broken && html`<p class="bad">${broken}</p>`}
  </li>`;
}

const Links = ({ status }) => html`<section class="card" aria-labelledby="links">
  <h2 id="links">Control servers</h2>
  <ul class="plain">${status.sources.map(source => html`<${Link} key=${source.name} source=${source} reporter=${status.reporters.find(one => one.name === source.name)} />`)}</ul>
</section>`;

function Spool({ status }) {
  const { disk } = status;
  const waiting = status.reporters.reduce((sum, one) => sum + one.waiting, 0), parked = status.reporters.reduce((sum, one) => sum + one.parked, 0);
  return html`<section class="card" aria-labelledby="spool">
    <h2 id="spool"><a href="#/uploads">Uploads and disk</a></h2>
    <p class="large">${waiting === 0 ? 'all delivered' : waiting + ' waiting'}</p>
    ${parked > 0 && html`<p class="bad">${parked} refused by a server</p>`}
    <dl>
      <div><dt>Logs and results</dt><dd>${size(disk.spool.waiting)} of ${size(disk.spool.limit)} <${Bar} value=${disk.spool.waiting} limit=${disk.spool.limit} label="Logs and results that wait" /></dd></div>
      <div><dt>Artifacts</dt><dd>${size(disk.spool.artifacts_waiting)} of ${size(disk.spool.artifacts_limit)} <${Bar} value=${disk.spool.artifacts_waiting} limit=${disk.spool.artifacts_limit} label="Artifacts that wait" /></dd></div>
      <div><dt>Disk</dt><dd>${size(disk.free)} free of ${size(disk.total)} <${Bar} value=${disk.total - disk.free} limit=${disk.total} label="Disk that is used" /></dd></div>
    </dl></section>`;
}

const Alarms = ({ alarms }) => alarms.length > 0 && html`<section class="card alarms" aria-labelledby="alarms">
  <h2 id="alarms">Needs you</h2>
  <ul class="plain">${alarms.map(alarm => html`<li key=${alarm.key}>
    <p><strong>${alarm.kind}</strong> <span class="quiet">since ${moment(alarm.since)}</span></p>
    <p>${alarm.message}</p>
    ${alarm.fix && html`<p><${Command} text=${alarm.fix} /></p>`}
  </li>`)}</ul></section>`;

const Running = ({ jobs }) => jobs.map(job => html`<article class="card running" key=${job.job_id} aria-label=${'Job ' + job.name}>
  <h3><a href=${jobLink(job)}>${job.name}</a> <span class="quiet">${componentsOf(job)}</span></h3>
  <p class="numbers">${job.state}, for ${duration(span(job.claimed_at || job.queued_at))}${job.tests.total > 0 && html`; <${Tests} tests=${job.tests} />`}${job.workspace_bytes > 0 && `; workspace ${size(job.workspace_bytes)}`}</p>
  ${job.claim_error && html`<p class="bad">not claimed yet: ${job.claim_error}</p>`}
  <${Shown} shows=${job.shows} />
  <${Stages} job=${job} />
</article>`);

const Waiting = ({ jobs }) => jobs.length > 0 && html`<ul class="plain">${jobs.map(job => html`<li key=${job.job_id}>
  <a href=${jobLink(job)}>${job.name}</a> <span class="quiet">${componentsOf(job)}</span> waits${job.waits_for ? ': ' + job.waits_for : ', it is its turn'}</li>`)}</ul>`;

/** Who held which resource in the last 24 hours; jobs without one are in a row of their own. */
function Timeline({ status, jobs }) {
  const now = Date.now(), rows = new Map(Object.keys(status.resources).map(name => [name, []]));
  for (const job of jobs) {
    if (!job.claimed_at || (job.ended_at && now - Date.parse(job.ended_at) > day)) continue;
    for (const name of job.resources.length ? job.resources : ['no resource']) rows.set(name, [...(rows.get(name) || []), job]);
  }
  if (!rows.size) return html`<${Empty}>No resources are configured, and no job has run in the last 24 hours.<//>`;
  const at = moment => Math.max(0, (Date.parse(moment) - (now - day)) / day * 1000);
  const hours = [0, 6, 12, 18, 24].map(hour => ({ hour, x: 1000 * hour / 24 }));
  return html`<div class="timeline">${[...rows].map(([name, held]) => html`<div class="lane" key=${name}>
    <span class="lane-name">${name}<span class="visually-hidden">: ${held.length} jobs in the last 24 hours</span></span>
    <svg viewBox="0 0 1000 22" preserveAspectRatio="none" aria-hidden="true">
      <rect class="lane-ground" width="1000" height="22"></rect>
      ${hours.map(({ x }) => html`<line class="lane-hour" x1=${x} x2=${x} y1="0" y2="22"></line>`)}
      ${held.map(job => { const x = at(job.claimed_at), width = Math.max(3, (job.ended_at ? at(job.ended_at) : 1000) - x);
        return html`<a href=${jobLink(job)} tabindex="-1"><rect class=${'held ' + kindOf(job)} x=${Math.min(x, 997)} y="3" width=${width} height="16" rx="2"><title>${job.name}, ${kindOf(job)}</title></rect></a>`; })}
    </svg></div>`)}
    <div class="lane axis" aria-hidden="true"><span class="lane-name"></span><span class="hours">${hours.map(({ hour }) => html`<span>${hour === 24 ? 'now' : '−' + (24 - hour) + ' h'}</span>`)}</span></div>
  </div>`;
}

export function Home({ status }) {
  const jobs = useAnswer('jobs?limit=100', { stale: changesJobs });
  useTick(1000, status.jobs.running.length > 0);
  return html`
    <h1 class="visually-hidden">Home</h1>
    <${Alarms} alarms=${status.alarms} />
    <div class="cards"><${State} status=${status} /><${Links} status=${status} /><${Spool} status=${status} /></div>
    <section aria-labelledby="now"><h2 id="now">Now</h2>
      ${status.jobs.running.length + status.jobs.waiting.length === 0 && html`<${Empty}>No job runs or waits.<//>`}
      <${Running} jobs=${status.jobs.running} /><${Waiting} jobs=${status.jobs.waiting} /></section>
    <${Loaded} of=${jobs}>${data => html`
      <section aria-labelledby="timeline"><h2 id="timeline">Last 24 hours</h2><${Timeline} status=${status} jobs=${data.jobs} /></section>
      <section aria-labelledby="last"><h2 id="last">Last jobs</h2><${JobTable} jobs=${data.jobs.filter(job => job.ended_at).slice(0, 10)} caption="The last jobs, newest first" />
        ${data.jobs.length > 10 && html`<p><a href="#/stats">All jobs</a></p>`}</section>`}<//>`;
}
