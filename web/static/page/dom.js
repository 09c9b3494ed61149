// DOM helpers shared by all panels. Text from the feed is only ever set as textContent, never as markup.

export const byId = (id) => document.getElementById(id);

/** How large the page's type is: 1 at a root font size of 16 px, more in large windows. Canvases are drawn by it. */
export function rem() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}

/** An element with a class name and either text or a list of children. */
export function element(tag, className = "", content = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (Array.isArray(content)) node.append(...content);
  else node.textContent = content;
  return node;
}

/** Set an element's text only if it differs: an unchanged node is not announced, laid out or painted again. */
export function setText(id, value) {
  const node = byId(id);
  if (node.textContent !== String(value)) node.textContent = value;
}

/** A table cell whose column is named in `data-col`. */
export function cell(column, content) {
  const node = element("td", "", content);
  node.dataset.col = column;
  return node;
}

/** A symbol with its meaning as text for screen readers, which do not read the symbol. */
export function symbol(character, className, meaning) {
  const visible = element("b", `mark ${className}`, character);
  visible.setAttribute("aria-hidden", "true");
  return element("span", "", [visible, element("span", "sr", ` ${meaning}`)]);
}

/** Places gained (positive) or lost, as an arrow. `character` is the visible text, by default only the arrow. */
export function placesGained(places, character = places > 0 ? "▲" : "▼") {
  const word = places > 0 ? "gained" : "lost";
  return symbol(character, `change ${word}`, `${Math.abs(places)} ${word}`);
}

/** Row header of a list: three-letter code and surname; a team has only its name. The full name is the tooltip. */
export function driverCell(code, name, team) {
  const node = element("th", "", [element("span", "names", code ? [element("b", "tla", code), element("span", "name", surname(name))] : [element("b", "tla", name)])]);
  node.scope = "row";
  node.dataset.col = "driver";
  node.title = [name, team].filter(Boolean).join(", ");
  return node;
}

export function surname(name) {
  return name.split(" ").slice(1).join(" ") || name;
}
