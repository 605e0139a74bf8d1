// The page in a real browser, with a real daemon, control server and jobs behind it. Nothing here waits for a time to
// pass; what took how long is printed, and no test fails because a machine is slow.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { Lab, hostile, root, until } from './lab.mjs';
import { mistakes } from './schema.mjs';

const shots = path.join(root, 'build/screenshots');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const document = JSON.parse(await readFile(path.join(root, 'agent/control/openapi.json'), 'utf8'));
let lab, browser, jobs = {}, session;
const said = [];  // By the browser's console, of what should not happen.

const figure = (name, value) => console.log(`FIGURE ${name}: ${value}`);

async function open(hash = '#/', options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 }, colorScheme: 'light', reducedMotion: 'reduce', ...options });
  page.setDefaultTimeout(60000);
  page.on('pageerror', error => said.push(error.message));
  page.on('console', message => message.type() === 'error' && !/Failed to load resource/.test(message.text()) && said.push(message.text()));
  if (process.env.PAGE_DIR) await page.route(/\/page\/.*(js|css)$/, route => route.fulfill({ path: process.env.PAGE_DIR + new URL(route.request().url()).pathname.slice(5) }));
  await page.goto(lab.page);
  await page.waitForSelector('main h2, main h1');
  if (hash !== '#/') await go(page, hash);
  return page;
}
const go = (page, hash) => page.evaluate(to => { location.hash = to; }, hash);
const text = (page, wanted, where = 'main') => page.locator(where).getByText(wanted).first().waitFor();

/** GET or another request on TCP, or on the unix socket, as a program would make it; {status, headers, body}. */
function raw(target, { method = 'GET', headers = {}, body, socket } = {}) {
  const { hostname, port } = new URL(lab.page), to = socket ? { socketPath: socket } : { hostname, port };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...to, path: target, method, headers, insecureHTTPParser: true }, response => {
      let all = '';
      response.on('data', data => { all += data; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: all }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
const token = () => lab.page.split('#token=')[1];
const authorized = headers => ({ Authorization: 'Bearer ' + session, ...headers });
async function logIn() {
  session = JSON.parse((await raw('/api/v1/login', { method: 'POST', body: JSON.stringify({ token: token() }) })).body).session;
}
async function api(target) {
  const { status, body } = await raw('/api/v1/' + target, { headers: authorized() });
  assert.equal(status, 200, target + ': ' + body);
  return JSON.parse(body);
}

before(async () => {
  await mkdir(shots, { recursive: true });
  lab = await Lab.start();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  await lab.feed('1.0');
  jobs.good = await lab.ended('1.0');
  await lab.outcome('bad');
  await lab.feed('1.1', 'ACME Storage 1.1 ' + hostile);
  jobs.bad = await lab.ended('1.1');
  await lab.outcome('good');
  await lab.feed('1.2-lines');
  jobs.lines = await lab.ended('1.2-lines');
  await logIn();
});

after(async () => {
  if (browser) await browser.close();
  if (lab) await lab.stop();
});

test('the address lets in, and the token leaves it', async () => {
  const page = await open();
  assert.equal(new URL(page.url()).hash, '');
  await text(page, 'ACME Storage 1.0');
  await page.close();
});

test('without a token nothing is shown, with one that is typed everything', async () => {
  const page = await browser.newPage();
  await page.goto(lab.page.split('#')[0]);
  await page.getByLabel('Address or token').fill('0000');
  await page.getByRole('button', { name: 'Open' }).click();
  await text(page, 'the token is wrong', '.login');
  await page.getByLabel('Address or token').fill(lab.page);
  await page.getByRole('button', { name: 'Open' }).click();
  await text(page, 'ACME Storage 1.0');
  await page.close();
});

test('a job shows its verdict and why, its stages, tests and artifacts', async () => {
  const page = await open('#/jobs/' + jobs.bad.job_id);
  await text(page, 'tests-failed');
  await text(page, /2 of 60 cases failed/);
  await text(page, 'install');
  await page.getByRole('link', { name: 'Tests', exact: true }).last().click();
  await text(page, 'new failure');
  await text(page, 'volume 23 survives');
  await page.getByRole('link', { name: 'Artifacts' }).click();
  await text(page, 'report/figures.txt');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'save report/figures.txt' }).click()]);
  assert.equal(await readFile(await download.path(), 'utf8'), 'all figures\n');
  await page.close();
});

test('what happens is seen at once, in the list, in the job and in its log', async () => {
  const page = await open();
  await text(page, 'No job runs or waits.');
  await lab.hold();
  await lab.feed('2.0');
  await page.locator('article.running .stage.running', { hasText: 'install' }).waitFor();
  await lab.held();
  await page.getByRole('link', { name: 'acme-nightly' }).first().click();
  await page.locator('nav.tabs').getByRole('link', { name: 'Log' }).click();
  await text(page, 'waiting for the lab');
  const began = Date.now();
  await lab.say('words that were just printed\n');
  await text(page, 'words that were just printed');
  figure('from a hook printing a line to the line being seen, ms', Date.now() - began);
  await page.screenshot({ path: path.join(shots, 'log-live.png') });
  await go(page, '#/');
  await page.locator('article.running').waitFor();
  await page.locator('article.running .shown', { hasText: 'rack 1 is locked' }).waitFor();
  await page.screenshot({ path: path.join(shots, 'home.png') });
  const dark = await open('#/', { colorScheme: 'dark' });
  await dark.locator('article.running').waitFor();
  await dark.screenshot({ path: path.join(shots, 'home-dark.png') });
  await dark.close();
  const live = page.locator('tr', { hasText: 'ACME Storage 2.0' }).getByText('success').waitFor();
  await lab.letGo();
  await live;
  const ended = (await lab.ended('2.0')).ended_at;
  figure('from the end of a job to its row, ms, at most', Date.now() - Date.parse(ended));
  await page.close();
});

test('what a job takes of the machine is seen while it runs, and kept', async () => {
  const page = await open();
  await lab.hold();
  await lab.feed('2.0-usage');
  await lab.held();
  await page.locator('article.running').getByRole('link', { name: 'acme-nightly' }).click();
  await page.getByRole('img', { name: /^Memory over the time of the job, at most \d/ }).waitFor();
  const id = (await page.evaluate(() => location.hash)).split('/')[2];
  const samples = async () => (await api(`jobs/${id}/usage`)).usage.steps.find(step => step.step_id.startsWith('install'))?.samples || [];
  await until('two samples', async () => (await samples()).length >= 2);
  await page.getByRole('img', { name: /^Processor over the time of the job/ }).waitFor();
  await page.screenshot({ path: path.join(shots, 'job-running.png'), fullPage: true });
  await lab.letGo();
  await lab.ended('2.0-usage');
  const [[began, cpu, memory, processes]] = await samples();
  assert.ok(began > Date.now() - 600e3 && began <= Date.now());
  assert.ok(memory > 100e3 && memory < 1e9 && processes >= 1 && cpu >= 0, JSON.stringify([cpu, memory, processes]));
  jobs.used = (await lab.jobs()).find(job => job.job_id === id);
  await page.locator('[aria-label="What each step took"] tr', { hasText: 'install' }).waitFor();
  assert.ok(await page.locator('.usage .band').count() >= 4, 'stages lie behind it');
  await page.close();
});

test('with the control server gone the page goes on, says so, and says when it is back', async () => {
  const page = await open();
  await lab.hold();
  await lab.feed('2.1');
  await lab.held();
  await page.locator('article.running').waitFor();
  await lab.end('server');
  await text(page, 'no answer');
  await lab.letGo();
  await page.locator('tr', { hasText: 'ACME Storage 2.1' }).getByText('success').waitFor();
  await go(page, '#/uploads');
  await text(page, /\d+ waiting/);
  await page.locator('table tbody tr').first().waitFor();
  await page.screenshot({ path: path.join(shots, 'uploads-server-gone.png') });
  await lab.startServer();
  await text(page, 'all delivered');
  await go(page, '#/');
  await text(page, 'connected');
  await page.close();
});

test('the doctor says what is wrong where the daemon is, and looks again', async () => {
  const page = await open('#/doctor');
  const status = page.locator('.tools [role=status]');
  await status.getByText(/\d+ failures?, \d+ warnings?, \d+ passed/).waitFor();
  assert.equal(await page.locator('table.checks tbody tr').count(), 26);
  const verdict = name => page.locator('table.checks tr', { hasText: name }).first();
  await verdict('D01').getByText('fine').waitFor();
  await verdict('D07').getByText('dci knows us as remoteci/').waitFor();
  const { doctor } = await api('doctor?max_age=3600');
  assert.equal(await verdict('D10').locator('td').nth(1).textContent(), doctor.report.checks.find(one => one.id === 'D10').measured.replaceAll('\n', ''));
  // Something goes wrong: what was found before stays until the next look, which somebody asks for.
  await rename(path.join(lab.directory, 'dcirc.sh'), path.join(lab.directory, 'away.sh'));
  await until('the time between two looks', async () => (await api('doctor?max_age=0')).doctor.running);
  await page.getByRole('button', { name: 'Look again' }).click();
  await verdict('D01').getByText('failure').waitFor();
  await text(page, 'outpost config check');
  await page.getByLabel('Show').selectOption('what is wrong');
  await verdict('D01').waitFor();
  assert.equal(await page.locator('table.checks .badge.success').count(), 0);
  await page.screenshot({ path: path.join(shots, 'doctor-failure.png') });
  await rename(path.join(lab.directory, 'away.sh'), path.join(lab.directory, 'dcirc.sh'));
  await page.close();
});

test('a job is compared with the last good one: tests that became bad, and durations', async () => {
  const page = await open(`#/jobs/${jobs.bad.job_id}/compare`);
  await page.getByRole('heading', { name: 'Became bad 2' }).waitFor();
  const broken = page.locator('.result', { hasText: 'Became bad' });
  await broken.getByText('volume 5 survives a restart of its node').waitFor();
  await broken.getByText('volume 23 survives a restart of its node').waitFor();
  await page.locator('tr', { hasText: 'verdict' }).getByText('success').waitFor();
  await page.locator('strong', { hasText: 'ACME Storage 1.1' }).waitFor();
  const install = page.locator('section[aria-labelledby=took] tr.of-stage', { hasText: 'install' });
  assert.match(await install.locator('td').first().textContent(), /\d (ms|s)/);
  // From the other side it is fixed.
  await go(page, `#/jobs/${jobs.lines.job_id}/compare?with=${jobs.bad.job_id}`);
  await page.getByRole('heading', { name: 'Fixed 2' }).waitFor();
  await page.getByLabel('Compare with').selectOption(jobs.good.job_id);
  await text(page, 'Every case came to the same end in both jobs.');
  await go(page, `#/jobs/${jobs.good.job_id}/compare`);
  await text(page, 'There is no earlier job of this name');
  await page.close();
});

test('a test has its history over the jobs, and one that passes and fails with the same components is flaky', async () => {
  await lab.outpost('job', 'retry', jobs.bad.job_id);
  await until('the job that is run again', async () => (await lab.jobs()).filter(job => job.ended_at && job.components.some(one => one.name.includes('1.1'))).length === 2);
  const page = await open('#/tests');
  await page.getByRole('link', { name: 'Each case over the last jobs' }).click();
  await page.locator('.tools [role=status]').getByText(/^2 of 60 cases/).waitFor();
  const row = page.locator('tr', { hasText: 'volume 23 survives' });
  await row.getByText(/failed in 1 of \d/).waitFor();
  await row.getByText('flaky').waitFor();
  await page.screenshot({ path: path.join(shots, 'tests-history.png') });
  await page.getByLabel('Show').selectOption('all');
  await page.locator('main').getByText(hostile).first().waitFor();
  await row.getByRole('link').click();
  await text(page, /\d of \d times passed/);
  await page.locator('.plot canvas').waitFor();
  assert.equal(await page.locator('section tbody tr, main tbody tr').filter({ hasText: 'failed' }).count(), 1);
  await page.locator('summary', { hasText: 'expected 4096 bytes, got 0' }).click();
  await text(page, 'volume_test.py:118');
  await page.screenshot({ path: path.join(shots, 'test-history.png') });
  // It is found from the job, too.
  await go(page, `#/jobs/${jobs.bad.job_id}/tests`);
  await page.getByRole('link', { name: 'history of volume 5 survives a restart of its node' }).click();
  await text(page, /\d of \d times passed/);
  await page.close();
});

test('statistics tell product from lab, how far durations are apart, and when the lab is busy', async () => {
  const page = await open('#/stats');
  await text(page, /Of \d+ jobs 1 failed because of the product, 0 because of the lab/);
  await page.locator('tr', { hasText: 'tests-failed in test' }).waitFor();
  const spread = page.locator('[aria-label=Spread] tr', { hasText: 'whole job' });
  assert.match(await spread.textContent(), /(ms|s)/);
  assert.equal(await page.locator('table.heat tbody td').count(), 7 * 24);
  assert.ok(await page.locator('table.heat .h4').count() > 0, 'there is an hour in which it was busy');
  await page.close();
});

async function stepOf(job, stage) {
  return (await api('jobs/' + job.job_id)).job.steps.find(step => step.stage === stage).step_id;
}

test('a log of 1,000,000 lines is opened, scrolled, searched, and linked into', async () => {
  const step = await stepOf(jobs.lines, 'test'), hash = `#/jobs/${jobs.lines.job_id}/log/${step}`;
  const page = await open();
  const began = Date.now();
  await go(page, hash);
  await text(page, 'line 1 of a long log');
  figure('1,000,000 lines, from the click to the first line, ms', Date.now() - began);
  await text(page, /1,000,00\d lines/);
  const scrolling = await page.evaluate(async () => {
    const box = document.querySelector('.log-box');
    const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
    await frame();
    const from = performance.now();
    for (let count = 0; count < 60; ++count) {
      box.scrollTop += 3000;
      await frame();
    }
    return { fps: Math.round(60000 / (performance.now() - from)), rows: document.querySelectorAll('.log-row').length };
  });
  figure('frames a second while the log is scrolled', scrolling.fps);
  assert.ok(scrolling.rows < 120, 'only what is seen is in the page');
  await page.locator('.log-box').press('End');
  await text(page, 'line 1000000 of a long log');
  await page.locator('.log-box').press('/');
  await page.keyboard.type('LINE 765432 of');
  await page.keyboard.press('Enter');
  await text(page, '1 of 1', '.found');
  await page.locator('.log-row.chosen').getByText('765432').first().waitFor();
  await page.screenshot({ path: path.join(shots, 'log.png') });
  await go(page, hash + '?line=499999');
  await page.locator('.log-row.chosen', { hasText: 'line 499999 of' }).waitFor();
  // Beside it the error is where it is, and a click goes where it points.
  const marks = await page.evaluate(() => {
    const map = document.querySelector('.log-map'), { data } = map.getContext('2d').getImageData(map.width - 2, 0, 1, map.height);
    return Array.from({ length: map.height }, (_, y) => y).filter(y => data[4 * y + 3] > 200 && data[4 * y] > data[4 * y + 2] + 60).map(y => y / map.height);
  });
  assert.ok(marks.length > 0 && marks.every(at => Math.abs(at - 0.5) < 0.02), 'marks of errors: ' + marks);
  await page.getByRole('button', { name: 'Next error' }).click();
  await page.locator('.log-row.chosen', { hasText: 'line 500000 of a long log, with some words in it: ERROR' }).waitFor();
  await page.screenshot({ path: path.join(shots, 'log-map.png') });
  const { height } = await page.locator('.log-map').boundingBox();
  await page.locator('.log-map').click({ position: { x: 8, y: 0.9 * height } });
  await text(page, /^line (89|90)\d{4} of a long log/);
  const memory = await page.evaluate(() => performance.memory && performance.memory.usedJSHeapSize);
  if (memory) figure('JavaScript memory of the page with this log, MiB', (memory / 2 ** 20).toFixed(1));
  await page.close();
});

test('parts of a log are folded by group and by task, and a whole job by step', async () => {
  const page = await open(`#/jobs/${jobs.good.job_id}/log/${await stepOf(jobs.good, 'install')}`);
  const fold = page.getByRole('button', { name: /^fold Unpack the firmware, \d+ lines/ });
  await fold.waitFor();
  await text(page, 'unpacking part 5');
  assert.equal(await fold.getAttribute('aria-expanded'), 'true');
  await fold.press('Enter');
  await page.locator('.log-row', { hasText: 'unpacking part 5' }).waitFor({ state: 'detached' });
  assert.equal(await fold.getAttribute('aria-expanded'), 'false');
  await text(page, '[03/40] installing');
  // A search, and a link, find what is folded.
  await page.getByLabel('Search in the log').fill('unpacking part 6');
  await page.keyboard.press('Enter');
  await page.locator('.log-row.chosen', { hasText: 'unpacking part 6' }).waitFor();
  await page.screenshot({ path: path.join(shots, 'log-folds.png') });
  await go(page, `#/jobs/${jobs.good.job_id}/log/${await stepOf(jobs.good, 'collect')}`);
  await page.getByRole('button', { name: /^fold logs : fetch the journals, 4 lines/ }).waitFor();
  await page.getByRole('button', { name: 'Fold all' }).click();
  await page.locator('.log-row', { hasText: 'ok: [node2]' }).waitFor({ state: 'detached' });
  await page.getByRole('combobox', { name: /^Part/ }).selectOption({ label: '\u00a0\u00a0logs : pack them' });
  await page.getByRole('button', { name: 'Unfold' }).click();
  await text(page, 'ok: [node2]');
  await page.getByRole('link', { name: /^whole job/ }).click();
  await page.getByRole('button', { name: 'Open all' }).click();
  await page.locator('section[aria-label^="Step pre-run"] .log-row', { hasText: 'the lab is ready' }).waitFor();
  await page.locator('section[aria-label^="Step collect"] .log-row', { hasText: 'collected' }).waitFor();
  await page.getByRole('button', { name: /install/ }).first().click();
  await page.locator('.log-row', { hasText: 'unpacking part 5' }).waitFor({ state: 'detached' });
  const rows = await page.evaluate(async () => {
    const { Rows, foldsOf } = await import('/page/folds.js');
    const marks = [[0, 'play', 'a'], [2, 'task', 't'], [5, 'group', 'g'], [6, 'task', 'in it'], [9, 'end', ''], [12, 'task', 'u'], [20, 'play', 'b']].map(([line, kind, name]) => ({ line, kind, name }));
    const folds = foldsOf(marks, 25), rows = new Rows(25, folds, new Set([2, 12, 6]));
    return { ends: folds.map(fold => fold.name + ' ' + fold.end), seen: Array.from({ length: rows.count }, (_, row) => rows.lineAt(row)), back: [0, 2, 7, 12, 15, 24].map(line => rows.rowOf(line)) };
  });
  assert.deepEqual(rows.ends, ['a 20', 't 12', 'g 10', 'in it 10', 'u 20', 'b 25']);
  assert.deepEqual(rows.seen, [0, 1, 2, 12, 20, 21, 22, 23, 24]);
  assert.deepEqual(rows.back, [0, 2, 2, 3, 3, 8]);
  await page.close();
});

test('what hooks, tests and servers say is text, whatever is in it', async () => {
  const page = await open('#/jobs/' + jobs.bad.job_id + '/tests');
  await page.getByLabel('Show').selectOption('all');
  await page.locator('main').getByText(hostile).first().waitFor();
  await go(page, `#/jobs/${jobs.bad.job_id}/log/${await stepOf(jobs.bad, 'test')}`);
  await page.locator('.log-row', { hasText: '<script>' }).first().waitFor();
  await go(page, '#/');
  await page.locator('td', { hasText: '<img src=x' }).first().waitFor();
  for (const screen of ['#/stats', '#/tests', '#/resources']) {
    await go(page, screen);
    await page.locator('main').getByText('<img src=x').first().waitFor();
  }
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator('main img, main script').count(), 0);
  await page.close();
});

test('a page of another origin can neither read nor log in', async () => {
  const page = await browser.newPage();  // What its console says is as it should be.
  const evil = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<h1>evil</h1>'));
  await new Promise(resolve => evil.listen(0, '127.0.0.1', resolve));
  await page.goto(`http://127.0.0.1:${evil.address().port}/`);
  const tried = await page.evaluate(async ([base, bearer, secret]) => {
    const attempt = async (target, options) => { try { return (await fetch(base + target, options)).status; } catch { return 'kept out'; } };
    return [await attempt('api/v1/status'), await attempt('api/v1/status', { headers: { Authorization: 'Bearer ' + bearer } }),
      await attempt('api/v1/login', { method: 'POST', body: JSON.stringify({ token: secret }) }), await attempt('page/main.js')];
  }, [lab.page.split('#')[0], session, token()]);
  assert.deepEqual(tried, Array(4).fill('kept out'));
  evil.close();
  await page.close();
});

test('over the wire: no token, other names, other origins, other paths, changes', async () => {
  const { host } = new URL(lab.page);
  const status = async (target, options) => (await raw(target, options)).status;
  assert.equal(await status('/api/v1/status'), 401);
  assert.equal(await status('/api/v1/status', { headers: { Authorization: 'Bearer ' + token() } }), 401);
  assert.equal(await status('/api/v1/status', { headers: authorized() }), 200);
  assert.equal(await status('/api/v1/status', { headers: authorized({ Host: 'evil.example' }) }), 421);
  assert.equal(await status('/', { headers: { Host: 'evil.example' } }), 421);
  assert.equal(await status('/api/v1/status', { headers: authorized({ Origin: 'http://evil.example' }) }), 403);
  assert.equal(await status('/api/v1/status', { headers: authorized({ Origin: 'http://' + host }) }), 200);
  assert.equal(await status('/api/v1/status', { headers: authorized({ 'Sec-Fetch-Site': 'cross-site' }) }), 403);
  assert.equal(await status('/api/v1/drain', { method: 'POST', headers: authorized() }), 403);
  assert.equal(await status('/api/v1/dashboard', { headers: authorized() }), 403);
  for (const target of ['/api/v1/jobs/../../../etc/passwd', '/api/v1/jobs/%2e%2e/logs/x', '/api/v1/jobs/%2e%2e%2f%2e%2e/logs/x', '/api/v1/jobs/..%5c../tests', '/page/..%2f..%2f..%2fetc%2fpasswd', '//etc/passwd', '/page/%00'])
    assert.equal(await status(target, { headers: authorized() }), 404, target);
  const page = await raw('/');
  assert.match(page.headers['content-security-policy'], /^default-src 'none'/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  assert.equal(page.headers['set-cookie'], undefined);
  const artifact = (await api(`jobs/${jobs.bad.job_id}/artifacts`)).artifacts[0];
  const file = await raw(`/api/v1/jobs/${jobs.bad.job_id}/artifacts/${artifact.id}`, { headers: authorized() });
  assert.equal(file.headers['content-disposition'], 'attachment');
  assert.match(file.headers['content-security-policy'], /sandbox/);
});

test('real answers are as openapi.json says', async () => {
  const step = await stepOf(jobs.bad, 'test');
  const asked = { '/api/v1/status': '', '/api/v1/jobs': '', '/api/v1/jobs/{job}': '', '/api/v1/claims': '', '/api/v1/spool': '', '/api/v1/reporters': '', '/api/v1/reporters/{reporter}/parked': '', '/api/v1/reporters/{reporter}/waiting': '',
    '/api/v1/jobs/{job}/logs/{step}': '?lines=5', '/api/v1/jobs/{job}/logs/{step}/index': '', '/api/v1/jobs/{job}/logs/{step}/search': '?q=e', '/api/v1/jobs/{job}/logs/{step}/sections': '', '/api/v1/jobs/{job}/usage': '', '/api/v1/jobs/{job}/tests': '', '/api/v1/jobs/{job}/artifacts': '', '/api/v1/plugins': '', '/api/v1/configuration': '', '/api/v1/doctor': '?max_age=3600' };
  const notJson = ['/api/v1/stream', '/api/v1/jobs/{job}/tests/{id}', '/api/v1/jobs/{job}/artifacts/{id}', '/api/v1/dashboard'];
  for (const [name, methods] of Object.entries(document.paths)) {
    if (!methods.get || notJson.includes(name)) continue;
    assert.ok(name in asked, name + ' is asked for here too');
    const target = name.replace('/api/v1/', '').replace('{job}', jobs.bad.job_id).replace('{step}', step).replace('{reporter}', 'dci') + asked[name];
    assert.deepEqual(mistakes(await api(target), methods.get.responses['200'].content['application/json'].schema, document, name), []);
  }
  const refused = await raw('/api/v1/jobs/nobody', { headers: authorized() });
  assert.equal(refused.status, 404);
  assert.deepEqual(mistakes(JSON.parse(refused.body), { $ref: '#/components/schemas/Error' }, document), []);
});

test('a job says which hooks it has passed over, and why', async () => {
  const page = await open();
  await page.route('**/api/v1/jobs/' + jobs.good.job_id, async route => {
    const response = await route.fetch(), body = await response.json();
    body.job.skipped = [{ stage: 'install', plugin: 'acme-storage', hook: 'install/20-disk', reason: 'topic: ACME-1 matches none of OCP-*' }];
    await route.fulfill({ response, json: body });
  });
  await go(page, '#/jobs/' + jobs.good.job_id);
  const row = page.getByRole('row', { name: 'skipped: topic: ACME-1 matches none of OCP-*' });
  await row.waitFor();
  assert.match(await row.textContent(), /^\s*acme-storage \/ install\/20-disk/);
  await page.close();
});

test('secrets are in no answer', async () => {
  for (const target of ['status', 'configuration', 'plugins', 'jobs', 'jobs/' + jobs.good.job_id, 'reporters'])
    assert.ok(!JSON.stringify(await api(target)).includes(lab.remoteci.api_secret), target);
});

test('everything can be done with the keyboard', async () => {
  const page = await open();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  const tabTo = async wanted => {
    for (let count = 0; count < 80; ++count) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate(() => ({ text: (document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim(), outline: getComputedStyle(document.activeElement).outlineStyle }));
      if (focused.text !== wanted) continue;
      assert.notEqual(focused.outline, 'none', 'it is seen where one is');
      return;
    }
    assert.fail('no way to ' + wanted + ' by Tab');
  };
  await tabTo('acme-nightly');
  await page.keyboard.press('Enter');
  await page.locator('.job-head').waitFor();
  await tabTo('Log');
  await page.keyboard.press('Enter');
  await page.locator('.log-row').first().waitFor();
  await tabTo('Find');
  await tabTo('Follow');
  await page.keyboard.press('Space');
  assert.equal(await page.getByRole('button', { name: 'Follow' }).getAttribute('aria-pressed'), 'true');
  await page.close();
});

test('no screen has serious violations of accessibility, light, dark or narrow, or is wider than its window', async () => {
  const bad = '#/jobs/' + jobs.bad.job_id;
  const screens = { home: '#/', job: bad, 'job-usage': '#/jobs/' + jobs.used.job_id, log: `${bad}/log/${await stepOf(jobs.bad, 'install')}`, 'log-whole': bad + '/log?all=1', tests: bad + '/tests', artifacts: bad + '/artifacts', compare: bad + '/compare', jobs: '#/stats', 'all-tests': '#/tests', 'tests-of-name': '#/tests/acme-nightly', doctor: '#/doctor', uploads: '#/uploads', resources: '#/resources', plugins: '#/plugins', configuration: '#/configuration' };
  const whole = ['compare', 'jobs', 'job-usage'];  // More of these than a window shows is worth a look.
  const looks = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' }, narrow: { colorScheme: 'light', viewport: { width: 400, height: 800 } } };
  for (const [look, options] of Object.entries(looks)) {
    const page = await open('#/', options);
    for (const [name, hash] of Object.entries(screens)) {
      await go(page, hash);
      await page.waitForFunction(() => document.querySelector('main h1, main h2') && !/Loading…/.test(document.querySelector('main').textContent));
      if (name === 'jobs') await page.locator('.plot canvas').waitFor();
      if (name === 'job-usage') await page.locator('.usage svg').first().waitFor();
      if (name === 'compare') await page.locator('.result').first().waitFor();
      if (name === 'tests-of-name') await page.locator('.squares').first().waitFor();
      if (name === 'doctor') await page.locator('table.checks').waitFor();
      if (!['home', 'log'].includes(name)) await page.screenshot({ path: path.join(shots, `${name}${look === 'light' ? '' : '-' + look}.png`), fullPage: whole.includes(name) });
      if (look === 'narrow' && ['home', 'jobs'].includes(name)) {
        await page.locator('table.jobs tbody tr').first().waitFor();
        const overflows = await page.locator('table.jobs').evaluate(table => [...table.querySelectorAll('td')].filter(cell => cell.getBoundingClientRect().right > table.parentElement.getBoundingClientRect().right || cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent));
        assert.deepEqual(overflows, [], `${name}: jobs are a list on a narrow page, nothing of which is out of sight`);
        await page.locator('table.jobs').screenshot({ path: path.join(shots, `${name}-table-narrow.png`) });
      }
      // Not addScriptTag(): the policy of the page, rightly, does not allow it.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      const serious = violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')}`);
      assert.deepEqual(serious, [], `${name}, ${look}`);
      const { scrollWidth, clientWidth } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth }));
      // A pixel may come of rounding.
      assert.ok(scrollWidth <= clientWidth + 1, `${name} is ${scrollWidth} wide, its window ${clientWidth} (${look})`);
    }
    await page.close();
  }
});

test('a restart of the daemon is seen, and outlived', async () => {
  const page = await open();
  const port = new URL(lab.page).port;
  await lab.end('agent');
  await text(page, 'The daemon does not answer.');
  await go(page, '#/plugins');
  if (!process.env.PAGE_DIR) await text(page, 'This screen cannot be read from the daemon');
  lab.dashboard = '127.0.0.1:' + port;
  await lab.configure();
  await lab.startAgent();
  await page.locator('.live.on').waitFor();
  await page.locator('main > .trouble').waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /^acme-storage/ }).waitFor();
  await page.close();
});

test('what is missing of a log is marked where it is missing', async () => {
  await logIn();  // The daemon was started again, and knows nobody any more.
  await lab.configure(', step_limit: 64KiB');
  await lab.outpost('reload');
  await lab.feed('1.9-chatty');
  const job = await lab.ended('1.9-chatty');
  const page = await open(`#/jobs/${job.job_id}/log/${await stepOf(job, 'test')}`);
  await text(page, 'line 1 of more than is kept');
  assert.equal(await page.locator('.log-row.gap').count(), 0);
  await page.locator('.log-box').press('End');
  const gap = page.locator('.log-row.gap');
  await gap.waitFor();
  assert.match(await gap.textContent(), /\[gap: \d+ bytes, the step's limit of 64[.]0 KiB of output is reached\]/);
  await lab.configure();
  await lab.outpost('reload');
  await page.close();
});

test('where the configuration says so the page changes what it may, after a question, and it is noted who asked', async () => {
  const plain = await open();
  await text(plain, 'Agent');
  assert.equal(await plain.getByRole('group', { name: 'Actions' }).count(), 0, 'it only shows unless it is told otherwise');
  await plain.close();
  await lab.end('agent');
  await lab.configure('', true);
  await lab.startAgent();
  await logIn();
  const page = await open();
  const act = async (name, answer = name) => {
    await page.getByRole('button', { name, exact: true }).first().click();
    await page.getByRole('dialog', { name: name + '?' }).getByRole('button', { name: answer, exact: true }).click();
  };
  await act('Pause', 'No');
  assert.equal((await lab.status()).state, 'idle');
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByRole('dialog').getByLabel('Why').fill('new switch ' + hostile);
  await page.screenshot({ path: path.join(shots, 'action.png') });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.screenshot({ path: path.join(shots, 'action-dark.png') });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => one.id), []);
  await page.keyboard.press('Tab');  // From the text to "No", and on.
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.locator('.state .large', { hasText: 'paused' }).waitFor();
  await text(page, 'new switch <img');
  assert.equal((await lab.status()).claims.paused[0].reason, 'new switch ' + hostile);
  await lab.hold();
  await lab.feed('3.0');
  await page.locator('li', { hasText: 'ACME Storage 3.0' }).getByRole('link', { name: 'acme-nightly' }).click();
  await act('Hold');
  await page.getByRole('button', { name: 'Release', exact: true }).waitFor();
  await act('Release');
  await page.getByRole('button', { name: 'Hold', exact: true }).waitFor();
  await go(page, '#/');
  await act('Resume');
  await lab.held();
  await page.locator('article.running').getByRole('link', { name: 'acme-nightly' }).click();
  await act('Cancel job');
  await page.locator('h1 .badge', { hasText: 'killed' }).waitFor();
  await lab.letGo();
  await lab.ended('3.0');
  const before = await page.evaluate(() => location.hash);
  await act('Run again');
  await page.waitForFunction(old => location.hash !== old, before);
  await until('the job that was run again', async () => (await lab.jobs()).filter(job => job.ended_at && job.components.some(one => one.name === 'ACME Storage 3.0')).length === 2);
  await go(page, '#/');
  await act('Drain');
  await page.locator('.state .large', { hasText: 'drained' }).waitFor();
  await act('Resume');
  await page.locator('.state .large', { hasText: 'idle' }).waitFor();
  await act('Poll now');
  await text(page, '✓ asked for');
  const { said: log } = lab.processes.get('agent');
  for (const what of ['poll', 'pause', 'drain', 'resume', 'jobs/*/hold', 'jobs/*/release', 'jobs/*/cancel', 'jobs/*/retry']) assert.ok(log.includes('page asked for ' + what), what + ' is noted');
  await page.close();

  // Over the wire: only this page, and only what it may.
  const { host } = new URL(lab.page);
  const change = async (target, headers) => (await raw('/api/v1/' + target, { method: 'POST', body: '{}', headers: authorized({ Origin: 'http://' + host, 'Content-Type': 'application/json', ...headers }) })).status;
  assert.equal(await change('poll'), 202);
  for (const headers of [{ Origin: 'http://evil.example' }, { Origin: 'null' }, { Origin: '' }, { 'Content-Type': 'text/plain' }, { 'Content-Type': 'application/x-www-form-urlencoded' }, { 'Sec-Fetch-Site': 'same-site' }])
    assert.equal(await change('drain', headers), 403, JSON.stringify(headers));
  assert.equal(await change('drain', { Authorization: 'Bearer ' + token() }), 401);
  for (const target of ['reload', 'spool/prune', 'spool/export', 'reporters/dci/forget', 'alarms/acknowledge']) assert.equal(await change(target), 403, target);
  assert.equal((await raw('/api/v1/drain', { headers: authorized() })).status, 405);
  const { state } = await lab.status();
  assert.equal(state, 'idle', 'nothing of that has changed anything');
});

test('figures: the size of the page', async () => {
  const dashboard = path.join(root, 'agent/dashboard');
  const files = ['page', 'vendor/preact', 'vendor/htm', 'vendor/uplot'].map(async folder => (await readdir(path.join(dashboard, folder))).filter(name => /[.](js|mjs|css|html|svg)$/.test(name)).map(name => path.join(dashboard, folder, name)));
  const sizes = await Promise.all((await Promise.all(files)).flat().map(async file => gzipSync(await readFile(file)).length));
  figure('the whole page, compressed, kB (300 at most)', (sizes.reduce((sum, size) => sum + size, 0) / 1000).toFixed(1));
});

test('figures: first paint, and what five open pages cost the daemon', async () => {
  const warm = await open();
  const paints = [];
  for (let count = 0; count < 5; ++count) {
    await warm.reload();
    await warm.waitForSelector('h2#last');
    paints.push(await warm.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
  }
  figure('first paint on loopback, ms, median of 5', Math.round(paints.sort((a, b) => a - b)[2]));
  await warm.close();
  const pid = lab.processes.get('agent').pid;
  const memory = async () => Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
  const idle = await memory(), pages = [];
  for (const hash of ['#/', '#/stats', '#/uploads', '#/jobs/' + jobs.bad.job_id, `#/jobs/${jobs.lines.job_id}/log/${await stepOf(await relogged(jobs.lines), 'test')}`]) pages.push(await open(hash));
  for (const page of pages) await page.locator('.live.on').waitFor();
  const open5 = await memory();
  figure('memory of the daemon, MiB, before and with five pages open (8 more at most)', `${idle.toFixed(1)} and ${open5.toFixed(1)}: ${(open5 - idle).toFixed(1)} more`);
  for (const page of pages) await page.close();
});

/** After a restart sessions are new. */
async function relogged(job) {
  await logIn();
  return job;
}

/** Which of the paths that change something have given an answer that is as openapi.json says: a good one, a bad one. */
const changes = { good: new Set(), bad: new Set() };

/** Asks on the unix socket, or with `headers` on TCP; the body of an answer with this status, as openapi.json says. */
async function changed(target, status, body, { headers, method = 'POST' } = {}) {
  const text = typeof body === 'string' ? body : body && JSON.stringify(body);
  const answer = await raw('/api/v1/' + target, { method, body: text, ...(headers ? { headers } : { socket: path.join(lab.directory, 'run/api.sock'), headers: { Host: 'localhost' } }) });
  const what = `${method} ${target} ${text || ''} ${headers ? 'on TCP' : ''}: ${answer.body}`;
  assert.equal(answer.status, status, what);
  const given = ('/api/v1/' + target.split('?')[0]).split('/');
  const [name, { post }] = Object.entries(document.paths).find(([name, methods]) => methods.post && name.split('/').length === given.length && name.split('/').every((part, index) => part.startsWith('{') || part === given[index]));
  const said = post.responses[status] || post.responses.default;
  if (method === 'POST') changes[said === post.responses.default ? 'bad' : 'good'].add(name);
  const [type, { schema }] = Object.entries(said.content)[0];
  assert.equal(answer.headers['content-type'], type, what);
  if (type !== 'application/json') return answer.body;
  const parsed = JSON.parse(answer.body);
  assert.deepEqual(mistakes(parsed, schema, document, name), [], what);
  return parsed;
}

test('answers to what changes something are as openapi.json says, on the unix socket', async () => {
  await lab.hold();
  await changed('jobs', 400, {});
  await changed('jobs', 400, 'not json');
  await changed('jobs', 404, { name: 'nobody' });
  const { job_id: first } = await changed('jobs', 202, { name: 'acme-nightly' });
  await lab.held();
  const { job_id: second } = await changed('jobs', 202, { name: 'acme-nightly' });
  await changed(`jobs/${first}/hold`, 409, {});
  await changed(`jobs/${first}/retry`, 409);
  await changed(`jobs/${second}/release`, 409);
  await changed(`jobs/${second}/hold`, 200, { reason: 'not yet' });
  await changed(`jobs/${second}/release`, 200);
  await changed(`jobs/${second}/cancel`, 202, { reason: 'enough' });
  await changed('jobs/nobody/cancel', 404);
  await changed('poll', 202);

  await changed('pause', 404, { source: 'nobody' });
  await changed('pause', 400, '[]');
  await changed('pause', 200, { reason: 'new switch' });
  await changed('resume', 200, { all: true });
  await changed('resume', 409, {});
  await changed('drain', 400, 'not json');
  await changed('drain', 200, { reason: 'new switch' });
  await changed('resume', 200);

  await changed('reload', 200);
  const configuration = await readFile(lab.file, 'utf8');
  await writeFile(lab.file, configuration + 'colour: blue\n');
  const { error } = await changed('reload', 422);
  assert.match(error.problems.join(' '), /colour/);
  const { alarms: [alarm] } = await lab.status();
  await changed('alarms/acknowledge', 200, { key: alarm.key });
  await changed('alarms/acknowledge', 404, { key: alarm.key });
  await changed('alarms/acknowledge', 400);
  await writeFile(lab.file, configuration);
  await changed('reload', 200);

  await changed('spool/flush', 404, { reporter: 'nobody' });
  await changed('spool/flush', 202);
  await changed('spool/prune', 400, { older_than: -1 });
  await changed('spool/prune', 200, { dry_run: true });
  await changed('spool/prune', 200, { dry_run: true, waiting: true });
  await changed('spool/confirm', 400, 'no receipt');
  await changed('reporters/nobody/forget', 404);
  await changed('reporters/dci/forget', 409, {});
  await changed('reporters/dci/retry', 202);
  await changed('reporters/dci/retry', 404, { items: ['nobody'] });

  // Without a server something waits, and is exported.
  await lab.end('server');
  await lab.letGo();
  await until('something that waits', async () => (await lab.status()).reporters[0].waiting > 0);
  await changed('jobs', 504, { name: 'acme-nightly' });
  await changed('spool/export?limit=1', 400);
  await changed('spool/export', 200);
  await lab.startServer();
  await until('the end of the job', async () => (await lab.jobs()).find(job => job.job_id === first).ended_at);
  await until('all to be delivered', async () => (await lab.status()).reporters[0].waiting === 0);
  const { job_id: third } = await changed(`jobs/${first}/retry`, 202);
  await until('the end of the job', async () => (await lab.jobs()).find(job => job.job_id === third).ended_at);
  for (const name of ['jobs/x/cancel', 'jobs/x/hold', 'poll', 'pause', 'reload', 'spool/export', 'spool/flush', 'alarms/acknowledge', 'reporters/dci/retry']) await changed(name, 405, undefined, { method: 'GET' });
});

test('answers to what changes something are as openapi.json says, on TCP', async () => {
  await logIn();
  const { host } = new URL(lab.page), headers = authorized({ Host: host, Origin: 'http://' + host, 'Content-Type': 'application/json' });
  const asked = (target, status, body, more) => changed(target, status, body, { headers: { ...headers, ...more } });
  await asked('pause', 200, { reason: 'new switch' });
  await asked('resume', 200, { all: true });
  await asked('resume', 409, {});
  await asked('poll', 202);
  await asked('jobs', 404, { name: 'nobody' });
  await asked('jobs/nobody/cancel', 404);
  await asked('spool/flush', 202);
  // Who it is, where it comes from, and what may not be changed here.
  await asked('pause', 401, {}, { Authorization: 'Bearer guess' });
  await asked('pause', 403, {}, { Origin: 'http://evil.example' });
  await asked('pause', 421, {}, { Host: 'evil.example:8420' });
  for (const name of ['reload', 'spool/prune', 'spool/export', 'spool/confirm', 'reporters/dci/forget', 'reporters/dci/retry', 'alarms/acknowledge']) await asked(name, 403, {});
  // Logging in; its limit is what the last test may meet.
  await asked('login', 200, { token: token() });
  await asked('login', 400, 'x'.repeat(5000));
  await asked('login', 401, 'not json');
  for (let count = 0; count < 9; ++count) await asked('login', 401, { token: 'guess' });
  await asked('login', 429, { token: token() });
});

test('of everything that changes something a good and a bad answer were seen', () => {
  const elsewhere = ['/api/v1/spool/confirm', '/api/v1/reporters/{reporter}/forget'];  // Good ones need a lab of another kind: tests/daemon.
  const all = Object.entries(document.paths).filter(([, methods]) => methods.post).map(([name]) => name);
  assert.deepEqual(all.filter(name => !changes.bad.has(name)), ['/api/v1/poll'], 'nothing can be wrong with a poll but who asks for it');
  assert.deepEqual(all.filter(name => !changes.good.has(name)).sort(), elsewhere.sort());
  assert.deepEqual(Object.values(document.paths).flatMap(methods => Object.keys(methods)).filter(method => !['get', 'post'].includes(method)), []);
});

test('the browser had nothing to complain about', () => assert.deepEqual(said.filter(one => !/net::ERR_|Failed to fetch/.test(one)), []));
