// When to make the next move: bars of what plays and its place to leave, by this page's clock.

import { clock } from "./words.js";

const SOONEST_MS = 250; // a bar that is closer is gone before anybody has clicked
const COUNTED = 16; // more bars than that nobody counts

export class Moment {
  constructor() { this.forget(); }

  hear({ switch: points, on_air: air, late_ms }, heard_ms = performance.now()) {
    const at_ms = heard_ms - Math.min(1000, late_ms ?? 0);
    this.bars_ms = [];
    this.bar_s = 0;
    this.places_s = points?.at_s ?? [];
    if (points?.in_s !== null && points?.in_s !== undefined && this.places_s.length) {
      this.bars_ms = this.places_s.map((place_s) => at_ms + 1000 * (points.in_s + place_s - this.places_s[0]));
      if (this.places_s.length > 1) this.bar_s = (this.places_s.at(-1) - this.places_s[0]) / (this.places_s.length - 1);
    }
    this.track = air?.track ?? null;
    this.leave_ms = typeof air?.next_in_s === "number" ? at_ms + 1000 * air.next_in_s : null;
  }

  forget() { this.bars_ms = this.places_s = []; this.bar_s = 0; this.leave_ms = this.track = null; }

  /** The first bar not before `from_ms`: {at_ms, place_s} in time and in the track, or null where no grid is known. */
  bar(from_ms) {
    const last = this.bars_ms.length - 1;
    if (last < 0) return null;
    const found = this.bars_ms.findIndex((at_ms) => at_ms >= from_ms);
    if (found >= 0) return { at_ms: this.bars_ms[found], place_s: this.places_s[found] };
    if (!this.bar_s) return null;
    const more = Math.ceil((from_ms - this.bars_ms[last]) / (1000 * this.bar_s));
    if (more > COUNTED) return null; // an old word
    return { at_ms: this.bars_ms[last] + 1000 * more * this.bar_s, place_s: this.places_s[last] + more * this.bar_s };
  }

  /** When, in words, for a kind of move (see `move`): "in 3 bars · 0:06". */
  words(kind, now_ms = performance.now()) {
    if (kind === "start") return "now";
    if (kind === "none" || kind === "paused") return ""; // no bar comes nearer
    const leave_s = this.leave_ms === null ? null : (this.leave_ms - now_ms) / 1000;
    if (kind === "stay") return leave_s === null ? "" : leave_s <= 0 ? "now is a good place" : this.#counted(leave_s);
    if (leave_s !== null && leave_s > 0.5 && leave_s < 4 * this.bar_s) return this.#counted(leave_s);
    const bar = this.bar(now_ms + SOONEST_MS);
    return bar ? `next bar · ${clock((bar.at_ms - now_ms) / 1000 + 0.5)}` : "now";
  }

  #counted(left_s) {
    const bars = this.bar_s ? Math.ceil(left_s / this.bar_s) : 0;
    return bars && bars <= COUNTED ? `in ${bars} bar${bars > 1 ? "s" : ""} · ${clock(left_s + 0.5)}` : `in ${clock(left_s + 0.5)}`;
  }
}
