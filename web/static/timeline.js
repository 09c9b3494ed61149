// The bar of the tape with its buttons: where the viewer is, where the session is, and what happened when.

import { clock, lapTime } from "./format.js";
import { element } from "./tower/tower.js";

const SCRUB_MS = 100; // while the bar is dragged, the snapshot follows this often
const AHEAD = { 2: "--yellow", 4: "--safety", 5: "--red", 6: "--safety", 7: "--safety" };
const ICONS = { pause: "M7 5v14M17 5v14", play: "M8 4l11 8-11 8z" };

const $ = (id) => document.getElementById(id);

export class Timeline {
  /** `remote` is what the buttons press, `history` what the marks are made of. */
  constructor(remote, history) {
    this.remote = remote;
    this.history = history;
    this.bar = $("bar");
    this.canvas = $("marks");
    this.span = [0, 0];
    this.dragging = false;
    this.painted = "";
    this.cars = [];
    this.wire();
    new ResizeObserver(() => (this.painted = "")).observe(this.canvas);
    window.addEventListener("themechange", () => (this.painted = ""));
  }

  wire() {
    const { remote } = this;
    const click = (id, act) => $(id).addEventListener("click", act);
    click("play", () => remote.toggle());
    click("step-back", () => remote.step(-1));
    click("step-on", () => remote.step(1));
    click("back", () => remote.seek((remote.here() ?? 0) - 10000));
    click("on", () => remote.seek((remote.here() ?? 0) + 10000));
    click("to-start", () => remote.lap(1));
    click("to-live", () => remote.live());
    click("delay-less", () => remote.setDelay(remote.delay - 100));
    click("delay-more", () => remote.setDelay(remote.delay + 100));
    $("delay").addEventListener("change", (event) => remote.setDelay(Number(event.target.value) * 1000));
    $("speed").addEventListener("change", (event) => remote.setSpeed(Number(event.target.value)));
    $("reveal").addEventListener("click", () => remote.setReveal(!remote.reveal));
    $("lap-jump").addEventListener("submit", (event) => {
      event.preventDefault();
      if ($("lap-number").value) remote.lap(Number($("lap-number").value));
    });
    let sentAt = 0;
    let was = null;
    this.bar.addEventListener("input", () => {
      if (!this.dragging) was = remote.mode;
      this.dragging = true;
      const now = performance.now();
      if (now - sentAt > SCRUB_MS) {
        sentAt = now;
        remote.pause(Number(this.bar.value));
      }
    });
    this.bar.addEventListener("change", () => {
      this.dragging = false;
      const t = Number(this.bar.value);
      if (was === "pause") remote.pause(t);
      else if (t >= this.span[1] - 1000) remote.live();
      else remote.play(t, was === "live" ? 1 : remote.speed);
      was = null;
    });
    this.bar.addEventListener("pointermove", (event) => this.tell(event));
    this.bar.addEventListener("pointerleave", () => ($("bubble").hidden = true));
  }

  /** What lies under the pointer. */
  tell(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    const t = this.span[0] + part * (this.span[1] - this.span[0]);
    const bubble = $("bubble");
    bubble.hidden = this.span[1] <= this.span[0];
    bubble.textContent = this.sayTime(t);
    bubble.style.setProperty("--x", `${(part * 100).toFixed(2)}%`);
  }

  sayTime(t) {
    const lap = this.history.lapStarts(this.horizon ?? t, this.started).findLast((start) => start.at <= t);
    return lap && t <= (this.horizon ?? t) ? `Lap ${lap.lap} · ${clock(t)}` : clock(t);
  }

  /** Show where we are: `t` on a tape that reaches over `span`; marks only up to `horizon`. `started`: the start's session time; `cars`: selected. */
  render(t, span, horizon, started, cars) {
    const { remote } = this;
    this.span = span;
    this.horizon = horizon;
    this.started = started;
    const bar = this.bar;
    bar.min = span[0];
    bar.max = Math.max(span[0] + 1, span[1]);
    if (!this.dragging) bar.value = t ?? span[1];
    const said = this.sayTime(Number(bar.value));
    if (bar.getAttribute("aria-valuetext") !== said) bar.setAttribute("aria-valuetext", said);
    const part = (ms) => `${(100 * Math.max(0, Math.min(1, (ms - span[0]) / Math.max(1, span[1] - span[0])))).toFixed(2)}%`;
    $("track").style.setProperty("--here", part(Number(bar.value)));
    this.paint(horizon, cars);
    this.buttons();
    if (!remote.settled) return;
    const behind = t === null ? 0 : Math.max(0, span[1] - t);
    $("behind").textContent = remote.mode === "live" ? (remote.delay ? `live, ${(remote.delay / 1000).toFixed(1)} s later` : "") : behind > 1500 ? `${lapTime(behind).replace(/\.\d+$/, "")}${behind < 60000 ? " s" : ""} behind` : "";
  }

  buttons() {
    const { remote } = this;
    const playing = remote.mode !== "pause";
    const state = [remote.mode, remote.delay, remote.speed, remote.reveal].join();
    if (state === this.pressed) return;
    this.pressed = state;
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    $("play-icon").setAttribute("d", playing ? ICONS.pause : ICONS.play);
    $("to-live").setAttribute("aria-pressed", String(remote.mode === "live"));
    $("speed").value = String(remote.mode === "live" ? 1 : remote.speed);
    if (document.activeElement !== $("delay")) $("delay").value = (remote.delay / 1000).toFixed(1);
    $("reveal").setAttribute("aria-pressed", String(remote.reveal));
    $("timeline").dataset.mode = remote.mode;
  }

  /** Laps, flags and stops, on a canvas: they change with every lap, not with every snapshot. */
  paint(horizon, cars) {
    const { canvas, span } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || span[1] <= span[0]) return;
    const painted = [this.history.version(horizon), width, Math.round(span[1] / 10000), span[0], this.started, cars].join();
    if (painted === this.painted) return;
    this.painted = painted;
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    context.scale(ratio, ratio);
    const x = (t) => (width * (t - span[0])) / (span[1] - span[0]);
    for (const { status, from, to } of this.history.statuses(Math.min(horizon, span[1]))) {
      if (!AHEAD[status]) continue;
      context.fillStyle = color(AHEAD[status]);
      context.fillRect(x(from), height - 5, Math.max(1.5, x(to) - x(from)), 5);
    }
    const starts = this.history.lapStarts(horizon, this.started).filter((start) => start.at <= Math.min(horizon, span[1]));
    const wide = starts.length > 1 ? (x(starts.at(-1).at) - x(starts[0].at)) / (starts.length - 1) : width;
    const every = [1, 2, 5, 10, 20, 50].find((step) => wide * step > 26) ?? 100;
    context.font = "600 10px system-ui, sans-serif";
    context.textBaseline = "top";
    for (const { lap, at } of starts) {
      const named = lap === 1 || lap % every === 0;
      context.fillStyle = color("--line-strong");
      context.fillRect(Math.round(x(at)), named ? 10 : 15, 1, height - 5 - (named ? 10 : 15));
      if (!named) continue;
      context.fillStyle = color("--muted");
      context.fillText(String(lap), x(at) + 3, 6);
    }
    for (const stop of this.history.messages(horizon, "pit_in")) {
      if (stop.session_time_ms < (starts[0]?.at ?? 0)) continue;
      const chosen = cars.find((car) => car.number === stop.driver_number);
      if (cars.length && !chosen) continue;
      context.fillStyle = chosen?.color ?? color("--muted");
      context.beginPath();
      context.arc(x(stop.session_time_ms), height - 10, chosen ? 3 : 1.6, 0, Math.PI * 2);
      context.fill();
    }
  }
}

/** Filled once: the choice of speeds. */
export function fillSpeeds(speeds) {
  $("speed").replaceChildren(...speeds.map((speed) => {
    const option = element("option", "", `${speed}×`);
    option.value = String(speed);
    return option;
  }));
}
