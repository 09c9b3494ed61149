// A session clock of our own that follows the arrivals. Frames arrive in batches and at any pace (a quarter
// to hundreds of times the session's); cars should move evenly. So the clock runs at the rate seen lately,
// a little behind the newest frame, and steers towards that place gently instead of jumping.

const WINDOW_MS = 3000; // of wall time, for the rate
const BATCH_MS = 12; // arrivals closer than this are one
const DELAY_MS = 250; // of wall time behind the newest frame, at least
const LONGEST_DELAY_MS = 4000;
const PACED_DELAY_MS = 1000; // at most, when the server paces: four frames at a quarter of the session's pace
const SNAP_MS = 2500; // of wall time: further away than this the clock jumps

export class SessionClock {
  constructor() {
    this.reset();
  }

  /** Begin anew; `pace` is the session's rate where it is known, else null. */
  reset(pace = null) {
    this.held = null;
    this.pace = pace;
    this.points = []; // {t, wall}: the newest frame of each batch
    this.rate = pace ?? 1;
    this.playhead = null;
    this.wall = 0;
  }

  /** Stand still at session time `t`. */
  hold(t) {
    this.held = this.playhead = t;
  }

  get newest() {
    return this.points.at(-1) ?? null;
  }

  /** A frame of session time `t` arrived at wall time `wall` (both ms). */
  arrived(t, wall) {
    const last = this.newest;
    if (last && t <= last.t) return;
    if (last && wall - last.wall < BATCH_MS) {
      last.t = t;
    } else {
      // After a stall the pace before it says nothing about the pace now.
      if (last && wall - last.wall > Math.max(2000, 3 * this.longestGap())) this.points = [];
      this.points.push({ t, wall });
      while (this.points.length > 3 && wall - this.points[1].wall > WINDOW_MS) this.points.shift();
    }
    const [first, end] = [this.points[0], this.newest];
    if (this.pace === null && end.wall - first.wall >= 150) this.rate = (end.t - first.t) / (end.wall - first.wall);
    if (this.playhead === null) [this.playhead, this.floor, this.wall] = [t, t, wall];
  }

  longestGap() {
    let longest = 0;
    for (let i = 1; i < this.points.length; i++) {
      longest = Math.max(longest, this.points[i].wall - this.points[i - 1].wall);
    }
    return longest;
  }

  /** The session time to show at wall time `wall`; null before the first frame. */
  at(wall) {
    if (this.held !== null) return this.held;
    const newest = this.newest;
    if (!newest) return null;
    const passed = Math.max(0, wall - this.wall);
    this.wall = wall;
    const delay = Math.min(this.pace === null ? LONGEST_DELAY_MS : PACED_DELAY_MS, Math.max(DELAY_MS, 1.25 * this.longestGap()));
    const target = this.edge(wall) - delay * this.rate;
    const error = (target - this.playhead) / this.rate; // ms of wall time
    if (Math.abs(error) > SNAP_MS + delay || passed > 1000) {
      this.playhead = Math.max(this.floor, Math.min(target, newest.t));
    } else {
      const steer = Math.max(-0.6, Math.min(0.6, error / 800));
      this.playhead = Math.min(newest.t, this.playhead + passed * this.rate * (1 + steer));
    }
    return this.playhead;
  }

  /** Where the session is by now, by the mean of the arrivals: one late batch does not shake it. */
  edge(wall) {
    let offset = 0;
    for (const point of this.points) offset += point.t - this.rate * point.wall;
    return offset / this.points.length + this.rate * wall;
  }
}
