// Which panels are shown: chosen by the viewer and remembered in the browser. Panels that make sense in a race only are
// neither shown nor offered in a practice or qualifying.

import { byId, element } from "./dom.js";
import { recall, remember } from "./storage.js";
import { isTimedSession } from "../session/snapshot.js";

const STORED = "panels";

export class PanelChooser {
  /** `onShow()` is called when a hidden panel becomes visible again. */
  constructor(onShow) {
    this.panels = new Map([...document.querySelectorAll("[data-panel]")].map((panel) => [panel.dataset.panel, panel]));
    this.hidden = new Set(rememberedHidden());
    this.timed = false;
    this.choices = new Map(); // by panel
    const list = byId("panel-choices");
    for (const [name, panel] of this.panels) {
      const box = element("input");
      box.type = "checkbox";
      box.checked = !this.hidden.has(name);
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(name);
        else this.hidden.add(name);
        remember(STORED, JSON.stringify([...this.hidden]));
        this.apply();
        if (box.checked) onShow();
      });
      this.choices.set(name, element("label", "", [box, panel.querySelector("h2").textContent]));
    }
    list.append(...this.choices.values());
    this.apply();
  }

  reset() {}

  render({ snapshot }) {
    const timed = isTimedSession(snapshot.race);
    if (timed === this.timed) return;
    this.timed = timed;
    this.apply();
  }

  apply() {
    for (const [name, panel] of this.panels) {
      const offered = !this.timed || panel.dataset.raceOnly === undefined;
      panel.dataset.off = String(!offered || this.hidden.has(name));
      this.choices.get(name).hidden = !offered;
    }
    const [map, control] = [!this.hidden.has("map"), !this.hidden.has("control")];
    document.querySelector(".live").dataset.side = map && control ? "both" : map ? "map" : control ? "control" : "none";
  }
}

function rememberedHidden() {
  try {
    const hidden = JSON.parse(recall(STORED));
    return Array.isArray(hidden) ? hidden : [];
  } catch {
    return [];
  }
}
