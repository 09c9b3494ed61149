// From messages to whole snapshots: a keyframe and any one delta after it make the whole.

const STALE_MS = 5000;
const OUT_MS = 30000;
const MAX_SNAPSHOTS = 400; // snapshots; at the server's pace of 25 a second, 16 s

export class Race {
  constructor() {
    this.head = null;
    this.key = null;
    this.snapshots = []; // oldest first
  }

  /** True when this is another session or run than before: everything on the page begins anew. */
  setHead(head) {
    const other = head.session_key !== this.head?.session_key || head.epoch !== this.head?.epoch;
    this.head = head;
    if (other) this.jump();
    return other;
  }

  /** The snapshots that come next are of another place. */
  jump() {
    this.key = null;
    this.snapshots = [];
  }

  /** The merged snapshot of a frame; null when it cannot be placed or is not new. */
  addFrame(frame) {
    if (!this.head) return null;
    if (frame.kind === "key") this.key = frame;
    if (!this.key || frame.key_t !== this.key.t) return null;
    const last = this.snapshots.at(-1);
    if (last && frame.t <= last.t) return null;
    const snapshot = merge(this.key, frame);
    snapshot.head = this.head;
    this.snapshots.push(snapshot);
    if (this.snapshots.length > MAX_SNAPSHOTS) this.snapshots.shift();
    return snapshot;
  }

  /** The snapshots before and after session time `t`, and how far between: `{from, to, part}`. */
  around(t) {
    const snapshots = this.snapshots;
    if (!snapshots.length) return null;
    while (snapshots.length > 2 && snapshots[1].t <= t) snapshots.shift();
    const from = snapshots[0];
    const to = snapshots[1];
    if (!to || t <= from.t) return { from, to: from, part: 0 };
    if (to.t <= t) return { from: to, to, part: 0 };
    return { from, to, part: (t - from.t) / (to.t - from.t) };
  }
}

/** A keyframe and one delta on it. An absent field is unchanged, a null is unknown. */
export function merge(key, delta) {
  if (delta === key) return { ...key };
  const cars = { ...key.cars };
  for (const [number, changes] of Object.entries(delta.cars ?? {})) cars[number] = { ...cars[number], ...changes };
  return { ...key, ...delta, cars, race: { ...key.race, ...delta.race } };
}

const LABELS = { finished: "FINISHED", retired: "RETIRED", out: "OUT", stale: "STALE", pit: "PIT", grid: "GRID", eliminated: "OUT", running: "" };

/**
 * How a car stands: `{code, label, age}`. `age` is ms since its latest sample, `silence` ms of wall time since
 * the newest frame. A car that took the flag is finished and never stale, whatever became of its signal; so is one
 * that is out of the qualifying.
 */
export function carStatus(car, sampleAge, silence) {
  const age = sampleAge == null ? null : sampleAge + silence;
  let code = car.status ?? "running";
  if (code !== "finished" && code !== "retired" && code !== "eliminated") {
    if (age > OUT_MS) code = "out";
    else if (age > STALE_MS || (age == null && code === "running")) code = "stale";
  }
  return { code, label: LABELS[code] ?? "", age };
}

/** Ms since car `i` was last heard of; where the source has no samples of any car, their absence says nothing. */
export function signalAge(snapshot, i) {
  return snapshot.age[i] ?? (snapshot.age.every((age) => age == null) ? 0 : null);
}

/** Whether the order is by best lap, as in practice and qualifying, and not by who is ahead on track. */
export function isTimedSession(race) {
  return race.part != null;
}

/** What is left of the session at session time `t` (ms), as the feed counts it; null where it does not say. */
export function timeLeft(race, t) {
  if (race.clock_ms == null) return null;
  return race.clock_runs ? Math.max(0, race.clock_ms - (t - race.clock_at_ms)) : race.clock_ms;
}

/** Column indices of the head's cars in race order; cars without a position last, in the head's order. */
export function raceOrder(snapshot) {
  const place = (entry) => snapshot.cars[entry.driver_number]?.position || 999;
  return snapshot.head.cars.map((entry, i) => [place(entry), i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
}
