// Where cars are at any session time. A frame has each car's latest sample, which is up to a quarter of a second older
// than the frame and of another age in each: drawn as if it were of the frame's time, cars stand still and jump. Here
// each car has a timeline of its samples at their own times. Between two of them it moves by its speed, and its
// positions correct that gradually: the speed between two positions is wrong by 15 m/s (standard deviation), because
// they are noisy. Lengths are in 1/10 m, speeds in 1/10 m per ms.

export const LAG_MS = 225; // cars are drawn so much behind the clock, so that most have a sample after that moment

const KMH = 1 / 360; // in 1/10 m per ms
const SETTLE_MS = 1500; // in which positions correct most of the difference to what the speed has added up to,
const SETTLE_OFF_MS = 400; // and the same in the pit lane and off the line
const GATE = 400; // a position further from where the speed puts the car is doubted,
const STRIKES = 5; // until so many are, one after the other,
const LOST_MS = 2000; // or the car had no sample for this long
const STEP = 10; // a car that moved less has kept its direction
const ON_TRACK = 800; // a car further from the line than this is off it
const BEYOND_MS = 1500; // a car moves on at its speed for this long after its latest sample
const SHAPED_MS = 600; // between samples further apart than this a car moves evenly

export class Motion {
  constructor() {
    this.reset();
  }

  reset() {
    this.timelines = new Map(); // by car number: points, see follow(), the oldest first
    this.newest = null; // the last snapshot taken
    this.drawn = -Infinity; // the session time last asked for
  }

  /** Take the samples of those `snapshots` that are newer than the last one taken; an older one begins again. */
  take(track, snapshots) {
    const last = snapshots.at(-1);
    if (!last || (last === this.newest && track === this.track)) return;
    if (track !== this.track || last.head !== this.newest?.head || last.t < this.newest.t) this.reset();
    this.track = track;
    for (const snapshot of snapshots) {
      if (snapshot.t <= this.newest?.t || snapshot.head !== last.head) continue; // another head may have other columns
      snapshot.head.cars.forEach(({ driver_number: number }, i) => this.takeSample(snapshot, number, i));
      this.newest = snapshot;
    }
  }

  takeSample({ t, x, y, age, speed, cars }, number, i) {
    if (x[i] == null || y[i] == null) {
      this.timelines.delete(number);
      return;
    }
    let timeline = this.timelines.get(number) ?? [];
    const sample = { t: t - (age[i] ?? 0), x: x[i], y: y[i], speed: Math.max(0, speed[i] ?? 0) * KMH };
    const last = timeline.at(-1);
    if (last && sample.t <= Math.max(last.t, this.drawn)) return; // the same again, or older than what was drawn
    if (last && this.drawn > last.t) { // the car was drawn beyond its latest sample: continue from there, unless it was lost
      timeline = sample.t - last.t > LOST_MS ? [] : [...timeline, beyond(this.track, last, this.drawn)];
    }
    timeline.push(follow(this.track, timeline.at(-1), sample, cars[number]?.status === "pit"));
    this.timelines.set(number, timeline);
  }

  /** The places at session time `t` (ms): `{x, y}` by car number. */
  places(t) {
    this.drawn = t;
    const places = {};
    for (const [number, timeline] of this.timelines) {
      while (timeline.length > 2 && timeline[2].t <= t) timeline.shift();
      places[number] = place(this.track, timeline, t);
    }
    return places;
  }
}

/**
 * The next point of a timeline: `{t, x, y, ux, uy, speed, along, aside, strikes, sample}` with its direction as a unit
 * vector. `along` is the distance on the line, which goes on growing after a lap; null in the pit lane and off the line.
 */
function follow(track, last, sample, inPit) {
  const point = { ...sample, ux: 0, uy: 0, along: null, aside: null, strikes: 0, sample };
  const elapsed = last && sample.t - last.t;
  const way = last && ((last.speed + sample.speed) / 2) * elapsed;
  const on = !inPit && track?.project(sample.x, sample.y);
  if (on && Math.abs(on.aside) < ON_TRACK) {
    Object.assign(point, on);
    if (last && last.along !== null) correct(point, last, last.along + way, elapsed, track.length);
    return Object.assign(point, track.place(point.along, point.aside));
  }
  if (!last) return point;
  const [dx, dy] = [sample.x - last.sample.x, sample.y - last.sample.y];
  const moved = Math.hypot(dx, dy);
  [point.ux, point.uy] = moved > STEP ? [dx / moved, dy / moved] : [last.ux, last.uy];
  const share = settled(elapsed, SETTLE_OFF_MS);
  const mixed = (reckoned, measured) => reckoned + share * (measured - reckoned);
  return Object.assign(point, { x: mixed(last.x + point.ux * way, sample.x), y: mixed(last.y + point.uy * way, sample.y) });
}

/** Correct how far along the line a point is: where the speed since the `last` one puts it, drawn to its own position. */
function correct(point, last, reckoned, elapsed, length) {
  const off = ((((point.along - reckoned + length / 2) % length) + length) % length) - length / 2;
  const doubted = Math.abs(off) > GATE && elapsed <= LOST_MS;
  point.strikes = doubted ? last.strikes + 1 : 0;
  point.along = reckoned + (doubted && point.strikes < STRIKES ? 0 : settled(elapsed, SETTLE_MS) * off);
}

/** The share of a difference that is corrected after `ms`: most of it in `time`. */
function settled(ms, time) {
  return ms > LOST_MS ? 1 : 1 - Math.exp(-ms / time);
}

/** The place of a car with a timeline at session time `t` (ms). */
function place(track, timeline, t) {
  let i = timeline.length - 1;
  while (i > 0 && timeline[i].t > t) i -= 1;
  const [a, b] = [timeline[i], timeline[i + 1]];
  if (t <= a.t) return xy(a);
  if (!b) return xy(beyond(track, a, t));
  const part = (t - a.t) / (b.t - a.t);
  if (a.along === null || b.along === null) return { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
  return xy(track.place(a.along + way(a, b, part), a.aside + (b.aside - a.aside) * part));
}

/** The way along the line from `a`, of which `part` (0 to 1) of the time to `b` has passed: with an even acceleration. */
function way(a, b, part) {
  const [time, whole] = [b.t - a.t, b.along - a.along];
  const correction = whole / time - (a.speed + b.speed) / 2; // of the speed, by the positions
  if (time > SHAPED_MS || Math.min(a.speed, b.speed) + correction < 0) return whole * part;
  return (a.speed + correction + ((b.speed - a.speed) / 2) * part) * part * time;
}

/** The point at `t` (ms), after the last one, whose speed and direction the car keeps. */
function beyond(track, last, t) {
  const way = last.speed * Math.min(t - last.t, BEYOND_MS);
  if (last.along === null) return { ...last, t, x: last.x + last.ux * way, y: last.y + last.uy * way };
  return { ...last, t, along: last.along + way, ...track.place(last.along + way, last.aside) };
}

function xy({ x, y }) {
  return { x, y };
}
