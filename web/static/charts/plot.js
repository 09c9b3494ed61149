// The frame of a chart: its margins, scales, axes and shaded periods, on a canvas.

import { linear, niceTicks } from "./scale.js";
import { themeColors } from "./colors.js";

const TICK_PX = 62; // about so much between two labels of the horizontal axis
const ROW_PX = 34; // the same of the vertical axis
const BAND_ALPHA = 0.17;

export class Plot {
  /**
   * `size` is `{width, height}`; `model` has the axes `x` and `y`, and `y2` or null: `{from, to, name, whole, ticks,
   * format, grid}`, all but the first two optional; `ticks` is a list or a function of the room. `y.from` is at the bottom. `right` is the room for names, in px.
   * `box` `{left, top, height}` places the axes themselves, as a row of several above a common horizontal axis.
   */
  constructor(context, { width, height }, model, right = 10, box = null) {
    this.context = context;
    this.colors = themeColors();
    this.model = model;
    this.right = right;
    const { x, y, y2 } = model;
    this.top = box?.top ?? (y.name || y2?.name ? 20 : 8);
    this.height = Math.max(10, box?.height ?? height - this.top - 22);
    this.yTicks = typeof y.ticks === "function" ? y.ticks(this.height) : y.ticks ?? niceTicks(Math.min(y.from, y.to), Math.max(y.from, y.to), this.height / ROW_PX, y.whole);
    this.font(11);
    this.left = box?.left ?? Math.ceil(Math.max(18, ...this.yTicks.map((tick) => context.measureText(label(y, tick)).width))) + 10;
    this.width = Math.max(10, width - this.left - right);
    this.bottom = this.top + this.height;
    this.x = linear([x.from, x.to], [this.left, this.left + this.width]);
    this.y = linear([y.from, y.to], [this.bottom, this.top]);
    this.y2 = y2 && linear([y2.from, y2.to], [this.bottom, this.top]);
    this.xTicks = x.ticks?.(this.width / TICK_PX) ?? niceTicks(x.from, x.to, this.width / TICK_PX, x.whole);
  }

  get end() {
    return this.left + this.width;
  }

  font(size, weight = 400) {
    this.context.font = `${weight} ${size}px ${this.colors.font}`;
  }

  /** Text at a place; `align` and `base` as a canvas has them. */
  text(value, x, y, { color = "--muted", align = "left", base = "middle", size = 11, weight = 400, halo = false } = {}) {
    const { context, colors } = this;
    this.font(size, weight);
    context.textAlign = align;
    context.textBaseline = base;
    if (halo) {
      Object.assign(context, { lineWidth: 3, lineJoin: "round", strokeStyle: colors.get("--panel") });
      context.strokeText(value, x, y);
    }
    context.fillStyle = color.startsWith("--") ? colors.get(color) : color;
    context.fillText(value, x, y);
  }

  /** Paint grid, ticks and axis names, under everything else. */
  paintAxes() {
    const { model: { x, y, y2 }, colors } = this;
    if (y.grid !== false) for (const tick of this.yTicks) this.rule(this.left, Math.round(this.y(tick)), this.end, colors.get("--line"));
    for (const tick of this.yTicks) this.text(label(y, tick), this.left - 8, this.y(tick), { align: "right", size: y.size ?? 11 });
    this.rule(this.left, Math.round(this.bottom), this.end, colors.get("--line-strong"));
    for (const tick of this.xTicks) {
      const px = Math.round(this.x(tick));
      this.context.fillStyle = colors.get("--line-strong");
      this.context.fillRect(px, this.bottom, 1, 4);
      this.text(label(x, tick), px, this.bottom + 13, { align: "center" });
    }
    if (x.name) this.text(x.name, this.left - 8, this.bottom + 13, { align: "right" });
    if (y.name) this.text(y.name, this.left - 8, 8, { align: "right" });
    if (!y2) return;
    for (const tick of niceTicks(y2.from, y2.to, this.height / ROW_PX)) this.text(label(y2, tick), this.end + 8, this.y2(tick));
    this.text(y2.name, this.end + 8, 8);
  }

  /** A horizontal line of one pixel. */
  rule(from, y, to, color) {
    this.context.fillStyle = color;
    this.context.fillRect(from, y, to - from, 1);
  }

  /** Shade periods `{from, to, color}` of the horizontal axis; `color` is a CSS variable. */
  paintBands(bands, alpha = BAND_ALPHA) {
    const { context } = this;
    context.globalAlpha = alpha;
    for (const { from, to, color } of bands) {
      const [a, b] = [Math.max(this.left, this.x(from)), Math.min(this.end, this.x(to))];
      context.fillStyle = this.colors.get(color);
      if (b > a) context.fillRect(a, this.top, Math.max(1, b - a), this.height);
    }
    context.globalAlpha = 1;
  }

  /** Let `draw()` paint within the axes only. */
  within(draw) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(this.left - 3, this.top - 4, this.width + 6, this.height + 4);
    context.clip();
    draw();
    context.restore();
  }

  /** A line through `points` `[[x, y], …]` of the axes; a null ends it and the next point begins another. */
  path(points, y = this.y) {
    const { context } = this;
    let open = false;
    context.beginPath();
    for (const point of points) {
      if (point === null || point[1] === null) open = false;
      else {
        context[open ? "lineTo" : "moveTo"](this.x(point[0]), y(point[1]));
        open = true;
      }
    }
  }

  stroke(color, width, dash = [], alpha = 1) {
    Object.assign(this.context, { strokeStyle: color, lineWidth: width, lineJoin: "round", lineCap: dash.length ? "butt" : "round", globalAlpha: alpha });
    this.context.setLineDash(dash);
    this.context.stroke();
    this.context.setLineDash([]);
    this.context.globalAlpha = 1;
  }

  /** The session time shown: a vertical line with a small flag on top. */
  paintCursor(at) {
    const px = Math.round(Math.min(this.end, this.x(at))) + 0.5;
    if (px < this.left - 1) return;
    const { context } = this;
    const color = this.colors.get("--accent");
    context.beginPath();
    context.moveTo(px, this.top - 4);
    context.lineTo(px, this.bottom);
    this.stroke(color, 1, [], 0.85);
    context.beginPath();
    context.moveTo(px - 4, this.top - 5);
    context.lineTo(px + 4, this.top - 5);
    context.lineTo(px, this.top + 1);
    context.fillStyle = color;
    context.fill();
  }

  /** What the viewer points at: a line, or a shaded period. */
  paintHighlight(from, to = from) {
    const [a, b] = [Math.max(this.left, this.x(from)), Math.min(this.end, this.x(to))];
    const { context } = this;
    context.fillStyle = this.colors.get("--text");
    context.globalAlpha = b - a > 1 ? 0.1 : 0.35;
    context.fillRect(Math.round(a), this.top, Math.max(1, b - a), this.height);
    context.globalAlpha = 1;
  }

  dot(x, y, radius, fill, edge = this.colors.get("--panel"), width = 1.5) {
    const { context } = this;
    context.beginPath();
    context.arc(x, y, radius, 0, Math.PI * 2);
    context.fillStyle = fill;
    context.fill();
    if (width) this.stroke(edge, width);
  }
}

function label(axis, value) {
  return axis.format ? axis.format(value) : String(value);
}
