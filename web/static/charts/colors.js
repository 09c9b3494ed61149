// Colours of the charts: the theme's variables, and team colours that can be read on the theme's panels.

const TEXT_CONTRAST = 4.5; // WCAG: of small text
const LINE_CONTRAST = 2.6; // of a line with its name at its end

let cached = null;
window.addEventListener("themechange", () => (cached = null));

/**
 * The colours of the present theme, always the same object until the theme changes. `get(name)` is a CSS variable's
 * value; `text(hex)` and `line(hex)` are the colour, mixed with the text colour as far as its contrast demands.
 */
export function themeColors() {
  return (cached ??= read());
}

function read() {
  const style = getComputedStyle(document.documentElement);
  const values = new Map();
  const get = (name) => {
    if (!values.has(name)) values.set(name, style.getPropertyValue(name).trim());
    return values.get(name);
  };
  const [panel, ink] = [get("--panel"), get("--text")];
  const mixed = (ratio) => {
    const known = new Map();
    return (hex) => {
      if (!known.has(hex)) known.set(hex, readable(hex, panel, ink, ratio));
      return known.get(hex);
    };
  };
  return { get, text: mixed(TEXT_CONTRAST), line: mixed(LINE_CONTRAST), font: getComputedStyle(document.body).fontFamily };
}

/** `hex` mixed with `ink` in steps until its contrast on `surface` is at least `ratio`; all three are hexadecimal. */
export function readable(hex, surface, ink, ratio) {
  const [from, to] = [channels(hex), channels(ink)];
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = `#${from.map((value, i) => Math.round(value + (to[i] - value) * part).toString(16).padStart(2, "0")).join("")}`;
    if (contrast(mixed, surface) >= ratio) return mixed;
  }
  return ink;
}

/** The contrast of two colours by WCAG: 1 to 21. */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex) {
  const [r, g, b] = channels(hex).map((value) => (value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Red, green and blue (0 to 255) of `#abc` or `#aabbcc`. */
function channels(hex) {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit) : hex.slice(1).match(/../g);
  return digits.map((pair) => parseInt(pair, 16));
}
