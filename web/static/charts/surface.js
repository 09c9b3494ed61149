// A place for drawing: two canvases, one over the other, at the display's resolution, and whether they can be seen.
// The lower one has the chart; the upper one has what moves: the cursor and what is under the pointer.

import { element, rem } from "../page/dom.js";

const IN_VIEW = 0.12; // part of the place's area; some pixels at the edge of the window do not count

export class Surface {
  /** `onChange()` is called when the place has come into view, or when its size has changed. */
  constructor(place, onChange) {
    this.visible = false;
    [this.width, this.height] = [0, 0]; // in units of the chart
    this.zoom = 1; // CSS pixels of a unit: charts grow with the page's type
    this.canvases = [0, 1].map(() => element("canvas"));
    for (const canvas of this.canvases) canvas.setAttribute("aria-hidden", "true");
    place.prepend(...this.canvases);
    new IntersectionObserver((changes) => {
      const visible = changes.at(-1).intersectionRatio >= IN_VIEW;
      if (visible === this.visible) return;
      this.visible = visible;
      if (visible) onChange();
    }, { threshold: [0, IN_VIEW, IN_VIEW * 1.5] }).observe(place);
    new ResizeObserver(([{ contentRect }]) => {
      this.zoom = rem();
      [this.width, this.height] = [Math.round(contentRect.width / this.zoom), Math.round(contentRect.height / this.zoom)];
      onChange();
    }).observe(place);
  }

  /** What a drawing depends on. */
  get inputs() {
    return [this.width, this.height, this.zoom, window.devicePixelRatio];
  }

  /** An empty context for the chart. */
  chart() {
    return this.clear(0);
  }

  /** An empty context for what moves. */
  overlay() {
    return this.clear(1);
  }

  clear(i) {
    const canvas = this.canvases[i];
    const ratio = (window.devicePixelRatio || 1) * this.zoom;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    const context = canvas.getContext("2d");
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    else context.reset?.();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }
}
