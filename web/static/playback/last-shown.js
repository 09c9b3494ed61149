// Where the viewer was in each session: remembered in the browser, so that a session can be resumed.

import { recall, remember } from "../page/storage.js";

const STORED = "last-shown";
const MOST = 30; // sessions that are remembered; the one not watched for longest is forgotten first
const EVERY_MS = 5000; // wall time between two writes

export class LastShown {
  constructor() {
    this.session = null; // the session that this page has shown last
    this.t = null; // the session time (ms) of it that was on the screen last
    this.storedAt = 0; // performance.now()
    addEventListener("pagehide", () => this.store());
    document.addEventListener("visibilitychange", () => document.hidden && this.store());
  }

  /** Session time `t` (ms) of a session is on the screen; `now` is performance.now(). */
  note(session, t, now) {
    if (session !== this.session) this.storedAt = now;
    Object.assign(this, { session, t });
    if (now - this.storedAt < EVERY_MS) return;
    this.storedAt = now;
    this.store();
  }

  /** The viewer opens a session again: it does not continue where this page has left it. */
  leave() {
    this.store();
    this.session = this.t = null;
  }

  /** The session time (ms) of a session that this browser has shown last; null if it has shown none. */
  of(session) {
    const t = session === this.session ? this.t : read().find(([key]) => key === session)?.[1];
    return Number.isFinite(t) ? t : null;
  }

  store() {
    if (this.session === null) return;
    const others = read().filter(([key]) => key !== this.session);
    remember(STORED, JSON.stringify([...others, [this.session, Math.round(this.t)]].slice(-MOST)));
  }
}

/** `[[session key, t], …]`, the session watched last at the end. */
function read() {
  try {
    const stored = JSON.parse(recall(STORED));
    return Array.isArray(stored) ? stored.filter(Array.isArray) : [];
  } catch {
    return [];
  }
}
