// Plotly, when the first chart comes into sight: it is large, and the page does not wait for it.

const SOURCE = "/vendor/plotly.min.js";
let asked = null;

/** Resolves to Plotly; rejects when it cannot be had (the next call tries again). */
export function plotly() {
  asked ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SOURCE;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      asked = null;
      script.remove();
      reject(new Error("the charts' library could not be loaded"));
    };
    document.head.append(script);
  });
  return asked;
}

export const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };

/** A text of a record as Plotly shows it letter by letter: it knows some markup, links too, and `%{…}` in templates. */
export function plain(text) {
  return String(text ?? "").replace(/[&<>%]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

/** The page's colours, for a library that does not know CSS. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

/** A layout in the page's look; `x` and `y` are axes as Plotly has them, `more` goes over all. */
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

const STATUS = { 2: "--yellow", 4: "--safety", 5: "--red", 6: "--safety", 7: "--safety" };

/** Flags as shaded stretches; `at` turns session time into the chart's x. */
export function shades(statuses, at) {
  const color = colours();
  return statuses.flatMap(({ status, from, to }) => {
    const [x0, x1] = [at(from), at(to)];
    return STATUS[status] && x1 > x0 ? [{ type: "rect", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1, line: { width: 0 }, fillcolor: color(STATUS[status]), opacity: 0.16, layer: "below" }] : [];
  });
}

/** Session time as laps of the leader, with parts: 12.5 is the middle of lap 13. */
export function inLaps(starts, last) {
  return (t) => {
    if (!starts.length || t <= starts[0].at) return 0;
    const i = starts.findLastIndex((start) => start.at <= t);
    const next = starts[i + 1]?.at ?? Math.max(last, starts[i].at + 1);
    return starts[i].lap - 1 + Math.min(1, (t - starts[i].at) / (next - starts[i].at));
  };
}
