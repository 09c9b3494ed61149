// What was told of the session besides its snapshots: laps and messages, each with the time at which it became known.
// Whoever asks says for which time: what was known later does not exist for them.

export class History {
  constructor() {
    this.reset();
  }

  reset() {
    this.entries = []; // in order of t
    this.changes = 0;
    this.cache = new Map();
  }

  take(entries) {
    for (const entry of entries) {
      if (!this.entries.length || entry.t >= this.entries.at(-1).t) this.entries.push(entry);
      else this.entries.splice(this.count(entry.t), 0, entry);
    }
    this.changes += 1;
    this.cache.clear();
  }

  /** Forget what became known later than `t`. */
  forget(t) {
    this.entries.length = this.count(t);
    this.changes += 1;
    this.cache.clear();
  }

  /** How many entries were known at `t`. */
  count(t) {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle].t <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Another number whenever something else is known at `t`. */
  version(t) {
    return this.count(t) * 1e6 + this.changes;
  }

  /** The messages of some kinds known at `t`, oldest first. */
  messages(t, ...kinds) {
    return this.kept(`messages ${kinds}`, t, (known) => known.filter((entry) => kinds.includes(entry.kind)));
  }

  /** The laps known at `t`: a Map of car numbers to laps in order, each as it was told last. */
  laps(t) {
    return this.kept("laps", t, (known) => {
      const cars = new Map();
      for (const entry of known) {
        if (entry.kind !== "lap") continue;
        if (!cars.has(entry.car)) cars.set(entry.car, new Map());
        cars.get(entry.car).set(entry.lap, entry);
      }
      return new Map([...cars].map(([car, laps]) => [car, [...laps.values()].sort((a, b) => a.lap - b.lap)]));
    });
  }

  /** When the leader began each lap, as known at `t`: `[{lap, at}]`. `started`: the race's `started_ms`, or null. */
  lapStarts(t, started) {
    return this.kept(`starts ${started}`, t, () => {
      const ends = new Map();
      for (const laps of this.laps(t).values()) {
        for (const lap of laps) if (!lap.made && lap.end < (ends.get(lap.lap) ?? Infinity)) ends.set(lap.lap, lap.end);
      }
      const starts = started == null ? [] : [{ lap: 1, at: started }];
      for (const [lap, end] of [...ends].sort((a, b) => a[0] - b[0])) starts.push({ lap: lap + 1, at: end });
      return starts;
    });
  }

  /** Stretches of the track status known at `t`: `[{status, from, to}]`. */
  statuses(t) {
    const told = this.messages(t, "track_status");
    return told.map((entry, i) => ({ status: entry.status, from: entry.session_time_ms, to: told[i + 1]?.session_time_ms ?? t }));
  }

  kept(name, t, make) {
    const count = this.count(t);
    const kept = this.cache.get(name);
    if (kept?.count === count) return kept.value;
    const value = make(this.entries.slice(0, count));
    this.cache.set(name, { count, value });
    return value;
  }
}
