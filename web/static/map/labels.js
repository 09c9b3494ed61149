// Places the labels of the map beside their cars without overlaps. Cars earlier in the list choose first.

const SIDES = [
  [1, -1], [1, 1], [-1, -1], [-1, 1], [0, -1.25], [0, 1.25], [1.25, 0], [-1.25, 0],
]; // prettier-ignore
const DISTANCES = [1, 2];
const CAR_PX = 10; // side of the square around a car that labels keep free
const EDGE_PX = 2; // between a label and the edge of the map
const MIN_ASIDE = 0.4; // a remembered side closer to the car's direction than this is chosen again

const GROUP_PX = 30; // cars in the pit lane or after the flag this close to the first of them are a group
const GROUP_CARS = 4; // fewer have a label each
const GATHERED = new Set(["pit", "finished"]); // statuses of cars that gather in one place

/**
 * The cars to label, in the same order, where a crowd in the pit lane or the parc fermé has one label: the first car's, with
 * the number of the others behind it. Selected cars keep their own.
 */
export function groupLabels(cars) {
  const groups = [];
  const groupOf = new Map();
  for (const car of cars) {
    if (!GATHERED.has(car.code) || car.selected) continue;
    let group = groups.find(([first]) => Math.hypot(car.x - first.x, car.y - first.y) < GROUP_PX);
    if (!group) groups.push((group = []));
    group.push(car);
    groupOf.set(car, group);
  }
  return cars.flatMap((car) => {
    const group = groupOf.get(car);
    if (!group || group.length < GROUP_CARS) return [car];
    return car === group[0] ? [{ ...car, text: `${car.text} +${group.length - 1}` }] : [];
  });
}

/**
 * Choose a place for each label: `{id: {x, y}}` with the middle of each label in pixels; a car without room has none.
 *
 * `cars` are `{id, x, y, width, heading}` in order of importance and in pixels; `heading` is a unit vector or null.
 * Labels at right angles to the heading are preferred, because they cover less of the track. `height` is a label's,
 * `bounds` the map's `{width, height}`. `memory` is a Map that the caller keeps: a label stays on its side while that
 * is free, because a label that jumps is harder to read than one that overlaps the track a little.
 */
export function placeLabels(cars, height, bounds, memory) {
  const taken = cars.map((car) => box(car.x, car.y, CAR_PX, CAR_PX));
  const placed = {};
  cars.forEach((car, index) => {
    for (const choice of choices(car.heading, memory.get(car.id))) {
      const [side, distance] = choice;
      const x = car.x + side[0] * (car.width / 2 + 7) * (side[0] && distance > 1 ? 1.3 : 1);
      const y = car.y + side[1] * (height / 2 + 5) * distance;
      const wanted = box(x, y, car.width + 2, height + 1);
      if (wanted.left < EDGE_PX || wanted.top < EDGE_PX || wanted.right > bounds.width - EDGE_PX || wanted.bottom > bounds.height - EDGE_PX) continue;
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

const CHOICES = DISTANCES.flatMap((distance) => SIDES.map((side) => [side, distance]));

/** All places, the best first. */
function* choices(heading, remembered) {
  if (remembered && aside(remembered, heading) > MIN_ASIDE) yield remembered;
  yield* heading ? [...CHOICES].sort((a, b) => a[1] - b[1] || aside(b, heading) - aside(a, heading)) : CHOICES;
}

/** 1 at right angles to the heading, 0 along it. */
function aside([side], heading) {
  return heading ? Math.abs(side[0] * heading[1] - side[1] * heading[0]) / Math.hypot(...side) : 1;
}

function box(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
