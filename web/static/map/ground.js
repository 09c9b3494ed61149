// The map's ground: track, pit lane, yellow sectors, finish line, sector lines and corner numbers. It is painted onto
// a canvas of its own when one of them changes; cars are drawn over a copy of it.

import { trackStatusOf } from "../page/flags-and-compounds.js";
import { RING } from "./track.js";

const YELLOW_STEP = 100; // 1/10 m between two points of a yellow sector's line
const CORNER_SPAN = 300; // 1/10 m before and after a corner, for the direction in which it turns
const CORNER_PX = 17; // from the track's line to the corner's number

/**
 * Paint the ground. `view` has `track`, `screen` (1/10 m to pixels), `small` (a phone's map), `colors` and `color`
 * (CSS variables), and the snapshot's `head` and `race`.
 */
export function paintGround(context, view) {
  const width = view.small ? 7 : 11; // px, of the track
  context.lineJoin = context.lineCap = "round";
  paintPitLane(context, view);
  paintTrack(context, view, width);
  paintYellowSectors(context, view, width);
  paintFinish(context, view, width);
  paintSectorLines(context, view, width);
  if (!view.small) paintCorners(context, view);
}

function paintTrack(context, { track, screen, race, color, colors }, width) {
  const path = new Path2D();
  track.points.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](...screen(x, y)));
  path.closePath();
  const flag = trackStatusOf(race.track_status)?.color;
  for (const [lineWidth, strokeStyle] of [
    [width + 5, flag ? color(flag) : colors["--track-edge"]],
    [width, colors["--track"]],
  ]) {
    Object.assign(context, { lineWidth, strokeStyle });
    context.stroke(path);
  }
}

function paintPitLane(context, { screen, small, race, colors }) {
  const lane = race.pit_lane ?? [];
  if (lane.length < 2) return;
  context.beginPath();
  lane.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](...screen(x, y)));
  context.lineWidth = small ? 2 : 3;
  context.strokeStyle = colors["--track-edge"];
  context.stroke();
  context.setLineDash([4, 4]);
  context.lineWidth = 1.2;
  context.strokeStyle = colors["--muted"];
  context.stroke();
  context.setLineDash([]);
}

/** Marshal sectors under yellow, if the head has the sectors' beginnings. */
function paintYellowSectors(context, { track, screen, head, race, color }, width) {
  const begins = head.marshal_sectors ?? [];
  for (const { sector, double } of race.yellow_sectors ?? []) {
    const i = begins.findIndex(([number]) => number === sector);
    if (i < 0) continue;
    const from = track.project(begins[i][1], begins[i][2]).along;
    const next = begins[(i + 1) % begins.length];
    const to = track.project(next[1], next[2]).along;
    const length = (to - from + track.length) % track.length;
    context.beginPath();
    for (let s = 0; s <= length; s += YELLOW_STEP) {
      const { x, y } = track.place(from + s, 0);
      context[s ? "lineTo" : "moveTo"](...screen(x, y));
    }
    context.lineWidth = double ? width : width * 0.6;
    context.strokeStyle = color("--yellow");
    context.stroke();
  }
}

/** A chequered line across the track. */
function paintFinish(context, { track, screen }, width) {
  const line = track.place(0, 0);
  const [px, py] = screen(line.x, line.y);
  const left = track.place(0, 100);
  const [lx, ly] = screen(left.x, left.y);
  context.save();
  context.translate(px, py);
  context.rotate(Math.atan2(ly - py, lx - px));
  const square = width / 3;
  for (let i = -2; i < 2; i++) {
    for (let j = 0; j < 2; j++) {
      context.fillStyle = (i + j) % 2 ? "#111" : "#fff";
      context.fillRect(i * square, (j - 1) * square, square, square);
    }
  }
  context.restore();
}

/** Lines where the first and the second sector end. */
function paintSectorLines(context, { track, screen, small, race, colors }, width) {
  if (track === RING) return;
  (race.sector_lines ?? []).forEach((metres, i) => {
    if (metres == null) return;
    const side = (aside) => {
      const { x, y } = track.place(metres * 10, aside);
      return screen(x, y);
    };
    const [[ax, ay], [bx, by]] = [side(100), side(-100)];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [ux, uy] = [((bx - ax) / length) * (width / 2 + 3), ((by - ay) / length) * (width / 2 + 3)];
    const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
    context.beginPath();
    context.moveTo(x - ux, y - uy);
    context.lineTo(x + ux, y + uy);
    context.lineWidth = 2;
    context.strokeStyle = colors["--text"];
    context.stroke();
    if (small) return;
    setFont(context, "700 9px", colors["--muted"]);
    context.fillText(`S${i + 1}`, x + ux * 2.1, y + uy * 2.1);
  });
}

/** Corner numbers on the outside of each turn, so that they do not cover the track. */
function paintCorners(context, { track, screen, head, colors }) {
  setFont(context, "600 10px", colors["--muted"]);
  for (const [name, x, y] of head.corners ?? []) {
    const { along, aside } = track.project(x, y);
    const [before, after] = [track.place(along - CORNER_SPAN, 0), track.place(along + CORNER_SPAN, 0)];
    const here = track.place(along, 0);
    const inward = [(before.x + after.x) / 2 - here.x, (before.y + after.y) / 2 - here.y];
    const left = inward[0] * -here.uy + inward[1] * here.ux;
    const side = Math.abs(left) > 1 ? -Math.sign(left) : Math.sign(aside) || 1;
    const [px, py] = screen(here.x, here.y);
    const outside = track.place(along, side * 100);
    const [ox, oy] = screen(outside.x, outside.y);
    const length = Math.hypot(ox - px, oy - py) || 1;
    context.fillText(name, px + ((ox - px) / length) * CORNER_PX, py + ((oy - py) / length) * CORNER_PX);
  }
}

function setFont(context, font, fillStyle) {
  Object.assign(context, { font: `${font} system-ui, sans-serif`, textAlign: "center", textBaseline: "middle", fillStyle });
}
