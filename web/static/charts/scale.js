// Scales and ticks of the charts' axes.

/** A function from a value to pixels, with its `invert`. `from` and `to` are `[low, high]`; either may fall. */
export function linear([a, b], [p, q]) {
  const factor = (q - p) / (b - a || 1);
  const scale = (value) => p + (value - a) * factor;
  scale.invert = (pixel) => a + (pixel - p) / (factor || 1);
  return scale;
}

/** Round values from `low` to `high`, at most about `count` of them; `whole`: integers only. */
export function niceTicks(low, high, count, whole = false) {
  if (!(high > low)) return [low];
  const step = niceStep((high - low) / Math.max(1, count), whole);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function niceStep(rough, whole) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough * 0.999) ?? 10);
  return whole ? Math.max(1, step) : step;
}

/** Ticks of a duration in ms: full minutes, in steps such as 5, 10 or 30. */
export function minuteTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count) / 60000;
  const step = ([1, 2, 5, 10, 15, 20, 30, 60].find((each) => each >= rough) ?? Math.ceil(rough / 60) * 60) * 60000;
  const ticks = [];
  for (let t = Math.ceil(low / step) * step; t <= high; t += step) ticks.push(t);
  return ticks;
}
