// The bar at the foot of the page: playback buttons, the session's timeline, and marks for laps, flags and pit stops.

import { Changes } from "../page/changes.js";
import { byId, element } from "../page/dom.js";
import { trackStatusOf } from "../page/flags-and-compounds.js";
import { clock, lapTime } from "../page/format.js";
import { isTimedSession } from "../session/snapshot.js";
import { sections } from "./sections.js";

const SCRUB_MS = 100; // wall time between two seeks while the bar is dragged
const LIVE_MS = 1000; // of session time: a bar released this close to the end goes live
const BEHIND_MS = 1500; // of session time: a smaller lag behind the session is not shown
const LABEL_PX = 26; // room for the name of a section
const ICONS = { pause: "M7 5v14M17 5v14", play: "M8 4l11 8-11 8z" };

export class Timeline {
  constructor(playback, history) {
    this.playback = playback;
    this.history = history;
    this.bar = byId("bar");
    this.canvas = byId("marks");
    this.span = [0, 0]; // session time (ms) of both ends
    this.sections = []; // laps, parts or minutes that have begun at the horizon
    this.horizon = 0;
    this.dragging = false;
    this.changes = new Changes(); // in what the marks were painted from
    this.addListeners();
    new ResizeObserver(() => this.changes.reset()).observe(this.canvas);
    window.addEventListener("themechange", () => this.changes.reset());
  }

  addListeners() {
    const { playback } = this;
    const onClick = (id, action) => byId(id).addEventListener("click", action);
    onClick("play", () => playback.toggle());
    onClick("step-back", () => playback.step(-1));
    onClick("step-on", () => playback.step(1));
    onClick("back", () => playback.skip(-10000));
    onClick("on", () => playback.skip(10000));
    onClick("to-start", () => playback.lap(1));
    onClick("to-live", () => playback.live());
    onClick("delay-less", () => playback.setDelay(playback.delay - 100));
    onClick("delay-more", () => playback.setDelay(playback.delay + 100));
    onClick("reveal", () => playback.setReveal(!playback.reveal));
    byId("delay").addEventListener("change", (event) => playback.setDelay(Number(event.target.value) * 1000));
    byId("speed").addEventListener("change", (event) => playback.setSpeed(Number(event.target.value)));
    byId("lap-jump").addEventListener("submit", (event) => {
      event.preventDefault();
      if (byId("lap-number").value) playback.lap(Number(byId("lap-number").value));
    });
    this.addBarListeners();
  }

  /** While the bar is dragged the page is paused; on release it continues in the mode from before. */
  addBarListeners() {
    const { playback } = this;
    let sentAt = 0;
    let modeBefore = null;
    this.bar.addEventListener("input", () => {
      if (!this.dragging) modeBefore = playback.mode;
      this.dragging = true;
      const now = performance.now();
      if (now - sentAt > SCRUB_MS) {
        sentAt = now;
        playback.pause(Number(this.bar.value));
      }
    });
    this.bar.addEventListener("change", () => {
      this.dragging = false;
      const t = Number(this.bar.value);
      if (modeBefore === "pause") playback.pause(t);
      else if (t >= this.span[1] - LIVE_MS) playback.live();
      else playback.play(t, modeBefore === "live" ? 1 : playback.speed);
      modeBefore = null;
    });
    this.bar.addEventListener("pointermove", (event) => this.showBubble(event));
    this.bar.addEventListener("pointerleave", () => (byId("bubble").hidden = true));
  }

  /** Show lap and time under the pointer. */
  showBubble(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    const t = this.span[0] + part * (this.span[1] - this.span[0]);
    const bubble = byId("bubble");
    bubble.hidden = this.span[1] <= this.span[0];
    bubble.textContent = this.timeText(t);
    bubble.style.setProperty("--x", `${(part * 100).toFixed(2)}%`);
  }

  /** A session time (ms) with its lap or part, if that is known at the horizon. */
  timeText(t) {
    const section = this.sections.findLast(({ at }) => at <= t);
    return section?.name && t <= this.horizon ? `${section.name} · ${clock(t)}` : clock(t);
  }

  reset() {
    this.changes.reset();
    this.sections = [];
  }

  /** Render the view's position within its span; marks only up to its horizon. */
  render({ t, span, horizon, snapshot, selection }) {
    const { playback } = this;
    this.span = span;
    this.horizon = horizon;
    this.sections = sections(this.history, snapshot, Math.min(horizon, span[1]));
    const bar = this.bar;
    bar.min = span[0];
    bar.max = Math.max(span[0] + 1, span[1]);
    if (!this.dragging) bar.value = t ?? span[1];
    const label = this.timeText(Number(bar.value));
    if (bar.getAttribute("aria-valuetext") !== label) bar.setAttribute("aria-valuetext", label);
    const percent = (ms) => `${(100 * Math.max(0, Math.min(1, (ms - span[0]) / Math.max(1, span[1] - span[0])))).toFixed(2)}%`;
    byId("track").style.setProperty("--here", percent(Number(bar.value)));
    byId("lap-jump").hidden = isTimedSession(snapshot.race);
    this.paint(horizon, selection.cars, snapshot.race.started_ms ?? 0);
    this.renderButtons();
    if (!playback.settled) return;
    const behind = t === null ? 0 : Math.max(0, span[1] - t);
    byId("behind").textContent = playback.mode === "live" ? (playback.delay ? `live, ${(playback.delay / 1000).toFixed(1)} s later` : "") : behind > BEHIND_MS ? `${lapTime(behind).replace(/\.\d+$/, "")}${behind < 60000 ? " s" : ""} behind` : "";
  }

  renderButtons() {
    const { playback } = this;
    const playing = playback.mode !== "pause";
    const state = [playback.mode, playback.delay, playback.speed, playback.reveal].join();
    if (state === this.buttons) return;
    this.buttons = state;
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    byId("play-icon").setAttribute("d", playing ? ICONS.pause : ICONS.play);
    byId("to-live").setAttribute("aria-pressed", String(playback.mode === "live"));
    byId("speed").value = String(playback.mode === "live" ? 1 : playback.speed);
    if (document.activeElement !== byId("delay")) byId("delay").value = (playback.delay / 1000).toFixed(1);
    byId("reveal").setAttribute("aria-pressed", String(playback.reveal));
    byId("timeline").dataset.mode = playback.mode;
  }

  /** Paint the marks on a canvas, only when they have changed: with a lap, not with every snapshot. */
  paint(horizon, cars, started) {
    const { canvas, span } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || span[1] <= span[0]) return;
    const numbers = cars.map((car) => car.number);
    const x = (t) => (width * (t - span[0])) / (span[1] - span[0]);
    const here = Math.round(x(Math.min(horizon, span[1]))); // the latest flag grows up to here
    if (!this.changes.differ(this.history.version(horizon), width, here, Math.round(span[1] / 10000), span[0], started, numbers, this.sections.length)) return;
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.scale(ratio, ratio);
    const color = (name) => style.getPropertyValue(name).trim();
    const drawing = { context, width, height, x, color };
    this.paintFlags(drawing, horizon);
    paintSections(drawing, this.sections);
    this.paintStops(drawing, horizon, started, cars);
  }

  paintFlags({ context, height, x, color }, horizon) {
    for (const { status, from, to } of this.history.statuses(Math.min(horizon, this.span[1]))) {
      const shade = trackStatusOf(status)?.color;
      if (!shade) continue;
      context.fillStyle = color(shade);
      context.fillRect(x(from), height - 5, Math.max(1.5, x(to) - x(from)), 5);
    }
  }

  /** A dot for each pit stop after the start; of the selected cars only, if any are selected. */
  paintStops({ context, height, x, color }, horizon, start, cars) {
    for (const stop of this.history.messages(horizon, "pit_in")) {
      if (stop.session_time_ms < start) continue;
      const selected = cars.find((car) => car.number === stop.driver_number);
      if (cars.length && !selected) continue;
      context.fillStyle = selected?.color ?? color("--muted");
      context.beginPath();
      context.arc(x(stop.session_time_ms), height - 10, selected ? 3 : 1.6, 0, Math.PI * 2);
      context.fill();
    }
  }
}

/** A line at the start of each section, with as many of their names as there is room for. */
function paintSections({ context, width, height, x, color }, starts) {
  const usual = starts.length > 1 ? (x(starts.at(-1).at) - x(starts[0].at)) / (starts.length - 1) : width;
  const every = [1, 2, 5, 10, 20, 50].find((step) => usual * step > LABEL_PX) ?? 100;
  context.font = "600 10px system-ui, sans-serif";
  context.textBaseline = "top";
  for (const [i, { short, at }] of starts.entries()) {
    const numbered = i === 0 || (i + 1) % every === 0;
    context.fillStyle = color("--line-strong");
    context.fillRect(Math.round(x(at)), numbered ? 10 : 15, 1, height - 5 - (numbered ? 10 : 15));
    if (!numbered) continue;
    context.fillStyle = color("--muted");
    context.fillText(short, x(at) + 3, 6);
  }
}

/** Fill the list of speeds, once. */
export function fillSpeeds(speeds) {
  byId("speed").replaceChildren(...speeds.map((speed) => {
    const option = element("option", "", `${speed}×`);
    option.value = String(speed);
    return option;
  }));
}
