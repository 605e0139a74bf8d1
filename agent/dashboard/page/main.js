// The frame of the page: where one is, what state the agent is in, and which screen is shown.

import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { html, Trouble } from './parts.js';
import { takeToken, useToken } from './api.js';
import { link, start, useAnswer } from './store.js';
import { Home } from './home.js';

/** Screens other than the first are read when somebody wants them; once more after the daemon was away. */
function Later({ file, name, ...given }) {
  const [part, set] = useState(null), [tries, again] = useState(0), [error, setError] = useState(null);
  useEffect(() => {
    let gone = false, timer = 0;
    // Browsers remember that an address could not be read, so each attempt has one of its own.
    import('./' + file + (tries ? '?' + tries : '')).then(module => gone || set(() => module[name]), () => {
      if (gone) return;
      setError(new Error('This screen cannot be read from the daemon; it is tried again.'));
      timer = setTimeout(() => again(tries + 1), 2000);
    });
    return () => { gone = true; clearTimeout(timer); };
  }, [tries]);
  return part ? html`<${part} ...${given} />` : html`<${Trouble} error=${error} />`;
}
const later = (file, name) => given => html`<${Later} key=${name} file=${file} name=${name} ...${given} />`;

const screens = { '': Home, tests: later('history.js', 'AllTests'), uploads: later('uploads.js', 'Uploads'), resources: later('machine.js', 'Resources'),
  plugins: later('machine.js', 'Plugins'), configuration: later('machine.js', 'Configuration'), stats: later('stats.js', 'Stats'), doctor: later('doctor.js', 'Doctor') };
const Job = later('job.js', 'Job');
const menu = [['', 'Home'], ['stats', 'Jobs'], ['tests', 'Tests'], ['uploads', 'Uploads'], ['resources', 'Resources'], ['plugins', 'Plugins'], ['doctor', 'Doctor'], ['configuration', 'Configuration']];

function useHash() {
  const [hash, set] = useState(location.hash);
  useEffect(() => {
    const changed = () => set(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash.replace(/^#\/?/, '');
}

/** Light, dark, or as the system says. */
function Theme() {
  const [theme, set] = useState(localStorage.getItem('outpost-theme') || 'auto');
  useEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem('outpost-theme', theme);
  }, [theme]);
  return html`<label class="theme"><span class="visually-hidden">Colours</span><select value=${theme} onChange=${event => set(event.target.value)}><option value="auto">auto</option><option value="light">light</option><option value="dark">dark</option></select></label>`;
}

function LogIn({ error, done }) {
  const enter = event => {
    event.preventDefault();
    useToken(event.target.elements.token.value);
    done();
  };
  return html`<main class="login"><h1>Outpost</h1><p>This page needs a token. On the machine of the agent, <code>outpost dashboard</code> prints the address with it.</p>
    <form onSubmit=${enter}><label>Address or token <input name="token" type="password" autocomplete="off" required /></label><button type="submit">Open</button></form>
    ${error.message !== 'A token is due.' && html`<${Trouble} error=${error} />`}</main>`;
}

/** What somebody has typed into the address may be no encoding at all. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function Screen({ hash, status }) {
  const [path, query] = hash.split('?'), parts = path.split('/').map(decoded);
  if (parts[0] === 'jobs' && parts[1]) return html`<${Job} key=${parts[1]} id=${parts[1]} tab=${parts[2]} step=${parts[3]} query=${query || ''} status=${status} />`;
  const Found = screens[parts[0]];
  return Found ? html`<${Found} status=${status} rest=${parts.slice(1)} query=${query || ''} />` : html`<h1>There is no such screen</h1><p><a href="#/">Home</a></p>`;
}

function App() {
  const hash = useHash(), [, redraw] = useState(0);
  const answer = useAnswer('status', { stale: event => !/^(log|task)\./.test(event.type), every: 2000 });
  const status = answer.data, offline = answer.error;
  useEffect(() => { start(() => redraw(count => count + 1)); }, []);
  const here = hash.split(/[/?]/)[0];
  useEffect(() => {
    const title = menu.find(([name]) => name === here);
    document.title = (title ? title[1] : 'Job') + ' · Outpost';
  }, [here]);
  if (offline && offline.status === 401) return html`<${LogIn} error=${offline} done=${answer.again} />`;
  return html`
    <a class="skip" href="#main" onClick=${event => { event.preventDefault(); document.getElementById('main').focus(); }}>Skip to the content</a>
    <header class="top"><a class="brand" href="#/"><img src="/page/icon.svg" alt="" width="24" height="24" /> Outpost</a>
      <nav aria-label="Screens">${menu.map(([name, title]) => html`<a key=${name} href=${'#/' + name} aria-current=${here === name ? 'page' : null}>${title}${name === '' && status && status.alarms.length > 0 && html` <span class="count" aria-label=${`${status.alarms.length} alarms`}>${status.alarms.length}</span>`}</a>`)}</nav>
      <span class=${'live ' + (offline ? 'off' : link.live ? 'on' : 'slow')} role="status">${offline ? 'no daemon' : link.live ? 'live' : 'connecting'}</span><${Theme} /></header>
    <main id="main" tabindex="-1">${offline && html`<p class="trouble" role="alert">${offline.message} What is shown is from before. <code>systemctl status outpostd</code></p>`}
      ${status ? html`<${Screen} hash=${hash} status=${status} />` : !offline && html`<p class="quiet">Loading…</p>`}</main>`;
}

takeToken();
render(html`<${App} />`, document.getElementById('root'));
