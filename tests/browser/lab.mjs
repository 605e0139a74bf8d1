// A lab of its own for the browser tests: the sample control server, outpostd with its page on TCP, and plugins whose
// hooks do what a test needs. Everything is in one directory that goes away, and every process is ended by its id.

import { spawn, execFile } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import os from 'node:os';
import path from 'node:path';

const run = promisify(execFile);
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const bin = process.env.OUTPOST_BIN || path.join(root, 'build/dev/bin');

/** Until `look()` gives something; the limit is for hangs only. */
export async function until(what, look, limit = 60000) {
  for (const end = Date.now() + limit; Date.now() < end;) {
    const found = await look();
    if (found) return found;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error('waited in vain for ' + what);
}

export const hostile = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';

const hooks = {
  pre_run: `echo "the lab is ready: $(uname -m), component $OUTPOST_COMPONENT_ACME_STORAGE_VERSION"\nprintf 'package %s \\033[32mfound\\033[0m\\n' kernel glibc openssl`,
  install: `echo "before any group"
outpost-hook group start 'Unpack the firmware'; printf 'unpacking part %d\\n' 1 2 3 4 5 6 7 8; outpost-hook group end
for n in $(seq 1 40); do printf '[%02d/40] installing acme-storage-%s\\n' $n "$OUTPOST_COMPONENT_ACME_STORAGE_VERSION"; done
printf '\\033[33mwarning:\\033[0m the firmware is older than recommended\\n'
[ ! -e "$LAB/hold" ] || { echo "waiting for the lab"; outpost-hook status "rack 1 is locked"; touch "$LAB/held"; while [ -e "$LAB/hold" ]; do [ ! -e "$LAB/say" ] || { cat "$LAB/say"; rm "$LAB/say"; }; sleep 0.05; done; }`,
  test: `case $OUTPOST_COMPONENT_ACME_STORAGE_VERSION in
  *lines*) seq -f 'line %.0f of a long log, with some words in it' 1 1000000 | sed '500000s/$/: ERROR of the array/' ;;
  *chatty*) seq -f 'line %.0f of more than is kept' 1 10000 ;;
esac
echo '${hostile.replaceAll("'", '')}'
cp "$LAB/junit-$(cat "$LAB/outcome").xml" "$OUTPOST_RESULTS/acme.xml"
mkdir -p "$OUTPOST_ARTIFACTS/report"; echo 'all figures' > "$OUTPOST_ARTIFACTS/report/figures.txt"; uname -a > "$OUTPOST_ARTIFACTS/machine.txt"`,
  collect: `printf '%s\\n' 'PLAY [collect what is left] *****' '' 'TASK [logs : fetch the journals] *****' 'ok: [node1]' 'ok: [node2]' '' 'TASK [logs : pack them] *****' 'changed: [node1]' '' 'PLAY RECAP *****' 'node1 : ok=2'; echo collected`,
};

function junit(broken) {
  const cases = [];
  for (let number = 1; number <= 60; ++number) {
    const name = number === 7 ? hostile : `volume ${number} survives a restart of its node`;
    const bad = broken && (number === 5 || number === 23);
    const inside = bad ? '<failure message="expected 4096 bytes, got 0">volume_test.py:118: AssertionError\n  read(volume, 4096) returned b""</failure>' : number % 20 === 0 ? '<skipped message="needs a second controller"/>' : '';
    cases.push(`<testcase classname="acme.volumes" name="${name.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')}" time="${(number * 0.013).toFixed(3)}">${inside}</testcase>`);
  }
  return `<?xml version="1.0"?><testsuite name="acme">${cases.join('')}</testsuite>`;
}

export class Lab {
  processes = new Map();

  static async start({ dashboard = '127.0.0.1:0' } = {}) {
    const lab = new Lab();
    lab.directory = await mkdtemp(path.join(os.tmpdir(), 'outpost-browser-'));
    lab.dashboard = dashboard;
    try {
      await lab.writePlugin();
      await lab.outcome('good');
      await lab.startServer();
      await lab.fillServer();
      await lab.configure();
      await lab.startAgent();
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  async writePlugin() {
    const plugin = path.join(this.directory, 'plugins/acme-storage/hooks');
    await mkdir(plugin, { recursive: true });
    for (const [stage, body] of Object.entries(hooks))
      await writeFile(path.join(plugin, stage.replace('_', '-')), `#!/bin/bash\nset -eu\nLAB=${this.directory}\n${body}\n`, { mode: 0o755 });
    await writeFile(path.join(this.directory, 'junit-good.xml'), junit(false));
    await writeFile(path.join(this.directory, 'junit-bad.xml'), junit(true));
  }

  outcome(word) { return writeFile(path.join(this.directory, 'outcome'), word); }
  hold() { return writeFile(path.join(this.directory, 'hold'), ''); }
  held() { return until('the hook that waits', () => readFile(path.join(this.directory, 'held'), 'utf8').then(() => true, () => false)); }
  say(text) { return writeFile(path.join(this.directory, 'say.new'), text).then(() => run('mv', [path.join(this.directory, 'say.new'), path.join(this.directory, 'say')])); }
  async letGo() { await rm(path.join(this.directory, 'hold'), { force: true }); await rm(path.join(this.directory, 'held'), { force: true }); }

  spawn(name, file, args) {
    const child = spawn(path.join(bin, file), args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.said = '';
    child.stderr.on('data', data => { child.said += data; });
    this.processes.set(name, child);
    return child;
  }

  async end(name) {
    const child = this.processes.get(name);
    this.processes.delete(name);
    if (!child || child.exitCode !== null) return;
    const gone = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 30000);
    await gone;
    clearTimeout(timer);
  }

  async startServer() {
    const file = path.join(this.directory, 'port');
    await rm(file, { force: true });
    this.spawn('server', 'outpost-sample-server', ['--listen', '127.0.0.1:' + (this.port || 0), '--data', path.join(this.directory, 'server'), '--port-file', file]);
    this.port = Number(await until('the control server', () => readFile(file, 'utf8').then(text => text.trim(), () => '')));
    this.url = 'http://127.0.0.1:' + this.port;
  }

  async post(what, body) {
    const response = await fetch(`${this.url}/api/v1/${what}`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', Authorization: 'Basic ' + btoa('admin:admin') } });
    if (!response.ok) throw new Error(`POST ${what}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async fillServer() {
    const team = (await this.post('teams', { name: 'browser-lab', country: 'CZ' })).team.id;
    const product = (await this.post('products', { name: 'ACME', label: 'ACME', description: 'A storage product' })).product.id;
    await this.post(`products/${product}/teams`, { team_id: team });
    this.topic = (await this.post('topics', { name: 'ACME-1', component_types: ['acme-storage'], product_id: product, export_control: true })).topic.id;
    this.remoteci = (await this.post('remotecis', { name: 'browser-remoteci', team_id: team })).remoteci;
  }

  /** A new version of the product, which the agent will find. */
  feed(version, name = 'ACME Storage ' + version) {
    return this.post('components', { display_name: name, version, type: 'acme-storage', topic_id: this.topic, tags: [], state: 'active' });
  }

  get file() { return path.join(this.directory, 'outpost.yml'); }

  /** `logs` is more of what the daemon is told about them; `actions`: whether the page may change something. */
  async configure(logs = '', actions = false) {
    await writeFile(path.join(this.directory, 'dcirc.sh'), `DCI_CLIENT_ID='remoteci/${this.remoteci.id}'\nDCI_API_SECRET='${this.remoteci.api_secret}'\nDCI_CS_URL='${this.url}'\n`, { mode: 0o600 });
    await writeFile(this.file, `sources:
  dci: {type: dci, url: ${this.url}, credentials: dcirc.sh, poll: 200ms}
jobs:
  - {name: acme-nightly, source: dci, topic: ACME-1, components: [acme-storage], resources: [rack1], plugins: [acme-storage], timeout: 1h}
resources:
  rack1: {hosts: [127.0.0.10]}
  rack2: {hosts: [127.0.0.11]}
runner: local
logs: {live_first: 100ms, live_longest: 500ms${logs}}
spool: {retry_first: 100ms, retry_longest: 1s}
dashboard: {listen: "${this.dashboard}", actions: ${actions}}
plugins_path: [plugins, ${root}/hooks/plugins]
state_directory: state
runtime_directory: run
`);
  }

  async startAgent() {
    const agent = this.spawn('agent', 'outpostd', ['--config', this.file]);
    await until('outpostd', () => {
      if (agent.exitCode !== null) throw new Error('outpostd ended: ' + agent.said);
      return this.outpost('status', '--json').then(() => true, () => false);
    });
    this.page = (await this.outpost('dashboard', '--print')).stdout.trim();
  }

  outpost(...args) { return run(path.join(bin, 'outpost'), [...args, '--config', this.file]); }
  async status() { return JSON.parse((await this.outpost('status', '--json')).stdout); }
  async jobs() { return JSON.parse((await this.outpost('job', 'list', '--json')).stdout).jobs; }

  /** The job that ran this version, once it has ended. */
  ended(version) {
    return until('the job of ' + version, async () => (await this.jobs()).find(job => job.ended_at && job.components.some(one => one.name.includes(version))));
  }

  async stop() {
    await this.letGo();
    for (const name of [...this.processes.keys()].reverse()) await this.end(name);
    await rm(this.directory, { recursive: true, force: true });
  }
}
