// Formats numbers as text. All times are integer milliseconds; null is unknown and becomes a dash.

export const NONE = "–";

/** A lap or sector time: 1:19.813, or 26.412 below a minute. */
export function lapTime(ms) {
  if (ms == null) return NONE;
  const minutes = Math.floor(ms / 60000);
  const seconds = ((ms % 60000) / 1000).toFixed(3);
  return minutes ? `${minutes}:${seconds.padStart(6, "0")}` : seconds;
}

/** A sector time no wider than 26.412: with tenths from one minute, in whole seconds from ten minutes. */
export function sectorTime(ms) {
  if (ms == null || ms < 60000) return lapTime(ms);
  const [unit, cut] = ms < 600000 ? [100, 2] : [1000, 4];
  return lapTime(Math.round(ms / unit) * unit).slice(0, -cut);
}

/** A gap: laps if there is at least one, else seconds. */
export function gap(ms, laps) {
  if (laps > 0) return `+${laps} ${laps === 1 ? "LAP" : "LAPS"}`;
  return ms == null ? NONE : `+${lapTime(Math.max(0, ms))}`;
}

/** The time of a whole race: 1:42:06.304. */
export function raceTime(ms) {
  if (ms == null) return NONE;
  const hours = Math.floor(ms / 3_600_000);
  const rest = lapTime(ms % 3_600_000);
  if (!hours) return rest;
  return `${hours}:${rest.includes(":") ? rest.padStart(9, "0") : `00:${rest.padStart(6, "0")}`}`;
}

/** A session time: 1:02:33. */
export function clock(ms) {
  if (ms == null) return NONE;
  const sign = ms < 0 ? "-" : "";
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${sign}${h}:${String(m).padStart(2, "0")}:${String(s).padStart(2, "0")}`;
}

/** The remaining session time, rounded up to seconds: 12:34, or 1:00:00. */
export function countdown(ms) {
  return ms == null ? NONE : clock(Math.ceil(ms / 1000) * 1000).replace(/^0:/, "");
}

/** How long ago, in units coarse enough not to flicker: now, 12 s, 3 min, 2 h. */
export function age(ms) {
  if (ms == null) return NONE;
  if (ms < 1000) return "now";
  if (ms < 60000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)} min`;
  return `${Math.floor(ms / 3600000)} h`;
}

/** A playback rate such as 4×, rounded; empty at the session's own pace. */
export function pace(rate) {
  if (!Number.isFinite(rate) || (rate > 0.88 && rate < 1.15)) return "";
  if (rate < 0.88) return `${Math.max(0.05, Math.round(rate * 20) / 20)}×`;
  if (rate < 9.5) return `${Math.round(rate * 2) / 2}×`;
  return `${rate < 95 ? Math.round(rate / 5) * 5 : Number(rate.toPrecision(1))}×`;
}

/** A team's colour as CSS; grey if `hex` is not six hexadecimal digits. */
export function teamColor(hex) {
  return /^[0-9a-f]{6}$/i.test(hex ?? "") ? `#${hex}` : "#8a94a3";
}
