// Which panels are shown: chosen by the viewer and remembered in the browser.

import { byId, element } from "./dom.js";
import { recall, remember } from "./storage.js";

const STORED = "panels";

export class PanelChooser {
  /** `onShow()` is called when a hidden panel becomes visible again. */
  constructor(onShow) {
    this.panels = new Map([...document.querySelectorAll("[data-panel]")].map((panel) => [panel.dataset.panel, panel]));
    this.hidden = new Set(rememberedHidden());
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
      list.append(element("label", "", [box, panel.querySelector("h2").textContent]));
    }
    this.apply();
  }

  apply() {
    for (const [name, panel] of this.panels) panel.dataset.off = String(this.hidden.has(name));
    document.querySelector(".live").dataset.side = String(!this.hidden.has("map") || !this.hidden.has("control"));
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
