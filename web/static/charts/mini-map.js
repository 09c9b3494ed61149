// The small track map of the comparison, with both cars' places at the distance under the pointer.

import { fitProjection } from "../map/projection.js";

const MARGIN_PX = 16;
const NUMBERS_PX = 150; // a smaller map has no corner numbers

export class MiniMap {
  constructor(head) {
    this.head = head;
    this.exists = Boolean(head.outline?.length);
  }

  /** A function from the feed's coordinates to pixels of a box. */
  screen({ left, top, width, height }) {
    const project = fitProjection(this.head.outline, this.head.rotation, width, height, MARGIN_PX);
    return (x, y) => {
      const [px, py] = project(x, y);
      return [px + left, py + top];
    };
  }

  paint(plot, box) {
    const { context, colors } = plot;
    const screen = this.screen(box);
    context.beginPath();
    for (const [x, y] of this.head.outline) context.lineTo(...screen(x, y));
    context.closePath();
    plot.stroke(colors.get("--track-edge"), 7);
    plot.stroke(colors.get("--track"), 3.5);
    const [x, y] = screen(...this.head.outline[0]);
    plot.dot(x, y, 3, colors.get("--text"));
    if (box.height < NUMBERS_PX) return;
    const [cx, cy] = [box.left + box.width / 2, box.top + box.height / 2];
    for (const [name, cornerX, cornerY] of this.head.corners ?? []) {
      const [px, py] = screen(cornerX, cornerY);
      const away = Math.hypot(px - cx, py - cy) || 1;
      plot.text(name, px + ((px - cx) / away) * 11, py + ((py - cy) / away) * 11, { align: "center", size: 9, weight: 600, halo: true });
    }
  }

  paintCars(plot, box, points) {
    const screen = this.screen(box);
    for (const { x, y, color } of points.toReversed()) plot.dot(...screen(x, y), 5, color, plot.colors.get("--text"), 1.2);
  }
}
