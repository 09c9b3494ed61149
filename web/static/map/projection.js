// From track coordinates (the feed's 1/10 m, y up) to pixels of the canvas (y down).

const MIN_EXTENT = 1000; // 1/10 m: a smaller area is not enlarged further
const TURN_GAIN = 1.12; // a quarter turn is made only if it enlarges the track by more than this factor

/**
 * A function `(x, y) => [px, py]` that fits `points` into a canvas of `width` by `height` pixels with a margin. It turns
 * by `rotation` degrees as the official map does; if that is null, by a quarter where the track then fills the canvas
 * better.
 */
export function fitProjection(points, rotation, width, height, margin) {
  const turned = (degrees) => {
    const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    const xs = points.map(([x, y]) => x * cos - y * sin);
    const ys = points.map(([x, y]) => x * sin + y * cos);
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = Math.min((width - 2 * margin) / Math.max(MIN_EXTENT, right - left), (height - 2 * margin) / Math.max(MIN_EXTENT, high - low));
    return { cos, sin, scale, middleX: (left + right) / 2, middleY: (low + high) / 2 };
  };
  const [straight, quarter] = [turned(0), turned(-90)];
  const { cos, sin, scale, middleX, middleY } = rotation != null ? turned(rotation) : quarter.scale > straight.scale * TURN_GAIN ? quarter : straight;
  return (x, y) => [width / 2 + (x * cos - y * sin - middleX) * scale, height / 2 - (x * sin + y * cos - middleY) * scale];
}
