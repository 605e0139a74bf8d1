// What is shown, kept fresh: everybody who shows an answer of the API says what makes it stale.

import { useEffect, useRef, useState } from 'preact/hooks';
import { get, listen } from './api.js';

const listeners = new Set();

/** Whether events arrive; and whether the daemon answered when it was last asked. */
export const link = { live: false };

/** Begins to listen, once. `changed()` is called when the connection comes or goes. */
export function start(changed) {
  listen(event => listeners.forEach(tell => tell(event)), live => {
    if (link.live === live) return;
    link.live = live;
    if (live) listeners.forEach(tell => tell({ type: 'reset' }));
    changed();
  });
}

/** Calls `tell(event)` for each event while the part is shown. */
export function useEvents(tell) {
  const latest = useRef(tell);
  latest.current = tell;
  useEffect(() => {
    const listener = event => latest.current(event);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
}

/**
 * {data, error, again()} of GET `path` (null: nothing). Asked again when an event is one that `stale(event)` says yes
 * to, at most every 200 ms, and every `every` ms while the page is seen: not all that changes is an event.
 */
export function useAnswer(path, { stale = () => false, every = 0 } = {}) {
  const [answer, set] = useState({ data: null, error: null, path: null });
  const state = useRef({ asking: false, due: false, timer: 0, path });
  state.current.path = path;
  const again = async () => {
    const now = state.current;
    if (now.asking) return void (now.due = true);
    if (!now.path) return;
    now.asking = true;
    const asked = now.path;
    try {
      const data = await get(asked);
      if (asked === now.path) set({ data, error: null, path: asked });
    } catch (error) {
      if (asked === now.path) set(old => ({ data: old.path === asked ? old.data : null, error, path: asked }));
    }
    now.asking = false;
    if (now.due || asked !== now.path) {
      now.due = false;
      soon();
    }
  };
  const soon = () => {
    const now = state.current;
    if (!now.timer) now.timer = setTimeout(() => { now.timer = 0; again(); }, 200);
  };
  useEffect(() => { again(); }, [path]);
  useEffect(() => () => clearTimeout(state.current.timer), []);
  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => document.hidden || again(), every);
    return () => clearInterval(timer);
  }, [every, path]);
  useEvents(event => (event.type === 'reset' || stale(event)) && soon());
  return { ...answer, data: answer.path === path ? answer.data : null, again };
}

/** Draws again every `ms`, for what runs. */
export function useTick(ms, when = true) {
  const [, set] = useState(0);
  useEffect(() => {
    if (!when) return;
    const timer = setInterval(() => set(count => count + 1), ms);
    return () => clearInterval(timer);
  }, [ms, when]);
}

export const changesJobs = event => /^(job|claim|stage|result)\./.test(event.type);
