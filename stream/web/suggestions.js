// The list: one row a suggestion, kept by track. While somebody points at it, or is in it by keyboard, it holds still,
// so a click does what the row says. Rows are put in their places by transforms: nothing shifts when they change.

import { $, make, press, set, when } from "./make.js";
import { label, parts, state } from "./track.js";
import { ago, clock, held, reason, titled } from "./words.js";

const PARTS = [["content", "Picture"], ["rhythm", "Rhythm"], ["mood", "Mood"]];
const TOUCH_MS = 1500; // after a finger is lifted
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Suggestions {
  /** `on` has play(item), listen(item), send(command), used(track): when it was last on air, waits(whether). */
  constructor(session, on) {
    const list = $("list");
    Object.assign(this, { session, list, on, rows: new Map(), items: [], waiting: null, pointed: false, timer: 0 });
    this.heard = null; // in headphones
    this.air = [null, false]; // the track on air, and whether it plays
    const point = () => { this.pointed = true; clearTimeout(this.timer); };
    when(list, "pointermove", point);
    when(list, "pointerdown", point);
    when(list, "pointerleave", ({ pointerType }) => {
      this.timer = setTimeout(() => { this.pointed = false; this.#thaw(); }, pointerType === "mouse" ? 0 : TOUCH_MS);
    });
    when(list, "focusout", () => setTimeout(() => this.#thaw()));
    when(list, "keydown", (event) => this.#step(event));
  }

  get frozen() { return this.items.length > 0 && (this.pointed || Boolean(this.list.querySelector(":focus-visible"))); }

  show(items = this.session.items) {
    const holds = this.frozen && items.length > 0;
    this.waiting = holds && changed(this.items, items) ? items : null;
    if (!holds) {
      this.pointed &&= items.length > 0;
      this.#lay(items);
    }
    this.on.waits(Boolean(this.waiting));
    this.#mend();
  }

  mark(track, playing) {
    this.air = [track, playing];
    for (const [id, row] of this.rows) {
      row.element.classList.toggle("on-air", id === track);
      row.element.classList.toggle("paused", id === track && !playing);
      row.air.hidden = id !== track;
      row.play.ariaCurrent = id === track ? "true" : null;
    }
  }

  listens(track) {
    this.heard = track;
    for (const [id, row] of this.rows) press(row.listen, id === track);
  }

  #thaw() {
    if (this.frozen || !this.waiting) return;
    this.show(this.waiting);
    this.mark(...this.air);
  }

  #lay(items) {
    const before = new Map([...this.rows].map(([id, row]) => [id, row.place]));
    const focused = document.activeElement;
    this.items = items;
    const wanted = new Set(items.map((item) => item.track));
    for (const [id, row] of this.rows) {
      if (!wanted.has(id)) { row.element.remove(); this.rows.delete(id); }
    }
    items.forEach((item, place) => {
      let row = this.rows.get(item.track);
      if (!row) { row = this.#row(item.track); this.rows.set(item.track, row); }
      fill(row, item, item.track !== this.air[0] && this.on.used(item.track));
      row.place = place;
      row.element.style.setProperty("--place", String(place));
      if (this.list.children[place] !== row.element) this.list.insertBefore(row.element, this.list.children[place] ?? null);
    });
    if (focused && focused !== document.activeElement && this.list.contains(focused)) focused.focus({ preventScroll: true });
    this.list.style.setProperty("--rows", String(items.length));
    this.#glide(before);
  }

  /** What may change even while the list holds still. */
  #mend() {
    const { role: { may } } = this.session;
    for (const [id, row] of this.rows) {
      const gone = state(row, id, this.session);
      row.element.classList.toggle("gone", gone);
      press(row.skip, gone);
      const name = row.title.textContent;
      set(row.skip, gone ? "↶" : "×");
      row.skip.title = gone ? "Take it back" : "Leave this track out for this stream";
      row.skip.ariaLabel = gone ? `Take back: ${name}` : `Leave out ${name}`;
      for (const each of [row.play, row.like, row.pin, row.skip]) each.disabled = !may || (gone && each !== row.skip);
    }
  }

  #step(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest?.(".row");
    if (!step || !row) return;
    event.preventDefault();
    const kind = event.target.className;
    (step > 0 ? row.nextElementSibling : row.previousElementSibling)?.querySelector(`.${kind}`)?.focus();
  }

  #row(track) {
    const row = parts(() => this.items.find((each) => each.track === track), this.on);
    Object.assign(row, { start: make("span"), why: make("p", "why"), score: make("p", "score"), bars: {} });
    set(row.air, "On air");
    row.air.hidden = true;
    row.why.dir = "auto";
    row.play.prepend(row.rank);
    press(row.listen, track === this.heard);
    const reasons = make("dl", "parts", ...PARTS.map(([key, label]) => {
      const [bar, said] = [make("i", key), make("span", "unseen")];
      bar.ariaHidden = "true";
      const value = make("dd", "", bar, said);
      row.bars[key] = { bar, said, value };
      return make("div", "", make("dt", "", label), value);
    }));
    row.element = make("li", "row", row.play, make("p", "from", make("small", "", "from"), row.start),
      make("div", "text", row.head, row.line, row.why), reasons, row.score, make("div", "acts", row.listen, row.like, row.pin, row.skip), row.held);
    return row;
  }

  #glide(before) {
    if (calm.matches || document.hidden) return;
    const at = (place) => ({ transform: `translateY(calc(${place} * var(--pitch)))` });
    for (const [id, { element, place }] of this.rows) {
      const was = before.get(id);
      if (was === undefined) element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 420, easing: "ease-out" });
      else if (was !== place) element.animate([at(was), at(place)], { duration: 520, easing: "cubic-bezier(.2,.8,.2,1)" });
    }
  }
}

function changed(before, after) {
  const key = (items) => items.map((item) => `${item.track} ${item.start_s}`).join();
  return key(before) !== key(after);
}

function fill(row, item, used) {
  const why = reason(item);
  const fits = String(Math.round(100 * item.score));
  const stays = held(item);
  label(row, item);
  set(row.rank, String(item.rank));
  set(row.start, ` ${clock(item.start_s)}`);
  set(row.used, used ? `on air ${ago(used)}` : "");
  set(row.why, why);
  row.why.title = why;
  for (const [key, word] of PARTS) {
    const { bar, said, value } = row.bars[key];
    bar.style.transform = `scaleX(${item.reasons[key]})`;
    set(said, `${Math.round(100 * item.reasons[key])} of 100`);
    value.title = `${word}: ${said.textContent}`;
  }
  set(row.score, fits);
  row.score.title = `How well it fits, out of 100${stays && `; ${stays}`}`;
  set(row.held, item.held && (item.held === "pinned" ? "pinned" : "held"));
  const by = item.artist ? ` by ${item.artist}` : "";
  row.play.ariaLabel = `Play ${titled(item)}${by} from ${clock(item.start_s)}; rank ${item.rank}, fits ${fits} of 100${stays && `, ${stays}`}. ${why}`;
}
