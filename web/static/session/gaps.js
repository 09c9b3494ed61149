// The gaps that the page shows. The feed's official gap is shown where there is one, but the feed sends it when a car
// passes a loop: that of a car that stands is as old as its last one, and less than those of the cars ahead of it.

/**
 * Gap and interval by column index: `{gap, interval}`, each `{ms, laps, official}`; `official` is false for a measured one.
 * `order` are the column indices of a race from first to last. Gaps rise with position: an official gap less than that
 * shown for the car ahead gives way to the measured one, and that is not less either.
 */
export function gapsToShow(snapshot, order) {
  const shown = new Map();
  let most = { ms: 0, laps: 0 };
  for (const i of order) {
    const car = snapshot.cars[snapshot.head.cars[i].driver_number] ?? {};
    const { gap, interval } = officialGaps(car);
    const measured = { ms: snapshot.gap[i], laps: car.laps_down ?? 0, official: false };
    const chosen = gap && !isLess(gap, most) ? gap : isLess(measured, most) ? { ...most, official: false } : measured;
    const isReplaced = gap && chosen !== gap;
    shown.set(i, {
      gap: chosen,
      interval: (!isReplaced && interval) || { ms: snapshot.interval[i], laps: car.interval_laps ?? 0, official: false },
    });
    if (chosen.ms != null || chosen.laps > 0) most = { ms: chosen.ms, laps: chosen.laps };
  }
  return shown;
}

/** A car's official gap and interval: `{gap, interval}`, null where the feed sends none. */
export function officialGaps(car) {
  return { gap: official(car, "gap"), interval: official(car, "interval") };
}

function official(car, name) {
  const [ms, laps] = [car[`official_${name}_ms`], car[`official_${name}_laps`]];
  return ms != null || laps > 0 ? { ms, laps: laps ?? 0, official: true } : null;
}

/** Whether a gap is less than another; an unknown one is not, nor does a lapped car's rest count. */
function isLess(a, b) {
  if (a.laps !== b.laps) return a.laps < b.laps && (a.ms != null || a.laps > 0);
  return a.laps === 0 && a.ms != null && a.ms < (b.ms ?? 0);
}
