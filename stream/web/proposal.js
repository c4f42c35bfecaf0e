// The large block: the next move, and the button that makes it. It holds still under the pointer, as the list does.

import { $, set, when } from "./make.js";
import { showBadges } from "./track.js";
import { clock, dots, move, reason, titled } from "./words.js";
import { Wave } from "./wave.js";

const APART_MS = 5000; // a screen reader is told at most once in that time; of several changes the newest

export class Proposal {
  constructor(moment, on) {
    Object.assign(this, { moment, shown: null, place_s: null, pointed: false, pending: false, told_ms: -APART_MS, timer: 0 });
    this.wave = new Wave($("advice-wave"));
    when("go", "click", () => { if (this.item) on.play(this.item); });
    when("go-listen", "click", () => { if (this.item) on.listen(this.item); });
    const deeds = $("go").parentElement;
    when(deeds, "pointermove", () => { this.pointed = true; });
    when(deeds, "pointerleave", () => { this.pointed = false; this.#thaw(); });
    when("advice", "focusout", () => setTimeout(() => this.#thaw()));
    when("place", "input", ({ target }) => this.choose(Number(target.value)));
    when("place-back", "click", () => { this.choose(null); $("go").focus({ focusVisible: false }); });
  }

  /** What the button plays, from where the block says. */
  get item() {
    const item = this.shown?.item;
    return item && this.place_s !== null ? { ...item, start_s: this.place_s } : item ?? null;
  }

  get #held() { return this.pointed || $("go").matches(":focus-visible"); }

  /** `now`: what is on air; `words`: what to say before there is any list. */
  show({ newest: list, items, onAir, role: { may } }, now, words) {
    const next = list ? { ...move(list.advice, items, onAir, now), items } : { ...words, item: null };
    const was = this.shown?.item;
    const news = was && next.item && (next.item.track !== was.track || next.item.start_s !== was.start_s);
    const there = was && now?.track !== was.track && (!list || list.items.some(({ track }) => track === was.track));
    this.may = may;
    this.waiting = this.#held && news && may && there ? next : null;
    $("advice-waiting").hidden = !this.waiting;
    if (!this.waiting) this.#lay(next);
    this.tick();
    this.said = list ? [next.word, ...(next.item ? [next.lead, titled(next.item)] : [])].filter(Boolean).join(" ") : "";
    this.#announce();
  }

  #announce() {
    if (this.said === $("advice-said").textContent) return;
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.told_ms = performance.now();
      set($("advice-said"), this.said);
    }, Math.max(0, this.told_ms + APART_MS - performance.now()));
  }

  /** Start from another place than the one proposed; null: from that one. */
  choose(place_s) {
    if (!this.shown?.item) return;
    this.place_s = place_s;
    this.#lay(this.shown);
  }

  tick() {
    if (this.shown) set($("advice-when"), this.pending ? "on its way…" : this.moment.words(this.shown.kind));
  }

  #thaw() {
    if (!this.waiting || this.#held) return;
    this.#lay(this.waiting);
    this.waiting = null;
    $("advice-waiting").hidden = true;
  }

  #lay(next) {
    if (next.item?.track !== this.shown?.item?.track) this.place_s = null;
    this.shown = next;
    const { item } = this;
    const name = item ? titled(item) : next.lead;
    const from = item ? `from ${clock(item.start_s)}` : "";
    const why = item ? reason(item) : "";
    $("advice").dataset.advice = next.kind === "paused" ? "stay" : next.kind;
    set($("advice-word"), next.word);
    set($("advice-lead"), item ? next.lead : "");
    set($("advice-text"), name);
    $("advice-text").title = dots(name, item?.artist);
    set($("advice-from"), from);
    set($("advice-why"), why);
    $("advice-why").title = why;
    $("go").disabled = !item || !this.may;
    $("go-listen").disabled = !item;
    set($("go-text"), `Play ${from}`.trim());
    $("go").ariaLabel = item ? `Play ${from}: ${name}. ${why}` : "Play";
    $("place-back").hidden = this.place_s === null;
    showBadges($("advice-rights"), item);
    const place = $("place");
    place.disabled = !item || !this.may;
    place.max = String(item?.duration_s || 1);
    if (!place.matches(":active")) place.value = String(item?.start_s ?? 0);
    place.ariaValueText = item ? `${from} of ${clock(item.duration_s)}` : "";
    this.wave.show(item?.track ?? null, { start_s: item?.start_s, leave_s: item?.leave_s, loop: item?.loop, length_s: item?.duration_s });
  }
}
