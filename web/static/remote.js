// The remote control: what this viewer wants to see, told to the server, kept in the address and remembered.
// The server moves the cursor; a button's number comes back when it has been pressed there, and what was sent
// before that belongs to the earlier place.

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
export const LONGEST_DELAY_MS = 600000;
const ADDRESS_MS = 1000; // the address follows the cursor no faster

export class Remote {
  /** `send(object)` reaches the server; `shown()` is the session time on the page; `onChange()` after each change. */
  constructor({ send, shown, onChange }) {
    const asked = new URLSearchParams(location.search);
    this.send = send;
    this.shown = shown;
    this.onChange = onChange;
    this.session = asked.get("session");
    this.reveal = asked.get("reveal") === "1";
    this.delay = limited(asked.has("delay") ? Number(asked.get("delay")) * 1000 : Number(localStorage.getItem("f1stream.delay") ?? 0));
    this.t = asked.has("t") && Number.isFinite(Number(asked.get("t"))) ? Math.round(Number(asked.get("t"))) : null;
    this.speed = SPEEDS.includes(Number(asked.get("speed"))) ? Number(asked.get("speed")) : 1;
    this.mode = this.t === null ? "live" : asked.has("speed") ? "play" : "pause";
    this.id = 0;
    this.waiting = null; // the number of the button whose effect has not come back yet
    this.wanted = this.t; // where that button leads
    this.addressAt = 0;
  }

  /** Session time of what is shown, or is to be. */
  here() {
    return (this.waiting !== null ? this.wanted : null) ?? this.shown() ?? this.t;
  }

  /** What the websocket's address asks for: after a loss of the connection, the place that was shown last. */
  query() {
    const t = this.here();
    this.waiting = null;
    const wanted = new URLSearchParams();
    if (this.session) wanted.set("session", this.session);
    if (this.mode !== "live" && t !== null) wanted.set("at", String(Math.round(t)));
    if (this.mode === "play") wanted.set("speed", String(this.speed));
    if (this.delay && this.mode !== "pause") wanted.set("delay_ms", String(this.delay));
    return wanted.toString();
  }

  live() {
    this.press({ do: "live", delay_ms: this.delay });
  }

  play(t = this.here(), speed = this.mode === "live" ? 1 : this.speed) {
    this.speed = speed;
    this.press({ do: "play", speed, delay_ms: this.delay, ...at(t) });
  }

  pause(t = this.here()) {
    this.press({ do: "pause", ...at(t) });
  }

  toggle() {
    if (this.mode === "pause") this.play();
    else this.pause();
  }

  /** Go to session time `t`, standing still or playing as now. */
  seek(t) {
    if (this.mode === "pause") this.pause(t);
    else this.play(t);
  }

  /** Stand still one frame further or back. */
  step(frames) {
    this.pause(Math.round((this.here() ?? 0) / 200) * 200 + frames * 200);
  }

  lap(number) {
    this.press({ do: "lap", lap: number });
  }

  faster(steps) {
    const now = SPEEDS.indexOf(this.mode === "live" ? 1 : this.speed);
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, now + steps))]);
  }

  setSpeed(speed) {
    if (this.mode === "pause") {
      this.speed = speed;
      this.onChange();
    } else this.play(this.here(), speed);
  }

  setDelay(ms) {
    this.delay = limited(ms);
    localStorage.setItem("f1stream.delay", String(this.delay));
    if (this.mode === "live") this.live();
    else this.onChange();
  }

  setReveal(on) {
    this.press({ do: "reveal", on });
  }

  press(button) {
    this.id += 1;
    if (button.do !== "reveal") [this.waiting, this.wanted] = [this.id, button.t ?? null];
    this.send({ id: this.id, ...button });
    if (button.do === "live" || button.do === "play" || button.do === "pause") this.mode = button.do;
    this.onChange();
  }

  /** Whether frames that come now belong to where we want to be. */
  get settled() {
    return this.waiting === null;
  }

  /** The server says how things are; true when what comes next is a snapshot of another place. */
  moved(message) {
    if (message.id !== null && this.waiting !== null && message.id < this.waiting) return false;
    const answered = message.id !== null && message.id === this.waiting;
    if (answered) this.waiting = null;
    Object.assign(this, { mode: message.mode, reveal: message.reveal });
    if (message.mode === "play") this.speed = message.speed;
    this.onChange();
    return answered && message.jump;
  }

  refused(message) {
    if (message.id === this.waiting) this.waiting = null;
    this.onChange();
  }

  /** Keep the address such that it leads here again. `session`: the one that is shown; `drivers`: three letters. */
  address(session, drivers, now, force = false) {
    if (!force && now - this.addressAt < ADDRESS_MS) return;
    this.addressAt = now;
    const kept = new URLSearchParams();
    const shown = this.session ?? (this.mode === "live" ? null : session);
    if (shown) kept.set("session", shown);
    const t = this.here();
    if (this.mode !== "live" && t !== null) kept.set("t", String(Math.round(t)));
    if (this.mode === "play") kept.set("speed", String(this.speed));
    if (this.mode === "live" && this.delay) kept.set("delay", (this.delay / 1000).toFixed(1));
    if (drivers.length) kept.set("drivers", drivers.join(","));
    if (this.reveal) kept.set("reveal", "1");
    const search = kept.toString().replaceAll("%2C", ",");
    if (search !== location.search.slice(1)) history.replaceState(null, "", search ? `?${search}` : location.pathname);
  }
}

function at(t) {
  return t == null ? {} : { t: Math.round(t) };
}

function limited(ms) {
  return Number.isFinite(ms) ? Math.round(Math.max(0, Math.min(LONGEST_DELAY_MS, ms)) / 100) * 100 : 0;
}
