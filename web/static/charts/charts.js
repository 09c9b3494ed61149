// The charts over a session, and what the viewer points at in one of them.

import { Chart } from "./chart.js";
import { Highlight } from "./highlight.js";
import { laptimes } from "./laptimes.js";
import { positions } from "./positions.js";
import { strategy } from "./strategy.js";
import { trace } from "./trace.js";
import { weather } from "./weather.js";

/** The charts by name; they share one highlight. */
export function sessionCharts(playback) {
  const highlight = new Highlight();
  return new Map([trace, positions, laptimes, strategy, weather].map((kind) => [kind.name, new Chart(kind, highlight, playback)]));
}
