// What this viewer wants to see (live, playing or paused, where, how fast, how late), kept in the page's address.
// The server moves the cursor. Each command has a number, and the server's answer carries it: frames that arrive
// before that answer belong to the earlier position and are ignored.

import { recall, remember } from "../page/storage.js";

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16]; // times the session's own pace
export const MAX_DELAY_MS = 600000; // longer delays are cut to this
const ADDRESS_MS = 1000; // wall time between updates of the address
const FRAME_MS = 200; // of session time between two frames
const LATEST_MS = 7 * 24 * 3600000; // later session times are no moment of any session

export class Playback {
  /** `send(object)` sends a message to the server, `shown()` returns the session time on the page (ms or null). */
  constructor({ send, shown, onChange }) {
    const address = new URLSearchParams(location.search);
    this.send = send;
    this.shown = shown;
    this.onChange = onChange;
    this.session = address.get("session") || null;
    this.reveal = address.get("reveal") === "1";
    this.delay = limitDelay(address.has("delay") ? Number(address.get("delay")) * 1000 : Number(recall("delay") ?? 0));
    this.t = address.has("t") ? sessionTime(Number(address.get("t"))) : null;
    this.asked = this.t; // the time in the address, until it is known whether the session has it
    this.beyond = null; // the time in the address, if the session had ended before
    this.speed = SPEEDS.includes(Number(address.get("speed"))) ? Number(address.get("speed")) : 1;
    this.mode = this.t === null ? "live" : address.has("speed") ? "play" : "pause";
    this.id = 0; // number of the latest command
    this.waiting = null; // number of the command whose answer has not arrived yet
    this.target = this.t; // session time that this command leads to; null if only the server knows it
    this.addressAt = 0;
  }

  /** Session time (ms) of the target of an unanswered command, else of what is shown; null if unknown. */
  currentTime() {
    return (this.waiting !== null ? this.target : null) ?? this.shown() ?? this.t;
  }

  /** Query string of the websocket's address; after a lost connection it continues at the time shown last. */
  query() {
    const t = this.currentTime();
    if (this.hasPosition) this.t = t; // for the next connection, if this one ends before its first frame
    this.waiting = null;
    if (this.mode === "wait") this.mode = "live"; // until the server says again that the session has ended
    const query = new URLSearchParams();
    if (this.session) query.set("session", this.session);
    if (this.hasPosition && t !== null) query.set("at", String(Math.round(t)));
    else query.set("ended", "wait");
    if (this.mode === "play") query.set("speed", String(this.speed));
    if (this.delay && this.mode !== "pause") query.set("delay_ms", String(this.delay));
    return query.toString();
  }

  /** Whether the viewer has chosen a session time; else they follow the newest one, or wait to choose. */
  get hasPosition() {
    return this.mode === "play" || this.mode === "pause";
  }

  live() {
    this.command({ do: "live", delay_ms: this.delay });
  }

  play(t = this.currentTime(), speed = this.mode === "live" ? 1 : this.speed) {
    this.speed = speed;
    this.command({ do: "play", speed, delay_ms: this.delay, ...atTime(t) });
  }

  pause(t = this.currentTime()) {
    this.command({ do: "pause", ...atTime(t) });
  }

  toggle() {
    if (this.mode === "pause" || this.mode === "wait") this.play();
    else this.pause();
  }

  /** Go to session time `t` (ms); paused stays paused. */
  seek(t) {
    if (this.mode === "pause") this.pause(t);
    else this.play(t);
  }

  /** Seek `ms` forward, or back if negative. */
  skip(ms) {
    this.seek((this.currentTime() ?? 0) + ms);
  }

  /** Pause some frames further on, or back if negative. */
  step(frames) {
    this.pause(Math.round((this.currentTime() ?? 0) / FRAME_MS) * FRAME_MS + frames * FRAME_MS);
  }

  /** Go to where the leader begins lap `number`. */
  lap(number) {
    this.command({ do: "lap", lap: number });
  }

  /** Go up `steps` speeds in `SPEEDS`, or down if negative. */
  faster(steps) {
    const now = SPEEDS.indexOf(this.mode === "live" ? 1 : this.speed);
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, now + steps))]);
  }

  setSpeed(speed) {
    if (this.mode === "pause" || this.mode === "wait") {
      this.speed = speed;
      this.onChange();
    } else this.play(this.currentTime(), speed);
  }

  setDelay(ms) {
    this.delay = limitDelay(ms);
    remember("delay", String(this.delay));
    if (this.mode === "live") this.live();
    else if (this.mode === "play") this.play(); // the server has to know it when the viewer catches up
    else this.onChange();
  }

  /** Show or hide what happened later than the session time shown. */
  setReveal(on) {
    this.command({ do: "reveal", on });
  }

  command(fields) {
    this.id += 1;
    if (fields.do !== "reveal") {
      this.asked = this.beyond = null;
      [this.waiting, this.target] = [this.id, fields.t ?? null];
    }
    this.send({ id: this.id, ...fields });
    if (fields.do === "live" || fields.do === "play" || fields.do === "pause") this.mode = fields.do;
    this.onChange();
  }

  /** Whether frames that arrive now belong to the current position. */
  get settled() {
    return this.waiting === null;
  }

  /** Apply the server's cursor state; true if the next frames are of another session time. */
  onMoved(message) {
    if (message.id !== null && this.waiting !== null && message.id < this.waiting) return false;
    const answered = message.id !== null && message.id === this.waiting;
    if (answered) this.waiting = null;
    if (answered && message.jump) this.t = message.t; // until the next frame nothing else says where we are
    Object.assign(this, { mode: message.mode, reveal: message.reveal });
    if (message.mode === "play") this.speed = message.speed;
    this.onChange();
    return answered && message.jump;
  }

  /** Whether the session has the time in the address is known with the first status of it. */
  onStatus({ session, ended, to_ms: end }) {
    if (this.asked === null || session === null || end === null) return;
    if (ended && this.asked > end + FRAME_MS) this.beyond = this.asked;
    this.asked = null;
  }

  /** The server has refused a command: the position is unchanged. */
  onRefused(message) {
    if (message.id === this.waiting) this.waiting = null;
    this.onChange();
  }

  /** Go live in another session. */
  changeSession(session) {
    Object.assign(this, { session, mode: "live", t: null, asked: null, beyond: null, reveal: false });
    this.updateAddress(session, [], performance.now(), true);
  }

  /**
   * Update the page's address so that it leads back here, at most every `ADDRESS_MS` unless forced. `session` is the
   * key of the session shown, `drivers` the three-letter codes of the selected drivers.
   */
  updateAddress(session, drivers, now, force = false) {
    if (!force && now - this.addressAt < ADDRESS_MS) return;
    this.addressAt = now;
    const query = new URLSearchParams();
    const shown = this.session ?? (this.mode === "live" ? null : session);
    if (shown) query.set("session", shown);
    const t = this.currentTime();
    if (this.hasPosition && t !== null) query.set("t", String(Math.round(t)));
    if (this.mode === "play") query.set("speed", String(this.speed));
    if (this.mode === "live" && this.delay) query.set("delay", (this.delay / 1000).toFixed(1));
    if (drivers.length) query.set("drivers", drivers.join(","));
    if (this.reveal) query.set("reveal", "1");
    const search = query.toString().replaceAll("%2C", ",");
    if (search !== location.search.slice(1)) history.replaceState(null, "", search ? `?${search}` : location.pathname);
  }
}

function atTime(t) {
  return t == null ? {} : { t: Math.round(t) };
}

/** A session time in ms from the address; null if the server would refuse it. */
function sessionTime(ms) {
  return Number.isFinite(ms) && Math.abs(ms) <= LATEST_MS ? Math.round(ms) : null;
}

/** A delay in ms, rounded to 0.1 s and limited to 0–`MAX_DELAY_MS`; 0 if it is no number. */
function limitDelay(ms) {
  return Number.isFinite(ms) ? Math.round(Math.max(0, Math.min(MAX_DELAY_MS, ms)) / 100) * 100 : 0;
}
