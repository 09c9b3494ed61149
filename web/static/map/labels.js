// Where the names on the map go: beside their car, not on each other. The cars ahead choose first.

const SIDES = [
  [1, -1], [1, 1], [-1, -1], [-1, 1], [0, -1.25], [0, 1.25], [1.25, 0], [-1.25, 0],
]; // prettier-ignore
const REACHES = [1, 2];

/**
 * Choose a place for each label. `cars` in order of importance: `{id, x, y, width, heading}` in pixels, heading
 * [dx, dy] of length 1 or null: beside the road a name covers less of it than before or behind; `height` of a label, `bounds` {width, height} of the snapshot; `memory` a Map kept from call to call: a label stays on its
 * side while that is free, because names that hop are harder to read than names that overlap a little.
 * Returns `{id: {x, y}}` with the middle of each label; a car without room has none.
 */
export function placeLabels(cars, height, bounds, memory) {
  const taken = cars.map((car) => box(car.x, car.y, 10, 10));
  const placed = {};
  cars.forEach((car, index) => {
    for (const choice of choices(car.heading, memory.get(car.id))) {
      const [side, reach] = choice;
      const x = car.x + side[0] * (car.width / 2 + 7) * (side[0] && reach > 1 ? 1.3 : 1);
      const y = car.y + side[1] * (height / 2 + 5) * reach;
      const wanted = box(x, y, car.width + 2, height + 1);
      if (wanted.left < 2 || wanted.top < 2 || wanted.right > bounds.width - 2 || wanted.bottom > bounds.height - 2) continue;
      if (taken.some((other, i) => i !== index && overlap(wanted, other))) continue;
      taken.push(wanted);
      placed[car.id] = { x, y };
      memory.set(car.id, choice);
      return;
    }
    memory.delete(car.id);
  });
  return placed;
}

const CHOICES = REACHES.flatMap((reach) => SIDES.map((side) => [side, reach]));

function* choices(heading, remembered) {
  if (remembered && beside(remembered, heading) > 0.4) yield remembered;
  yield* heading ? [...CHOICES].sort((a, b) => a[1] - b[1] || beside(b, heading) - beside(a, heading)) : CHOICES;
}

/** 1 straight beside the road, 0 on it. */
function beside([side], heading) {
  return heading ? Math.abs(side[0] * heading[1] - side[1] * heading[0]) / Math.hypot(...side) : 1;
}

function box(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
