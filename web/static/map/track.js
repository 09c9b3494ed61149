// The track's reference line, and where a car is between two frames. Lengths are in 1/10 m, as in the feed.

const ON_TRACK = 800; // a car further from the line than this is moved straight, not along the line
const LONG_MS = 600; // session time between two frames; above this a car moves along the line, not straight through a corner
const BACKWARDS = 0.1; // fraction of a lap; a car that is further back than this has crossed the finish line

export class Track {
  /** `outline` is a list of points [x, y] in driving direction; the last one connects to the first. */
  constructor(outline) {
    this.points = outline;
    this.lengths = [0]; // along the line up to each point
    for (let i = 0; i < outline.length; i++) {
      const [a, b] = [outline[i], outline[(i + 1) % outline.length]];
      this.lengths.push(this.lengths[i] + Math.hypot(b[0] - a[0], b[1] - a[1]));
    }
    this.length = this.lengths.at(-1);
  }

  /** The nearest place on the line: `{along, aside}`; `aside` is the distance from it, positive to the left. */
  project(x, y) {
    let best = Infinity;
    let found = null;
    const n = this.points.length;
    for (let i = 0; i < n; i++) {
      const [ax, ay] = this.points[i];
      const [bx, by] = this.points[(i + 1) % n];
      const [dx, dy] = [bx - ax, by - ay];
      const square = dx * dx + dy * dy || 1;
      const part = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / square));
      const [ex, ey] = [x - ax - part * dx, y - ay - part * dy];
      const distance = ex * ex + ey * ey;
      if (distance < best) {
        best = distance;
        const side = dx * ey - dy * ex >= 0 ? 1 : -1;
        found = { along: this.lengths[i] + part * Math.sqrt(square), aside: side * Math.sqrt(distance) };
      }
    }
    return found;
  }

  /** The point at `along` and `aside`: `{x, y, ux, uy}` with the line's direction there as a unit vector. */
  place(along, aside) {
    const s = ((along % this.length) + this.length) % this.length;
    let [low, high] = [0, this.points.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lengths[middle] <= s) low = middle;
      else high = middle - 1;
    }
    const [ax, ay] = this.points[low];
    const [bx, by] = this.points[(low + 1) % this.points.length];
    const length = this.lengths[low + 1] - this.lengths[low] || 1;
    const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
    const d = s - this.lengths[low];
    return { x: ax + ux * d - uy * aside, y: ay + uy * d + ux * aside, ux, uy };
  }
}

const RADIUS = 3000;

/** A ring that stands for a lap's time, clockwise from the top, for sources without positions. */
export const RING = new Track(
  Array.from({ length: 180 }, (_, i) => [RADIUS * Math.sin((i * Math.PI) / 90), RADIUS * Math.cos((i * Math.PI) / 90)]),
);

/** Whether cars are placed by `along` (estimated fraction of a lap's time, 1/10,000) because there are no positions. */
export function isEstimated(snapshot) {
  return Boolean(snapshot.along?.length) && !snapshot.head.outline && snapshot.x.every((x) => x == null);
}

/** The place of car `i` on the ring between two snapshots; null if it is unknown. */
export function ringPosition(from, to, i, part) {
  const [a, b] = [from.along[i], to.along?.[i]];
  if (a == null) return null;
  const way = b == null ? 0 : (((b - a) % 10000) + 10000) % 10000;
  const ahead = way < 5000 ? way * part : 0; // a step backwards is a corrected estimate
  const { x, y } = RING.place(((a + ahead) / 10000) * RING.length, 0);
  return { x, y };
}

/** The place of car `i` between two snapshots: `{x, y}`; null if it is unknown. */
export function carPosition(track, from, to, i, part) {
  const [ax, ay, bx, by] = [from.x[i], from.y[i], to.x[i], to.y[i]];
  if (ax == null || ay == null) return bx == null || by == null || part < 0.5 ? null : { x: bx, y: by };
  if (part === 0 || bx == null || by == null) return { x: ax, y: ay };
  if (track && to.t - from.t > LONG_MS) {
    const [a, b] = [projected(track, from, i), projected(track, to, i)];
    if (Math.abs(a.aside) < ON_TRACK && Math.abs(b.aside) < ON_TRACK) {
      let way = b.along - a.along;
      if (way < -BACKWARDS * track.length) way += track.length; // a smaller step backwards is noise
      const { x, y } = track.place(a.along + way * part, a.aside + (b.aside - a.aside) * part);
      return { x, y };
    }
  }
  return { x: ax + (bx - ax) * part, y: ay + (by - ay) * part };
}

/** A car's projection, stored in the snapshot because it is used for many drawn frames. */
function projected(track, snapshot, i) {
  snapshot.places ??= [];
  return (snapshot.places[i] ??= track.project(snapshot.x[i], snapshot.y[i]));
}
