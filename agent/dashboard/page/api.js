// What the page asks the daemon. On the unix socket everybody who may connect is let in; on TCP a token is due, which
// comes in the fragment of the address (it never gets to a server, nor to another page) and is kept for this tab.

const key = 'outpost-token';
let session = '';

/** An answer that is none: `status` is 0 when nobody answered. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Takes the token out of the address, so that it is neither seen nor kept in the history. */
export function takeToken() {
  const found = /^#token=([0-9a-f]+)/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(key, found[1]);
  history.replaceState(null, '', location.pathname);
}

export function useToken(token) {
  sessionStorage.setItem(key, token.trim().replace(/^.*#token=/, ''));
  session = '';
}

async function logIn() {
  const token = sessionStorage.getItem(key);
  if (!token) throw new ApiError(401, 'A token is due.');
  const response = await send('/api/v1/login', { method: 'POST', body: JSON.stringify({ token }) });
  if (!response.ok) throw await problemOf(response);
  session = (await response.json()).session;
}

async function send(path, options = {}) {
  const headers = { ...options.headers };
  if (session) headers.Authorization = 'Bearer ' + session;
  try {
    return await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The daemon does not answer.');
  }
}

async function problemOf(response) {
  let message = response.status + ' ' + response.statusText;
  try {
    message = (await response.json()).error.message;
  } catch { /* The status has to do. */ }
  return new ApiError(response.status, message);
}

/** The response; after a restart of the daemon the token gets a new session. */
export async function ask(path, options) {
  if (!session && sessionStorage.getItem(key)) await logIn();
  let response = await send('/api/v1/' + path, options);
  if (response.status === 401) {
    await logIn();
    response = await send('/api/v1/' + path, options);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export const get = async (path, options) => (await ask(path, options)).json();

/** Has something changed; what the daemon answers. Its Content-Type is one that no form of another page can send. */
export const post = async (path, body = {}) => (await ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })).json();

/** Saves a file as `name`. */
export async function save(path, name) {
  const url = URL.createObjectURL(await (await ask(path)).blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name.split('/').pop();
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/**
 * Server-sent events, by fetch because EventSource cannot say who it is. Calls `told({type, ...})` for each, `up(bool)`
 * when the connection comes and goes; tries again for ever.
 */
export async function listen(told, up) {
  let last = '', pause = 500;
  for (;;) {
    try {
      const response = await ask('stream', { headers: last ? { 'Last-Event-ID': last } : {} });
      up(true);
      pause = 500;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const fields = Object.fromEntries(text.slice(0, end).split('\n').map(line => {
            const colon = line.indexOf(': ');
            return [line.slice(0, colon), line.slice(colon + 2)];
          }));
          text = text.slice(end + 2);
          if (fields.id) last = fields.id;
          if (fields.event === 'reset') told({ type: 'reset' });
          else if (fields.data && fields.event !== 'hello') told(JSON.parse(fields.data));
        }
      }
    } catch { /* It is tried again. */ }
    up(false);
    await new Promise(resolve => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 10000);
  }
}
