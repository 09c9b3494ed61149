// The track's reference line, and a ring in its place for sources without positions. Lengths are in 1/10 m, as in the feed.

const BEND = 150; // before and after a point of the line, in which its normal turns
const GRID = 80; // between two places of the grid

export class Track {
  /** `outline` is a list of points [x, y] in driving direction; the last one connects to the first. */
  constructor(outline) {
    if (isPast(outline)) outline = outline.slice(0, -1); // cars would stand still on the way back
    this.points = outline;
    this.lengths = [0]; // along the line up to each point
    for (let i = 0; i < outline.length; i++) {
      const [a, b] = [outline[i], outline[(i + 1) % outline.length]];
      this.lengths.push(this.lengths[i] + Math.hypot(b[0] - a[0], b[1] - a[1]));
    }
    this.length = this.lengths.at(-1);
    this.normals = outline.map((_, i) => normal(outline.at(i - 1), outline[(i + 1) % outline.length])); // at each point
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

  /**
   * The point at `along` and `aside`: `{x, y, ux, uy}` with the line's direction there as a unit vector. The normal turns
   * evenly around a point of the line: a car beside the line does not jump where the line bends.
   */
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
    const bend = Math.min(BEND, length / 2);
    const [atLow, atHigh] = [Math.max(0, 1 - d / bend), Math.max(0, 1 - (length - d) / bend)];
    const [[mx, my], [nx, ny]] = [this.normals[low], this.normals[(low + 1) % this.points.length]];
    const vx = -uy + (mx + uy) * atLow + (nx + uy) * atHigh;
    const vy = ux + (my - ux) * atLow + (ny - ux) * atHigh;
    return { x: ax + ux * d + vx * aside, y: ay + uy * d + vy * aside, ux, uy };
  }
}

/** Whether the last point of a lap lies past the first one: a recorded lap can overlap itself at the finish line. */
function isPast(outline) {
  const [[x, y], [nextX, nextY], [lastX, lastY]] = [outline[0], outline[1], outline.at(-1)];
  return (lastX - x) * (nextX - x) + (lastY - y) * (nextY - y) > 0;
}

/** The unit vector to the left of the way from `a` to `b`. */
function normal(a, b) {
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  return [(a[1] - b[1]) / length, (b[0] - a[0]) / length];
}

const RADIUS = 3000;

/** A ring that stands for a lap's time, clockwise from the top, for sources without positions. */
export const RING = new Track(
  Array.from({ length: 180 }, (_, i) => [RADIUS * Math.sin((i * Math.PI) / 90), RADIUS * Math.cos((i * Math.PI) / 90)]),
);

/**
 * Whether cars are placed by `along` (estimated fraction of a lap's time, 1/10,000) because there are no positions; before
 * the start by the grid.
 */
export function isEstimated(snapshot) {
  if (snapshot.head.outline || snapshot.x.some((x) => x != null)) return false;
  return Boolean(snapshot.along?.length) || (isOnGrid(snapshot) && snapshot.age.every((age) => age == null));
}

/** The places on the grid of cars that have not started, behind the finish line: `{x, y}` by car number. */
export function gridPositions(track, snapshot) {
  if (!isOnGrid(snapshot)) return {};
  return Object.fromEntries(snapshot.head.cars.map(({ driver_number: number, grid_position: grid }, i) => {
    const { x, y } = track.place(-GRID * (grid || i + 1), 0);
    return [number, { x, y }];
  }));
}

function isOnGrid({ head, cars, race }) {
  return race.started_ms == null && head.cars.some(({ driver_number: number }) => cars[number]?.status === "grid");
}

/** The places on the ring between two snapshots: `{x, y}` by car number. */
export function ringPositions(from, to, part) {
  const placed = from.head.cars.map(({ driver_number: number }, i) => [number, ringPosition(from, to, i, part)]);
  return Object.fromEntries(placed.filter(([, place]) => place));
}

/** The place of car `i` on the ring between two snapshots; null if it is unknown. */
function ringPosition(from, to, i, part) {
  const [a, b] = [from.along?.[i], to.along?.[i]];
  if (a == null) return null;
  const way = b == null ? 0 : (((b - a) % 10000) + 10000) % 10000;
  const ahead = way < 5000 ? way * part : 0; // a step backwards is a corrected estimate
  const { x, y } = RING.place(((a + ahead) / 10000) * RING.length, 0);
  return { x, y };
}
