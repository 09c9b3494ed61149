// Names at the ends of lines: beside their line as far as they do not overlap, moved apart where they would.

const ROW_PX = 12; // height of a name

/**
 * Places of names in a column: `items` are `{y, rank}` with the height wanted (px); the result are those for which there
 * is room between `top` and `bottom`, as `{item, y}` from top to bottom. Those of the greatest rank give way.
 */
export function column(items, top, bottom, row = ROW_PX) {
  const fitting = Math.max(1, Math.floor((bottom - top) / row) + 1);
  const kept = [...items].sort((a, b) => a.rank - b.rank).slice(0, fitting).sort((a, b) => a.y - b.y || a.rank - b.rank);
  const placed = kept.map((item) => ({ item, y: Math.max(top, Math.min(bottom, item.y)) }));
  for (let i = 1; i < placed.length; i++) placed[i].y = Math.max(placed[i].y, placed[i - 1].y + row);
  let limit = bottom;
  for (let i = placed.length - 1; i >= 0 && placed[i].y > limit; i--) {
    placed[i].y = limit;
    limit -= row;
  }
  return spread(placed, items, top, bottom, row);
}

/** Names that were pushed down only go back up by half, so that a group stands around its lines. */
function spread(placed, items, top, bottom, row) {
  let begin = 0;
  for (let i = 1; i <= placed.length; i++) {
    if (i < placed.length && placed[i].y - placed[i - 1].y <= row + 0.01) continue;
    const group = placed.slice(begin, i);
    const off = group.reduce((sum, each) => sum + each.y - each.item.y, 0) / group.length;
    const above = begin ? placed[begin - 1].y + row : top;
    const below = i < placed.length ? placed[i].y - row : bottom;
    const shift = Math.max(above - group[0].y, Math.min(below - group.at(-1).y, -off));
    for (const each of group) each.y += shift;
    begin = i;
  }
  return placed;
}
