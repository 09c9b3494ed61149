// Cars, their labels and trails on the map. Places are pixels of the canvas.

const LABEL_GLIDE = 0.25; // fraction of the way to its new place that a label moves per drawn frame

/** Paint a car as a dot; one that is out as a cross. The team's second car has a hollow dot. */
export function paintCar(context, view, { x, y, color, second, code, selected }) {
  const radius = (view.small ? 4 : 5) + (selected ? 2 : 0);
  const out = code === "retired" || code === "out";
  context.globalAlpha = out ? 0.45 : code === "stale" ? 0.6 : 1;
  context.lineWidth = 2;
  if (out) {
    context.strokeStyle = color;
    context.beginPath();
    context.moveTo(x - 4, y - 4);
    context.lineTo(x + 4, y + 4);
    context.moveTo(x + 4, y - 4);
    context.lineTo(x - 4, y + 4);
    context.stroke();
  } else {
    context.beginPath();
    context.arc(x, y, code === "pit" ? radius - 1.5 : radius, 0, Math.PI * 2);
    context.fillStyle = color;
    context.strokeStyle = view.colors[selected ? "--text" : "--bg"];
    context.fill();
    context.stroke();
    if (second) {
      // Team mates have the same colour.
      context.beginPath();
      context.arc(x, y, 1.9, 0, Math.PI * 2);
      context.fillStyle = view.colors["--bg"];
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

/** Paint a car's label. `offsets` has each label's offset from its car and moves towards `place`. */
export function paintLabel(context, view, car, place, height, offsets) {
  const wanted = { dx: place.x - car.x, dy: place.y - car.y };
  const offset = offsets.get(car.id) ?? wanted;
  offset.dx += (wanted.dx - offset.dx) * LABEL_GLIDE;
  offset.dy += (wanted.dy - offset.dy) * LABEL_GLIDE;
  offsets.set(car.id, offset);
  const [x, y] = [car.x + offset.dx, car.y + offset.dy];
  context.globalAlpha = car.code === "stale" ? 0.75 : 1;
  context.fillStyle = view.colors["--label"];
  context.beginPath();
  context.roundRect(x - car.width / 2, y - height / 2, car.width, height, 3);
  context.fill();
  context.fillStyle = car.color;
  context.fillRect(x - car.width / 2, y - height / 2 + 2, 2, height - 4);
  context.fillStyle = car.code === "pit" || car.code === "stale" ? view.colors["--muted"] : view.colors["--text"];
  context.fillText(car.text, x + 1, y + 0.5);
  context.globalAlpha = 1;
}

/** Paint where a selected car has been, older parts thinner and fainter. `trail` is `[{x, y}]` in 1/10 m. */
export function paintTrail(context, { screen }, trail, color) {
  context.strokeStyle = color;
  context.lineCap = "round";
  for (let i = 1; i < trail.length; i++) {
    context.globalAlpha = (0.75 * i) / trail.length;
    context.lineWidth = 1 + (4 * i) / trail.length;
    context.beginPath();
    context.moveTo(...screen(trail[i - 1].x, trail[i - 1].y));
    context.lineTo(...screen(trail[i].x, trail[i].y));
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Paint rings around points that another panel highlights: `[{x, y, color}]` in 1/10 m. */
export function paintPoints(context, { screen }, points) {
  for (const { x, y, color } of points) {
    context.beginPath();
    context.arc(...screen(x, y), 7, 0, Math.PI * 2);
    context.lineWidth = 3;
    context.strokeStyle = color;
    context.stroke();
  }
}
