// The track map: a canvas with the ground painted when it changes and the cars drawn at the display's rate.

import { byId, rem, setText } from "../page/dom.js";
import { teamColor } from "../page/format.js";
import { carStatus, signalAge } from "../session/snapshot.js";
import { paintCar, paintLabel, paintPoints, paintTrail } from "./cars.js";
import { paintGround } from "./ground.js";
import { groupLabels, placeLabels } from "./labels.js";
import { LAG_MS, Motion } from "./motion.js";
import { fitProjection } from "./projection.js";
import { RING, Track, gridPositions, isEstimated, ringPositions } from "./track.js";

const MARGIN_PX = [38, 26]; // around the track, on a large and a small map: room for labels at the edge
const SMALL_PX = 480; // narrower maps have thinner lines, smaller labels and no corner numbers
const TRAIL_MS = 6000; // of session time: length of the trails of selected cars
const HEADING_PX = 3; // distance that a car moves before its direction is measured again
const COLORS = ["--text", "--muted", "--panel", "--label", "--track", "--track-edge", "--bg"];

/** The sentence on the map of a session without an outline or without positions. */
export class MapNote {
  reset() {}

  render({ snapshot }) {
    const estimated = isEstimated(snapshot);
    byId("map-note").hidden = Boolean(snapshot.head.outline);
    byId("map-note").dataset.estimated = String(estimated);
    setText("map-note", estimated
      ? "Estimated: without positions the map is a ring of one lap's time, with cars placed by their mini-sectors."
      : "The track outline is not known yet: only the cars are shown.");
  }
}

export class TrackMap {
  constructor(canvas, selection) {
    this.canvas = canvas;
    this.selection = selection;
    this.context = canvas.getContext("2d");
    this.ground = document.createElement("canvas");
    this.track = null;
    this.outline = null; // the points that `track` was made of
    this.motion = new Motion();
    this.positions = {}; // by car number, in 1/10 m: what is on the screen now
    this.trails = new Map(); // by number of a selected car: [{t, x, y}] in ms and 1/10 m
    this.points = []; // places that another panel highlights: [{x, y, color}] in 1/10 m
    this.labelSides = new Map(); // by car number, for placeLabels()
    this.labelOffsets = new Map(); // by car number, for paintLabel()
    this.headings = new Map(); // by car number: {x, y, heading} in pixels
    this.textWidths = new Map(); // by font size and text, in pixels
    this.seen = null; // bounds of all positions so far, while there is no outline
    this.dirty = true; // the ground must be painted again
    new ResizeObserver(() => (this.dirty = true)).observe(canvas);
    window.addEventListener("themechange", () => (this.dirty = true));
  }

  /** Forget a session's track and cars. */
  reset() {
    this.outline = this.track = this.seen = null;
    this.motion.reset();
    this.positions = {};
    this.labelSides.clear();
    this.labelOffsets.clear();
    this.trails.clear();
    this.points = [];
    this.dirty = true;
  }

  /**
   * Draw the cars at session time `t` (ms), which lies between the snapshots `from` and `to`; `snapshots` are all that
   * have arrived since. `silence` is the wall time in ms since the newest frame.
   */
  draw({ from, to, part, t, snapshots }, silence) {
    if (to.head !== from.head) [to, part] = [from, 0]; // another head may have other columns
    this.updateTrack(from);
    this.motion.take(this.track, snapshots);
    this.updatePositions(from, to, part, t);
    const { track_status: status, sector_lines: lines, yellow_sectors: yellow, pit_lane: lane } = from.race;
    const groundState = JSON.stringify([status, lines, yellow, lane?.length]);
    if (groundState !== this.groundState) {
      this.groundState = groundState;
      this.dirty = true;
    }
    this.updateTrails(t);
    if (this.dirty && !this.prepare(from)) return;
    this.paint(from, silence);
  }

  updateTrack(snapshot) {
    const estimated = isEstimated(snapshot);
    const outline = estimated ? RING.points : snapshot.head.outline;
    if (outline === this.outline) return;
    this.outline = outline;
    this.track = estimated ? RING : outline?.length > 2 ? new Track(outline) : null;
    this.dirty = true;
  }

  updatePositions(from, to, part, t) {
    const grid = this.track ? gridPositions(this.track, from) : {}; // until a car has a position
    const places = isEstimated(from) ? ringPositions(from, to, part) : this.motion.places(t - LAG_MS);
    this.positions = { ...grid, ...places };
    if (!this.track) this.growBounds();
  }

  /** Without an outline the map shows the area that the cars have covered so far. */
  growBounds() {
    for (const { x, y } of Object.values(this.positions)) {
      const s = (this.seen ??= { left: x, right: x, top: y, bottom: y });
      if (x < s.left || x > s.right || y < s.top || y > s.bottom) this.dirty = true;
      this.seen = { left: Math.min(s.left, x), right: Math.max(s.right, x), top: Math.min(s.top, y), bottom: Math.max(s.bottom, y) };
    }
  }

  /** Extend the trails of selected cars; a jump in time restarts them. */
  updateTrails(t) {
    for (const number of this.trails.keys()) if (!this.selection.has(number)) this.trails.delete(number);
    for (const number of this.selection.numbers) {
      const place = this.positions[number];
      const trail = this.trails.get(number) ?? [];
      const last = trail.at(-1);
      if (last && (t < last.t || t - last.t > TRAIL_MS)) trail.length = 0;
      if (place && (!last || t > last.t)) trail.push({ t, ...place });
      while (trail.length && t - trail[0].t > TRAIL_MS) trail.shift();
      this.trails.set(number, trail);
    }
  }

  /** Set size, colours and projection, and paint the ground. False while the canvas has no size. */
  prepare({ head, race }) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return false;
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.ground]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const small = width < SMALL_PX;
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const bounds = [[this.seen?.left ?? 0, this.seen?.top ?? 0], [this.seen?.right ?? 1, this.seen?.bottom ?? 1]];
    const screen = fitProjection(this.track?.points ?? bounds, this.track === RING ? null : head.rotation, width, height, MARGIN_PX[Number(small)]);
    const colors = Object.fromEntries(COLORS.map((name) => [name, color(name)]));
    this.view = { width, height, ratio, small, fontSize: Math.round((small ? 10 : 11) * rem()), color, colors, screen, track: this.track, head, race };
    const context = this.ground.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (this.track) paintGround(context, this.view);
    this.labelOffsets.clear();
    this.headings.clear();
    this.dirty = false;
    return true;
  }

  paint(snapshot, silence) {
    const { context, view } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.ground, 0, 0);
    context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    const cars = this.carsOnScreen(snapshot, silence);
    for (const { number, color } of this.selection.cars) paintTrail(context, view, this.trails.get(number) ?? [], color);
    for (const car of [...cars].reverse()) paintCar(context, view, car);
    paintPoints(context, view, this.points);
    const { fontSize } = view;
    context.font = `700 ${fontSize}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const labelled = groupLabels(cars.filter((car) => car.code !== "retired" && car.code !== "out"));
    for (const car of labelled) {
      car.heading = this.heading(car);
      car.width = this.textWidth(car.text, fontSize) + 8;
    }
    const labels = placeLabels(labelled, fontSize + 4, view, this.labelSides);
    for (const car of labelled) if (labels[car.id]) paintLabel(context, view, car, labels[car.id], fontSize + 4, this.labelOffsets);
  }

  /** The direction of a car on the screen as a unit vector, by its last few pixels; null before it has moved. */
  heading({ id, x, y }) {
    const last = this.headings.get(id);
    if (!last) this.headings.set(id, { x, y, heading: null });
    else if (Math.hypot(x - last.x, y - last.y) > HEADING_PX) {
      const length = Math.hypot(x - last.x, y - last.y);
      this.headings.set(id, { x, y, heading: [(x - last.x) / length, (y - last.y) / length] });
    }
    return this.headings.get(id).heading;
  }

  textWidth(text, fontSize) {
    const key = `${fontSize} ${text}`;
    if (!this.textWidths.has(key)) this.textWidths.set(key, this.context.measureText(text).width);
    return this.textWidths.get(key);
  }

  /** The cars with their places on the screen: selected ones first, then in race order. */
  carsOnScreen(snapshot, silence) {
    const teams = new Set();
    const over = snapshot.race.ended;
    const cars = snapshot.head.cars.flatMap((entry, i) => {
      const second = teams.has(entry.team);
      teams.add(entry.team);
      const place = this.positions[entry.driver_number];
      const car = snapshot.cars[entry.driver_number] ?? {};
      if (!place) return [];
      const [x, y] = this.view.screen(place.x, place.y);
      const { code } = carStatus(car, signalAge(snapshot, i), over ? 0 : silence);
      return [{ id: entry.driver_number, text: entry.tla, color: teamColor(entry.team_color), second, x, y, code, position: car.position || 99, selected: this.selection.has(entry.driver_number) }];
    });
    return cars.sort((a, b) => b.selected - a.selected || a.position - b.position);
  }
}
