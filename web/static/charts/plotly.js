// Loads Plotly when the first chart comes into view (it is large, and the page does not wait for it), and gives its
// charts the page's look.

import { trackStatusOf } from "../page/flags-and-compounds.js";

const SOURCE = "/vendor/plotly.min.js";
let loading = null;

/** Resolves to Plotly; rejects if it cannot be loaded, and the next call tries again. */
export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SOURCE;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("the chart library could not be loaded"));
    };
    document.head.append(script);
  });
  return loading;
}

export const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };

/** Escapes a text from a record: Plotly interprets some HTML, including links, and `%{…}` in templates. */
export function plain(text) {
  return String(text ?? "").replace(/[&<>%]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

/** A function from a CSS variable's name to its value: Plotly does not read CSS variables. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

/** A Plotly layout in the page's look; `x` and `y` are Plotly axes, `more` overrides all other fields. */
export function layout(x, y, more = {}) {
  const color = colours();
  const axis = { gridcolor: color("--line"), linecolor: color("--line-strong"), zerolinecolor: color("--line-strong"), tickfont: { size: 11 }, title: { font: { size: 11 }, standoff: 6 }, automargin: true, fixedrange: false };
  const merged = (own) => ({ ...axis, ...own, title: { ...axis.title, ...(typeof own?.title === "string" ? { text: own.title } : own?.title) } });
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, uirevision: "kept", hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: color("--muted") },
    hoverlabel: { bgcolor: color("--raised"), bordercolor: color("--line-strong"), font: { color: color("--text"), size: 12 } },
    margin: { l: 44, r: 44, t: 8, b: 34 },
    ...more, xaxis: merged(x), yaxis: merged(y),
  };
}

/** Periods of flags as shaded areas; `at` maps session time (ms) to the chart's x. */
export function flagShapes(statuses, at) {
  const color = colours();
  return statuses.flatMap(({ status, from, to }) => {
    const [x0, x1] = [at(from), at(to)];
    const shade = trackStatusOf(status)?.color;
    return shade && x1 > x0 ? [{ type: "rect", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1, line: { width: 0 }, fillcolor: color(shade), opacity: 0.16, layer: "below" }] : [];
  });
}

/** A function from session time (ms) to the leader's laps with their fraction: 12.5 is the middle of lap 13. */
export function lapScale(starts, last) {
  return (t) => {
    if (!starts.length || t <= starts[0].at) return 0;
    const i = starts.findLastIndex((start) => start.at <= t);
    const next = starts[i + 1]?.at ?? Math.max(last, starts[i].at + 1);
    return starts[i].lap - 1 + Math.min(1, (t - starts[i].at) / (next - starts[i].at));
  };
}
