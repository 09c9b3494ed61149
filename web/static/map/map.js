// The track map: a canvas with the track drawn once and the cars drawn at the display's rate.

import { teamColor } from "../format.js";
import { placeLabels } from "./labels.js";
import { carStatus, signalAge } from "../frames.js";
import { RING, Track, carPosition, isEstimated, ringPosition } from "./track.js";

const FLAG_COLORS = { 2: "--yellow", 4: "--safety", 5: "--red", 6: "--safety", 7: "--safety" };
const MARGIN = 38; // px, so that labels at the edge have room
const TRAIL_MS = 6000; // of session time: what selected cars draw behind them

export class TrackMap {
  constructor(canvas, selection) {
    this.canvas = canvas;
    this.selection = selection;
    this.trails = new Map(); // of selected cars: [{t, x, y}] in the feed's 1/10 m
    this.points = []; // {x, y, color}: places that another panel points at
    this.context = canvas.getContext("2d");
    this.ground = document.createElement("canvas"); // track and corners, drawn when they change
    this.track = null;
    this.outline = null;
    this.positions = {}; // by car number, in the feed's 1/10 m: what is on the screen now
    this.memory = new Map();
    this.offsets = new Map(); // labels glide to a new side
    this.headings = new Map(); // {x, y, heading} on the screen
    this.seen = null; // bounds of the cars while there is no outline
    this.dirty = true;
    new ResizeObserver(() => (this.dirty = true)).observe(canvas);
    window.addEventListener("themechange", () => (this.dirty = true));
  }

  /** A new session: forget the old one's track and places. */
  reset() {
    this.outline = this.track = this.seen = this.flag = null;
    this.positions = {};
    this.memory.clear();
    this.offsets.clear();
    this.trails.clear();
    this.points = [];
    this.dirty = true;
  }

  /** Draw the cars between two snapshots; `silence` is ms of wall time since the newest frame. */
  draw({ from, to, part }, silence) {
    if (to.head !== from.head) [to, part] = [from, 0]; // the columns may have changed
    const head = from.head;
    const estimated = isEstimated(from);
    const outline = estimated ? RING.points : head.outline;
    if (outline !== this.outline) {
      this.outline = outline;
      this.track = estimated ? RING : outline?.length > 2 ? new Track(outline) : null;
      this.dirty = true;
    }
    this.positions = {};
    head.cars.forEach((entry, i) => {
      const place = estimated ? ringPosition(from, to, i, part) : carPosition(this.track, from, to, i, part);
      if (place) this.positions[entry.driver_number] = place;
    });
    if (!this.track) this.grow();
    this.flag = from.race.track_status;
    const { sector_lines: lines, yellow_sectors: yellow, pit_lane: lane } = from.race;
    const ground = JSON.stringify([this.flag, lines, yellow, lane?.length]);
    if (ground !== this.groundOf) {
      this.groundOf = ground;
      this.race = from.race;
      this.dirty = true;
    }
    this.follow(from.t + part * (to.t - from.t));
    if (this.dirty && !this.prepare(head)) return;
    this.paint(from, silence);
  }

  /** Where selected cars have just been; a jump begins anew. */
  follow(t) {
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

  /** Without an outline the view is what the cars have covered so far. */
  grow() {
    for (const { x, y } of Object.values(this.positions)) {
      const s = (this.seen ??= { left: x, right: x, top: y, bottom: y });
      if (x < s.left || x > s.right || y < s.top || y > s.bottom) this.dirty = true;
      this.seen = { left: Math.min(s.left, x), right: Math.max(s.right, x), top: Math.min(s.top, y), bottom: Math.max(s.bottom, y) };
    }
  }

  /** Size, scale, colours and the ground. False while the canvas has no size. */
  prepare(head) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return false;
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.ground]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    Object.assign(this, { width, height, ratio, small: width < 480 });
    const style = getComputedStyle(this.canvas);
    this.color = (name) => style.getPropertyValue(name).trim();
    this.colors = Object.fromEntries(["--text", "--muted", "--panel", "--label", "--track", "--track-edge", "--bg"].map((name) => [name, this.color(name)]));
    this.fit(this.track === RING ? null : head.rotation);
    const context = this.ground.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (this.track) this.paintTrack(context, head);
    this.offsets.clear();
    this.headings.clear();
    this.dirty = false;
    return true;
  }

  /** Scale, and turn as the official map is turned, else by a quarter where the track then fills the panel better. Y points up in the feed. */
  fit(rotation) {
    const points = this.track ? this.track.points : [[this.seen?.left ?? 0, this.seen?.top ?? 0], [this.seen?.right ?? 1, this.seen?.bottom ?? 1]];
    const margin = this.small ? 26 : MARGIN;
    const [width, height] = [this.width - 2 * margin, this.height - 2 * margin];
    const turned = (degrees) => {
      const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
      const xs = points.map(([x, y]) => x * cos - y * sin);
      const ys = points.map(([x, y]) => x * sin + y * cos);
      const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const scale = Math.min(width / Math.max(1000, right - left), height / Math.max(1000, high - low));
      return { cos, sin, scale, mx: (left + right) / 2, my: (low + high) / 2 };
    };
    const [straight, quarter] = [turned(0), turned(-90)];
    const { cos, sin, scale, mx, my } = rotation != null ? turned(rotation) : quarter.scale > straight.scale * 1.12 ? quarter : straight;
    this.screen = (x, y) => [this.width / 2 + (x * cos - y * sin - mx) * scale, this.height / 2 - (x * sin + y * cos - my) * scale];
  }

  paintTrack(context, head) {
    const path = new Path2D();
    this.track.points.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](...this.screen(x, y)));
    path.closePath();
    context.lineJoin = context.lineCap = "round";
    this.paintPitLane(context);
    const wide = this.small ? 7 : 11;
    const flag = FLAG_COLORS[this.flag];
    for (const [width, color] of [
      [wide + 5, flag ? this.color(flag) : this.colors["--track-edge"]],
      [wide, this.colors["--track"]],
    ]) {
      context.lineWidth = width;
      context.strokeStyle = color;
      context.stroke(path);
    }
    this.paintYellow(context, head, wide);
    this.paintFinish(context, wide);
    this.paintSectors(context, wide);
    if (this.small) return;
    context.font = "600 10px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = this.colors["--muted"];
    for (const [name, x, y] of head.corners ?? []) {
      // On the side away from the middle of the track's turn, so that the number is not on the road.
      const { along, aside } = this.track.project(x, y);
      const [bx, by] = [this.track.place(along - 300, 0), this.track.place(along + 300, 0)];
      const here = this.track.place(along, 0);
      const inward = [(bx.x + by.x) / 2 - here.x, (bx.y + by.y) / 2 - here.y];
      const left = inward[0] * -here.uy + inward[1] * here.ux;
      const side = Math.abs(left) > 1 ? -Math.sign(left) : Math.sign(aside) || 1;
      const [px, py] = this.screen(here.x, here.y);
      const off = this.track.place(along, side * 100);
      const [ox, oy] = this.screen(off.x, off.y);
      const length = Math.hypot(ox - px, oy - py) || 1;
      context.fillText(name, px + ((ox - px) / length) * 17, py + ((oy - py) / length) * 17);
    }
  }

  paintPitLane(context) {
    const lane = this.race?.pit_lane ?? [];
    if (lane.length < 2) return;
    context.beginPath();
    lane.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](...this.screen(x, y)));
    context.lineWidth = this.small ? 2 : 3;
    context.strokeStyle = this.colors["--track-edge"];
    context.stroke();
    context.setLineDash([4, 4]);
    context.lineWidth = 1.2;
    context.strokeStyle = this.colors["--muted"];
    context.stroke();
    context.setLineDash([]);
  }

  /** The marshals' sectors under yellow, where it is known where they begin. */
  paintYellow(context, head, wide) {
    const begins = head.marshal_sectors ?? [];
    for (const { sector, double } of this.race?.yellow_sectors ?? []) {
      const i = begins.findIndex(([number]) => number === sector);
      if (i < 0) continue;
      const from = this.track.project(begins[i][1], begins[i][2]).along;
      const next = begins[(i + 1) % begins.length];
      const to = this.track.project(next[1], next[2]).along;
      const length = (to - from + this.track.length) % this.track.length;
      context.beginPath();
      for (let s = 0; s <= length; s += 100) {
        const { x, y } = this.track.place(from + s, 0);
        context[s ? "lineTo" : "moveTo"](...this.screen(x, y));
      }
      context.lineWidth = double ? wide : wide * 0.6;
      context.strokeStyle = this.color("--yellow");
      context.stroke();
    }
  }

  /** Where the first and the second sector end. */
  paintSectors(context, wide) {
    if (this.track === RING) return;
    (this.race?.sector_lines ?? []).forEach((metres, i) => {
      if (metres == null) return;
      const side = (aside) => {
        const { x, y } = this.track.place(metres * 10, aside);
        return this.screen(x, y);
      };
      const [[ax, ay], [bx, by]] = [side(100), side(-100)];
      const length = Math.hypot(bx - ax, by - ay) || 1;
      const [ux, uy] = [((bx - ax) / length) * (wide / 2 + 3), ((by - ay) / length) * (wide / 2 + 3)];
      const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
      context.beginPath();
      context.moveTo(x - ux, y - uy);
      context.lineTo(x + ux, y + uy);
      context.lineWidth = 2;
      context.strokeStyle = this.colors["--text"];
      context.stroke();
      if (this.small) return;
      context.font = "700 9px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillStyle = this.colors["--muted"];
      context.fillText(`S${i + 1}`, x + ux * 2.1, y + uy * 2.1);
    });
  }

  /** What selected cars have driven in the last seconds. */
  paintTrails(context) {
    for (const { number, color } of this.selection.cars) {
      const trail = this.trails.get(number) ?? [];
      context.strokeStyle = color;
      context.lineCap = "round";
      for (let i = 1; i < trail.length; i++) {
        context.globalAlpha = (0.75 * i) / trail.length;
        context.lineWidth = 1 + (4 * i) / trail.length;
        context.beginPath();
        context.moveTo(...this.screen(trail[i - 1].x, trail[i - 1].y));
        context.lineTo(...this.screen(trail[i].x, trail[i].y));
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }

  /** Places that another panel points at. */
  paintPoints(context) {
    for (const { x, y, color } of this.points) {
      context.beginPath();
      context.arc(...this.screen(x, y), 7, 0, Math.PI * 2);
      context.lineWidth = 3;
      context.strokeStyle = color;
      context.stroke();
    }
  }

  paintFinish(context, wide) {
    const a = this.track.place(0, 0);
    const [px, py] = this.screen(a.x, a.y);
    const off = this.track.place(0, 100);
    const [ox, oy] = this.screen(off.x, off.y);
    context.save();
    context.translate(px, py);
    context.rotate(Math.atan2(oy - py, ox - px));
    const square = wide / 3;
    for (let i = -2; i < 2; i++) {
      for (let j = 0; j < 2; j++) {
        context.fillStyle = (i + j) % 2 ? "#111" : "#fff";
        context.fillRect(i * square, (j - 1) * square, square, square);
      }
    }
    context.restore();
  }

  paint(snapshot, silence) {
    const context = this.context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.ground, 0, 0);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const cars = this.visible(snapshot, silence);
    this.paintTrails(context);
    for (const car of [...cars].reverse()) this.paintCar(context, car);
    this.paintPoints(context);
    const font = this.small ? 10 : 11;
    context.font = `700 ${font}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const named = cars.filter((car) => car.code !== "retired" && car.code !== "out");
    for (const car of named) car.heading = this.heading(car);
    for (const car of named) car.width = (this.widths?.[car.text + font] ?? this.measure(context, car.text, font)) + 8;
    const labels = placeLabels(named, font + 4, this, this.memory);
    for (const car of named) if (labels[car.id]) this.paintLabel(context, car, labels[car.id], font + 4);
  }

  /** Which way a car goes on the screen, from its last few pixels; null before it has moved. */
  heading({ id, x, y }) {
    const last = this.headings.get(id);
    if (!last) this.headings.set(id, { x, y, heading: null });
    else if (Math.hypot(x - last.x, y - last.y) > 3) {
      const length = Math.hypot(x - last.x, y - last.y);
      this.headings.set(id, { x, y, heading: [(x - last.x) / length, (y - last.y) / length] });
    }
    return this.headings.get(id).heading;
  }

  measure(context, text, font) {
    this.widths ??= {};
    return (this.widths[text + font] = context.measureText(text).width);
  }

  /** The cars in race order, with their place on the screen. */
  visible(snapshot, silence) {
    const teams = new Set();
    const over = snapshot.race.ended;
    const cars = snapshot.head.cars.flatMap((entry, i) => {
      const second = teams.has(entry.team);
      teams.add(entry.team);
      const place = this.positions[entry.driver_number];
      const car = snapshot.cars[entry.driver_number] ?? {};
      if (!place) return [];
      const [x, y] = this.screen(place.x, place.y);
      const { code } = carStatus(car, signalAge(snapshot, i), over ? 0 : silence);
      return [{ id: entry.driver_number, text: entry.tla, color: teamColor(entry.team_color), second, x, y, code, position: car.position || 99, chosen: this.selection.has(entry.driver_number) }];
    });
    return cars.sort((a, b) => b.chosen - a.chosen || a.position - b.position);
  }

  paintCar(context, { x, y, color, second, code, chosen }) {
    const radius = (this.small ? 4 : 5) + (chosen ? 2 : 0);
    const gone = code === "retired" || code === "out";
    context.globalAlpha = gone ? 0.45 : code === "stale" ? 0.6 : 1;
    context.lineWidth = 2;
    if (gone) {
      context.strokeStyle = color;
      context.beginPath();
      context.moveTo(x - 4, y - 4);
      context.lineTo(x + 4, y + 4);
      context.moveTo(x + 4, y - 4);
      context.lineTo(x - 4, y + 4);
      context.stroke();
    } else {
      context.beginPath();
      context.arc(x, y, code === "pit" ? radius - 1.5 : radius, 0, Math.PI * 2);
      context.fillStyle = color;
      context.strokeStyle = this.colors[chosen ? "--text" : "--bg"];
      context.fill();
      context.stroke();
      if (second) {
        // The team's second car has a hollow dot: the colour alone does not tell team mates apart.
        context.beginPath();
        context.arc(x, y, 1.9, 0, Math.PI * 2);
        context.fillStyle = this.colors["--bg"];
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }

  paintLabel(context, car, place, height) {
    const wanted = { dx: place.x - car.x, dy: place.y - car.y };
    const offset = this.offsets.get(car.id) ?? wanted;
    offset.dx += (wanted.dx - offset.dx) * 0.25;
    offset.dy += (wanted.dy - offset.dy) * 0.25;
    this.offsets.set(car.id, offset);
    const [x, y] = [car.x + offset.dx, car.y + offset.dy];
    context.globalAlpha = car.code === "stale" ? 0.75 : 1;
    context.fillStyle = this.colors["--label"];
    context.beginPath();
    context.roundRect(x - car.width / 2, y - height / 2, car.width, height, 3);
    context.fill();
    context.fillStyle = car.color;
    context.fillRect(x - car.width / 2, y - height / 2 + 2, 2, height - 4);
    context.fillStyle = car.code === "pit" || car.code === "stale" ? this.colors["--muted"] : this.colors["--text"];
    context.fillText(car.text, x + 1, y + 0.5);
    context.globalAlpha = 1;
  }
}
