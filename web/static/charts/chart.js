// A chart as a panel: it draws when it can be seen and what it draws has changed, and carries the cursor, the highlight
// and the tooltip. What it draws is a model made by one of the modules beside it (`trace.js` and others).

import { Changes } from "../page/changes.js";
import { setText } from "../page/dom.js";
import { isTimedSession } from "../session/snapshot.js";
import { themeColors } from "./colors.js";
import { Plot } from "./plot.js";
import { Surface } from "./surface.js";
import { Tooltip } from "./tooltip.js";

const DRAW_MS = 1000; // wall time between two drawings of a chart, as long as it is in view
const FRAME_MS = 200; // of session time between two frames
const SMALLEST_PX = 60; // a chart less high is not drawn

export class Chart {
  /**
   * `kind` is `{name, empty, inputs, make}`: `make(view)` returns a model, or null without data; `inputs(view)` is what
   * the model depends on, for `Changes`; `empty` says what is missing. `note`, if any, is the id of the element for the model's note.
   */
  constructor(kind, highlight, playback) {
    this.kind = kind;
    this.highlight = highlight;
    this.playback = playback;
    this.place = document.querySelector(`[data-chart="${kind.name}"]`);
    this.place.dataset.note = kind.empty;
    this.changes = new Changes();
    this.surface = new Surface(this.place, () => this.redraw());
    this.tooltip = new Tooltip(this.place);
    this.reset();
    highlight.onChange(() => this.paintOver());
    this.listen();
  }

  reset() {
    this.changes.reset();
    this.drawnAt = -Infinity;
    this.model = this.plot = null;
    this.cursor = null;
    this.leave();
  }

  /** Forget what is drawn, on the canvases too. */
  clear() {
    this.reset();
    this.surface.chart();
    this.surface.overlay();
  }

  /** Draw with the next rendering, if anything has changed. */
  redraw() {
    this.drawnAt = -Infinity;
  }

  /** Whether the highlight is this chart's: its tooltip is shown. */
  get own() {
    return this.highlight.owner === this;
  }

  render(view) {
    const { surface } = this;
    const wentBack = this.model && view.history.count(view.horizon) < this.known;
    if (!surface.visible || surface.height < SMALLEST_PX) {
      if (wentBack) this.clear(); // its edge can still be seen, and shows later laps
      return;
    }
    if (wentBack || view.now - this.drawnAt >= DRAW_MS) {
      this.drawnAt = view.now;
      this.known = view.history.count(view.horizon);
      const { head, race } = view.snapshot;
      const session = [head, isTimedSession(race), race.started_ms, race.total_laps];
      const inputs = [...surface.inputs, themeColors(), ...session, view.selection.numbers, ...this.kind.inputs(view)];
      if (this.changes.differ(...inputs)) this.draw(view);
    }
    this.moveCursor(view);
  }

  draw(view) {
    try {
      this.model = this.kind.make(view);
    } catch (error) {
      this.changes.reset();
      throw error;
    }
    const { place, model } = this;
    const context = this.surface.chart();
    if (this.kind.note) setText(this.kind.note, model?.note ?? "");
    if (!model) {
      place.dataset.note = this.kind.empty;
      for (const name of ["role", "aria-label", "tabindex"]) place.removeAttribute(name);
      this.plot = null;
    } else {
      delete place.dataset.note;
      place.setAttribute("role", "group");
      place.setAttribute("aria-label", `${model.label}. Left and right arrow: lap by lap; Enter: go there.`);
      place.tabIndex = 0;
      this.plot = new Plot(context, this.surface, model, model.right);
      model.paint(this.plot);
    }
    this.paintOver();
  }

  /** Paint the cursor again when it has moved by half a pixel. */
  moveCursor(view) {
    const at = this.model?.cursorAt(view) ?? null;
    const moved = at === null || this.cursor === null ? at !== this.cursor : Math.abs(this.plot.x(at) - this.plot.x(this.cursor)) >= 0.5;
    if (!moved) return;
    this.cursor = at;
    this.paintOver();
  }

  /** Paint the layer over the chart: the highlight, the cursor; and the tooltip. */
  paintOver() {
    if (!this.surface.visible) return;
    const { model, highlight: { value } } = this;
    const context = this.surface.overlay();
    if (model) {
      const plot = Object.assign(Object.create(this.plot), { context });
      if (value) model.paintOver(plot, value);
      if (this.cursor !== null) plot.paintCursor(this.cursor);
    }
    const tip = this.own && model ? model.tipOf(value, this.plot) : null;
    if (tip) this.tooltip.show(tip, tip.x * this.surface.zoom, tip.y * this.surface.zoom, this.spoken);
    else this.tooltip.hide();
  }

  listen() {
    const { place } = this;
    place.addEventListener("pointermove", (event) => this.point(event));
    place.addEventListener("pointerdown", (event) => {
      this.before = event.pointerType === "mouse" ? null : this.highlight.value;
      this.point(event);
    });
    place.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.leave();
    });
    // A click does not take the focus: the arrow keys still go back and forward in time.
    place.addEventListener("mousedown", (event) => event.preventDefault());
    place.addEventListener("click", (event) => this.click(event));
    place.addEventListener("blur", () => this.leave());
    place.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("pointerdown", (event) => {
      if (!place.contains(event.target)) this.leave();
    });
  }

  /** Highlight what is under the pointer. */
  point(event) {
    if (!this.model) return;
    const box = this.place.getBoundingClientRect();
    const value = this.model.pointAt(this.plot, (event.clientX - box.left) / this.surface.zoom, (event.clientY - box.top) / this.surface.zoom);
    this.choose(value, false);
  }

  choose(value, spoken) {
    this.spoken = spoken;
    this.highlight.set(value, this);
  }

  leave() {
    if (this.own) this.highlight.set(null, this);
  }

  /** Go to what is highlighted. On a touch screen the first tap shows it, and a second one on the same lap goes there. */
  click(event) {
    if (event.pointerType !== "mouse" && event.pointerType !== "" && this.before?.lap !== this.highlight.value?.lap) return;
    this.seek();
  }

  seek() {
    const from = this.own ? this.highlight.value?.from : null;
    // The first frame in which the lap has begun: in the one before, the lap before has not ended.
    if (from != null) this.playback.seek(Math.ceil(from / FRAME_MS) * FRAME_MS);
  }

  press(event) {
    if (!this.model || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const mine = this.highlight.value;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const driver = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (way) this.choose(this.model.move(mine, way, this.cursor), true);
    else if (driver && mine && this.model.step) this.choose(this.model.step(mine, driver), true);
    else if (event.key === "Enter" && mine) this.seek();
    else if (event.key === "Escape" && this.own) this.leave();
    else return;
    event.preventDefault();
  }

  /**
   * What is drawn, for tests: the model's lines or bars with their values, names, flags, cursor and highlight. It is up
   * to date with the first `known` entries of the history.
   */
  get drawn() {
    if (!this.model) return null;
    const { label, series, names = [], bands = [], x } = this.model;
    return { label, series, names, bands, known: this.known, x: [x.from, x.to], cursor: this.cursor, highlight: this.highlight.value };
  }
}
