// How one track gives way to the next: by a fade at once, or on a bar, in one tempo while both are heard.

const WITHIN = 0.06; // a tempo is changed by no more than this
const PREPARE_S = 0.9; // to fetch the next track
const RUN_S = 1.2; // it runs silently so long, and is brought to the beat
const LEAST_S = 0.4;
export const DRIFT_S = 8; // in which it goes back to its own tempo afterwards

/** The rate at which `bpm` has the beat of `wanted`, half and double too; 0 where none is near. */
export function rateFor(bpm, wanted) {
  if (!(bpm > 0) || !(wanted > 0)) return 0;
  const rates = [1, 2, 0.5].map((factor) => (wanted * factor) / bpm);
  const [best] = rates.sort((a, b) => Math.abs(a - 1) - Math.abs(b - 1));
  return Math.abs(best - 1) <= WITHIN + 1e-9 ? best : 0;
}

/** How long before its start the next track is begun, about. */
export function leadOf({ fade, fade_s }) { return fade === "off" ? 0.25 : fade === "beat" ? PREPARE_S + RUN_S + fade_s + 1 : fade_s; }

/**
 * `wish`: {fade: "off" | "gentle" | "beat", fade_s}; `out`: what plays, or null, `item`: what comes, both with
 * tempo_bpm; `moment`: see moment.js. Returns {way: "cut" | "fade" | "beat", fade_s, run_s, rate, at_ms, place_s}; with
 * "beat" the start of `item` sounds at `at_ms`, when `out` is at `place_s`.
 */
export function plan(wish, out, item, moment, now_ms) {
  if (!out || wish.fade === "off") return { way: "cut" };
  const plain = { way: "fade", fade_s: wish.fade_s };
  if (wish.fade !== "beat" || moment?.track !== out.track) return plain;
  const rate = rateFor(item.tempo_bpm, out.tempo_bpm);
  const total_s = Math.min(wish.fade_s + RUN_S, item.start_s / (rate || 1));
  const bar = rate && moment.bar(now_ms + 1000 * (PREPARE_S + total_s));
  if (!bar || total_s < LEAST_S + 0.2) return plain;
  const fade_s = Math.max(LEAST_S / 2, Math.min(wish.fade_s, total_s - 0.2));
  return { way: "beat", fade_s, run_s: total_s - fade_s, rate, ...bar };
}

/** By what factor to play on, unheard, so that `off_s` (ahead of the beat: positive) is soon gone. */
export function nudge(off_s) { return 1 - Math.max(-0.3, Math.min(0.3, off_s / 0.25)); }
