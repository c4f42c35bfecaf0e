// The large block: the next move, from where, why and when, and the button that makes it. It holds still under the
// pointer as the list does.

import { set } from "./make.js";
import { showBadges } from "./rights.js";
import { clock, move, reason } from "./words.js";
import { Wave } from "./wave.js";

export class Proposal {
  /** `find(id)` gives the page's elements; `on` has play(item), listen(item). */
  constructor(find, moment, announcer, on) {
    Object.assign(this, { find, moment, announcer, on, shown: null, place_s: null, pointed: false, pending: false });
    this.wave = new Wave(find("advice-wave"));
    const go = find("go");
    go.addEventListener("click", () => { if (this.item) on.play(this.item); });
    find("go-listen").addEventListener("click", () => { if (this.item) on.listen(this.item); });
    const deeds = go.parentElement;
    deeds.addEventListener("pointermove", () => { this.pointed = true; });
    deeds.addEventListener("pointerleave", () => { this.pointed = false; this.#thaw(); });
    find("advice").addEventListener("focusout", () => setTimeout(() => this.#thaw()));
    find("place").addEventListener("input", ({ target }) => this.choose(Number(target.value)));
    find("place-back").addEventListener("click", () => { this.choose(null); find("go").focus({ focusVisible: false }); });
  }

  /** What the button plays, from where the block says. */
  get item() {
    const item = this.shown?.item;
    return item && this.place_s !== null ? { ...item, start_s: this.place_s } : item ?? null;
  }

  /** `list`: the newest message, or null; `words`: what to say before there is any. */
  show({ list, items, onAir, now, may, words }) {
    const next = list ? { ...move(list.advice, items, onAir, now), items, seen: list.seen } : { ...words, item: null };
    const held = this.pointed || this.find("go").matches(":focus-visible");
    const news = this.shown?.item && next.item && `${next.item.track} ${next.item.start_s}` !== `${this.shown.item.track} ${this.shown.item.start_s}`;
    this.may = may;
    const gone = list && this.shown?.item && !list.items.some((item) => item.track === this.shown.item.track);
    this.waiting = held && news && this.may && (!now || now.track !== this.shown.item.track) && !gone ? next : null;
    this.find("advice-waiting").hidden = !this.waiting;
    if (!this.waiting) this.#lay(next);
    this.tick();
    this.announcer.say(list && next.item ? [next.word, next.lead, next.item.title || "Untitled"].filter(Boolean).join(" ") : list ? next.word : "");
  }

  /** Start from another place than the one proposed; null: from that one. */
  choose(place_s) {
    if (!this.shown?.item) return;
    this.place_s = place_s;
    this.#lay(this.shown);
  }

  /** Time passes. */
  tick() {
    const { find, shown } = this;
    if (!shown) return;
    set(find("advice-when"), this.pending ? "on its way…" : this.moment.words(shown.kind));
  }

  #thaw() {
    if (this.waiting && !this.pointed && !this.find("go").matches(":focus-visible")) {
      this.#lay(this.waiting);
      this.waiting = null;
      this.find("advice-waiting").hidden = true;
    }
  }

  #lay(next) {
    const { find } = this;
    if (next.item?.track !== this.shown?.item?.track) this.place_s = null;
    this.shown = next;
    const { item } = this;
    const kinds = { start: "start", switch: "switch", could: "could", stay: "stay", wait: "wait" };
    find("advice").dataset.advice = kinds[next.kind] ?? "none";
    set(find("advice-word"), next.word);
    set(find("advice-lead"), next.item ? next.lead : "");
    const text = item ? [item.title || "Untitled", item.artist].filter(Boolean).join(" · ") : next.lead;
    set(find("advice-text"), item ? item.title || "Untitled" : text);
    find("advice-text").title = text;
    set(find("advice-from"), item ? `from ${clock(item.start_s)}` : "");
    const why = item ? reason(next.item, next.items, next.seen) : "";
    set(find("advice-why"), why);
    find("advice-why").title = why;
    find("go").disabled = !item || !this.may;
    find("go-listen").disabled = !item;
    set(find("go-text"), item ? `Play from ${clock(item.start_s)}` : "Play");
    find("go").setAttribute("aria-label", item ? `Play from ${clock(item.start_s)}: ${item.title || "Untitled"}. ${why}` : "Play");
    find("place-back").hidden = this.place_s === null;
    showBadges(find("advice-rights"), next.item);
    const place = find("place");
    place.disabled = !item || !this.may;
    place.max = String(item?.duration_s || 1);
    if (!place.matches(":active")) place.value = String(item?.start_s ?? 0);
    place.setAttribute("aria-valuetext", item ? `from ${clock(item.start_s)} of ${clock(item.duration_s)}` : "");
    this.wave.show(item?.track ?? null, { start_s: item?.start_s, leave_s: item?.leave_s, loop: item?.loop, length_s: item?.duration_s });
  }
}
