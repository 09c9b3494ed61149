// Laps and messages of a session, each with the session time `t` at which it became known. Every query takes a time:
// entries that became known later are excluded, so that nothing is shown before it has happened.

const OVER = ["Finished", "Finalised", "Ends"]; // statuses of a session since its chequered flag

export class History {
  constructor() {
    this.reset();
  }

  reset() {
    this.entries = []; // in the order of `t`
    this.changes = 0; // number of changes so far
    this.cache = new Map();
  }

  /** Insert entries; most are newer than all others, but laps and messages can arrive out of order. */
  add(entries) {
    for (const entry of entries) {
      if (!this.entries.length || entry.t >= this.entries.at(-1).t) this.entries.push(entry);
      else this.entries.splice(this.count(entry.t), 0, entry);
    }
    this.changes += 1;
    this.cache.clear();
  }

  /** Remove the entries that became known later than `t`. */
  forgetAfter(t) {
    this.entries.length = this.count(t);
    this.changes += 1;
    this.cache.clear();
  }

  /** Number of entries known at `t`. */
  count(t) {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle].t <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A number that changes whenever the entries known at `t` do. */
  version(t) {
    return this.count(t) * 1e6 + this.changes;
  }

  /** The messages of the given kinds known at `t`, oldest first. */
  messages(t, ...kinds) {
    return this.cached(`messages ${kinds}`, t, (known) => known.filter((entry) => kinds.includes(entry.kind)));
  }

  /** The laps known at `t`: a Map from car number to its laps in order, each in its latest version. */
  laps(t) {
    return this.cached("laps", t, (known) => {
      const cars = new Map();
      for (const entry of known) {
        if (entry.kind !== "lap") continue;
        if (!cars.has(entry.car)) cars.set(entry.car, new Map());
        cars.get(entry.car).set(entry.lap, entry);
      }
      return new Map([...cars].map(([car, laps]) => [car, [...laps.values()].sort((a, b) => a.lap - b.lap)]));
    });
  }

  /**
   * When the leader began each lap, as known at `t`: `[{lap, at}]`, `at` in session time (ms). `started` is the race's
   * `started_ms`, or null. Laps that the server estimated (`made`) are left out: their ends are not measured. After the
   * chequered flag nobody begins another lap.
   */
  lapStarts(t, started) {
    return this.cached(`starts ${started}`, t, () => {
      const ends = new Map();
      for (const laps of this.laps(t).values()) {
        for (const lap of laps) if (!lap.made && lap.end < (ends.get(lap.lap) ?? Infinity)) ends.set(lap.lap, lap.end);
      }
      const starts = started == null ? [] : [{ lap: 1, at: started }];
      for (const [lap, end] of [...ends].sort((a, b) => a[0] - b[0])) starts.push({ lap: lap + 1, at: end });
      const over = this.messages(t, "session_status").some((entry) => OVER.includes(entry.status));
      return over ? starts.filter((start) => ends.has(start.lap)) : starts;
    });
  }

  /** Periods of each track status known at `t`: `[{status, from, to}]`, in session time (ms). */
  statuses(t) {
    const messages = this.messages(t, "track_status");
    return messages.map((entry, i) => ({ status: entry.status, from: entry.session_time_ms, to: messages[i + 1]?.session_time_ms ?? t }));
  }

  /** The value of `make(entries known at t)`, computed again only when their number has changed. */
  cached(name, t, make) {
    const count = this.count(t);
    const cached = this.cache.get(name);
    if (cached?.count === count) return cached.value;
    const value = make(this.entries.slice(0, count));
    this.cache.set(name, { count, value });
    return value;
  }
}
