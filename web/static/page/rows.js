// Changes lists without making their rows again: a focused button keeps the focus, and screen readers are not disturbed.

/** Make `nodes` the children of `parent`, in this order. The child with the focus is not moved: it would lose it. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  const focused = nodes.find((node) => node.parentElement === parent && node.contains(document.activeElement));
  let next = parent.firstElementChild;
  for (const node of nodes) {
    while (node === focused && next !== node) {
      const later = next;
      next = next.nextElementSibling;
      parent.append(later);
    }
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}

/** Show `rows` in `parent`. A row that is there already, by `dataset.key`, stays; only its cells that differ are replaced. */
export function updateRows(parent, rows) {
  const known = new Map([...parent.children].map((row) => [row.dataset.key, row]));
  arrange(parent, rows.map((row) => updated(known.get(row.dataset.key), row)));
}

/** `old` with the contents of `row`, or `row` if the two differ in more than their cells. */
function updated(old, row) {
  if (!old || old.children.length !== row.children.length || !old.cloneNode().isEqualNode(row.cloneNode())) return row;
  [...row.children].forEach((cell, i) => {
    if (!cell.isEqualNode(old.children[i])) old.children[i].replaceWith(cell);
  });
  return old;
}
