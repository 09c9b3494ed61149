// The small box beside the pointer, or beside the highlighted lap when the keyboard moves it.

import { element } from "../page/dom.js";

export class Tooltip {
  constructor(place) {
    this.place = place;
    this.box = element("div", "chart-tip");
    this.box.hidden = true;
    place.append(this.box);
  }

  /**
   * Show `{title, rows}` at pixels `x`, `y` of the place. A row is `{color, dash, name, text}`. `spoken`: screen readers
   * read it, because the keyboard has moved it.
   */
  show({ title, rows }, x, y, spoken) {
    this.box.setAttribute("aria-live", spoken ? "polite" : "off");
    const text = [title, ...rows.map((row) => `${row.name} ${row.text}`)].join("\n");
    if (text !== this.text || this.box.hidden) {
      this.text = text;
      this.box.replaceChildren(element("strong", "", title), ...rows.map(line));
      this.box.hidden = false;
    }
    const [width, height] = [this.box.offsetWidth, this.box.offsetHeight];
    const room = { width: this.place.clientWidth, height: this.place.clientHeight };
    const left = x + 14 + width <= room.width ? x + 14 : Math.max(2, x - 14 - width);
    const top = Math.max(2, Math.min(room.height - height - 2, y - height / 2));
    this.box.style.setProperty("transform", `translate(${Math.round(left)}px, ${Math.round(top)}px)`);
  }

  hide() {
    this.box.hidden = true;
    this.text = null;
  }
}

function line({ color, dash, name, text }) {
  const swatch = element("i", dash ? "dashed" : "");
  if (color) swatch.style.setProperty("--team", color);
  else swatch.className = "none";
  return element("span", "", [swatch, element("em", "", name), element("span", "", text)]);
}
