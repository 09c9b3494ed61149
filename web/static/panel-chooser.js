// Which panels are shown: chosen by the viewer and remembered.

import { element } from "./tower/tower.js";

const KEY = "f1stream.panels";

export class PanelChooser {
  /** `onShow()` when a panel has come to light. */
  constructor(onShow) {
    this.panels = new Map([...document.querySelectorAll("[data-panel]")].map((panel) => [panel.dataset.panel, panel]));
    this.hidden = new Set(remembered());
    const list = document.getElementById("panel-choices");
    for (const [name, panel] of this.panels) {
      const box = element("input");
      box.type = "checkbox";
      box.checked = !this.hidden.has(name);
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(name);
        else this.hidden.add(name);
        localStorage.setItem(KEY, JSON.stringify([...this.hidden]));
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

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}
