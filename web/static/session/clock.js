// The page's session clock. Frames arrive in batches and at any rate (from a quarter to hundreds of times the session's
// own pace), but cars should move evenly. The clock runs at the rate of recent arrivals, a little behind the newest
// frame, and corrects its position gradually instead of jumping. All constants are wall time.

const WINDOW_MS = 3000; // arrivals within this time give the rate
const BATCH_MS = 12; // arrivals closer together than this count as one
const MIN_DELAY_MS = 250; // behind the newest frame
const MAX_DELAY_MS = 4000; // behind the newest frame, if the rate is measured
const MAX_PACED_DELAY_MS = 1000; // if the server sets the rate: four frames at a quarter of the session's pace
const SNAP_MS = 2500; // error beyond the delay; with a greater one the clock jumps to its target
const STEER_MS = 800; // time in which a small error is corrected
const MAX_STEER = 0.6; // most that the rate is changed for that, as a fraction
const STALL_MS = 2000; // a gap between arrivals longer than this, and than three usual ones, restarts the measurement
const MIN_SPAN_MS = 150; // of arrivals before the rate is measured
const PAUSE_MS = 1000; // between two calls of at(), as in a hidden tab: the clock jumps to its target

export class SessionClock {
  constructor() {
    this.reset();
  }

  /** Forget all arrivals. `pace` is the rate (session time per wall time) if the server sets it, else null. */
  reset(pace = null) {
    this.held = null; // session time of a paused clock
    this.pace = pace;
    this.points = []; // {t, wall}: the newest frame of each batch
    this.rate = pace ?? 1;
    this.playhead = null;
    this.wall = 0;
  }

  /** Pause at session time `t` (ms). */
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
      // The rate before a stall says nothing about the rate after it.
      if (last && wall - last.wall > Math.max(STALL_MS, 3 * this.longestGap())) this.points = [];
      this.points.push({ t, wall });
      while (this.points.length > 3 && wall - this.points[1].wall > WINDOW_MS) this.points.shift();
    }
    const [first, end] = [this.points[0], this.newest];
    if (this.pace === null && end.wall - first.wall >= MIN_SPAN_MS) this.rate = (end.t - first.t) / (end.wall - first.wall);
    if (this.playhead === null) [this.playhead, this.floor, this.wall] = [t, t, wall];
  }

  /** The longest wall time in ms between two arrivals in the window. */
  longestGap() {
    let longest = 0;
    for (let i = 1; i < this.points.length; i++) {
      longest = Math.max(longest, this.points[i].wall - this.points[i - 1].wall);
    }
    return longest;
  }

  /** The session time (ms) to show at wall time `wall`; null before the first frame. */
  at(wall) {
    if (this.held !== null) return this.held;
    const newest = this.newest;
    if (!newest) return null;
    const passed = Math.max(0, wall - this.wall);
    this.wall = wall;
    const delay = Math.min(this.pace === null ? MAX_DELAY_MS : MAX_PACED_DELAY_MS, Math.max(MIN_DELAY_MS, 1.25 * this.longestGap()));
    const target = this.expectedNewest(wall) - delay * this.rate;
    const error = (target - this.playhead) / this.rate; // ms of wall time
    if (Math.abs(error) > SNAP_MS + delay || passed > PAUSE_MS) {
      this.playhead = Math.max(this.floor, Math.min(target, newest.t));
    } else {
      const steer = Math.max(-MAX_STEER, Math.min(MAX_STEER, error / STEER_MS));
      this.playhead = Math.min(newest.t, this.playhead + passed * this.rate * (1 + steer));
    }
    return this.playhead;
  }

  /** The newest frame's expected session time at `wall`, by the mean of all arrivals so that one late batch has little effect. */
  expectedNewest(wall) {
    let offset = 0;
    for (const point of this.points) offset += point.t - this.rate * point.wall;
    return offset / this.points.length + this.rate * wall;
  }
}
