// The page's panels: an error in one of them leaves the others running.
//
// A panel has `render(view)`, called several times a second, and `reset()`, called when another session or another run
// begins. `view` is what is shown: see `viewOf` in main.js.

import { element } from "./dom.js";

const RETRY_MS = 5000; // wall time until a failed panel is rendered again
const ROUND_MS = 12; // wall time after which the remaining panels wait for the next frame of the display

export class Panels {
  /** `panels` are `{place, panel}`: `place` is the element that says so when its panel fails, or null. */
  constructor(panels) {
    this.panels = panels.map((each) => ({ ...each, failedAt: null, notice: null }));
    this.next = 0; // the panel to be rendered next
  }

  reset() {
    this.next = 0;
    for (const each of this.panels) this.guard(each, 0, () => each.panel.reset());
  }

  /**
   * Render all panels; `view.now` is performance.now(). The first rendering of a session takes long: if it took more than
   * `ROUND_MS` so far, the next call goes on. Returns whether all panels are rendered.
   */
  render(view) {
    const begin = performance.now();
    do {
      const each = this.panels[this.next];
      this.next = (this.next + 1) % this.panels.length;
      if (each.failedAt === null || view.now - each.failedAt >= RETRY_MS) this.guard(each, view.now, () => each.panel.render(view));
    } while (this.next !== 0 && performance.now() - begin < ROUND_MS);
    return this.next === 0;
  }

  /** Call a panel. If it fails, say so in its place and report the error like an uncaught one; the others go on. */
  guard(each, now, call) {
    try {
      call();
      if (each.failedAt === null) return;
      each.failedAt = null;
      each.notice?.remove();
    } catch (error) {
      if (each.failedAt === null) reportError(error);
      each.failedAt = now;
      each.notice ??= element("p", "failed", "This panel has an error and is not up to date. The others go on.");
      each.place?.append(each.notice);
    }
  }
}
