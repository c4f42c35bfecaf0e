// The list: one row a suggestion, kept by track. While somebody points at it, or is in it by keyboard, it holds still:
// what a row says is what a click on it does. A list that came meanwhile waits. Rows are put in their places by
// transforms: then nothing shifts when they change them.

import { button, make, press, set, sign, when } from "./make.js";
import { showBadges } from "./rights.js";
import { ago, clock, dots, held, reason, titled } from "./words.js";

const PARTS = [["content", "Picture"], ["rhythm", "Rhythm"], ["mood", "Mood"]];
const TOUCH_MS = 1500; // after a finger is lifted
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Suggestions {
  /** `on` has play, listen, skip, unskip (item), like, pin (item, whether), waits(whether). */
  constructor(list, on) {
    Object.assign(this, { list, on, rows: new Map(), items: [], told: {}, waiting: null, pointed: false, timer: 0 });
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

  /**
   * Show `items`, best first. `pinned`: a track or null; `skipped`, `liked`: sets of tracks; `may`: whether this page may
   * ask for anything; `used(track)`: when it was last on air.
   */
  show(items, told) {
    this.told = told;
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
    this.show(this.waiting, this.told);
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
      fill(row, item, this.told.used(item.track));
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
    const { pinned, may, skipped, liked } = this.told;
    for (const [id, row] of this.rows) {
      const gone = skipped.has(id);
      row.element.classList.toggle("gone", gone);
      press(row.pin, id === pinned);
      press(row.like, liked.has(id));
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
    const act = (kind, mark, title, what) => {
      const made = button(kind, mark, "", () => {
        const item = this.items.find((each) => each.track === track); // as it is now
        if (item) what(item);
      });
      made.title = title;
      return made;
    };
    const pressed = (made) => made.ariaPressed === "true";
    const row = {
      play: act("play", "", "", this.on.play),
      listen: act("listen", "", "Listen in headphones", this.on.listen),
      like: act("like", "♥", "More like this", (item) => this.on.like(item, !pressed(row.like))),
      pin: act("pin", "▲", "Keep it first", (item) => this.on.pin(item, !pressed(row.pin))),
      skip: act("drop-it", "×", "", (item) => (pressed(row.skip) ? this.on.unskip(item) : this.on.skip(item))),
      air: make("span", "air", "On air"), start: make("span"), why: make("p", "why"), score: make("p", "score"), bars: {},
    };
    for (const name of ["rank", "title", "artist", "tempo", "used", "rights", "held"]) row[name] = make("span", name);
    row.air.hidden = true;
    row.title.dir = row.artist.dir = row.why.dir = "auto";
    row.play.append(row.rank, sign("M8 5v14l11-7Z"));
    row.listen.append(sign("M4 15v-2a8 8 0 0 1 16 0v2M4 14h3v6H4Zm13 0h3v6h-3Z"));
    press(row.listen, track === this.heard);
    row.head = make("p", "head", row.title, row.artist, row.air);
    const facts = make("p", "facts", row.tempo, row.used, row.rights);
    const parts = make("dl", "parts", ...PARTS.map(([key, label]) => {
      const [bar, said] = [make("i", key), make("span", "unseen")];
      bar.ariaHidden = "true";
      const value = make("dd", "", bar, said);
      row.bars[key] = { bar, said, value };
      return make("div", "", make("dt", "", label), value);
    }));
    row.element = make("li", "row", row.play, make("p", "from", make("small", "", "from"), row.start),
      make("div", "text", row.head, facts, row.why), parts, row.score, make("div", "acts", row.listen, row.like, row.pin, row.skip), row.held);
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

/** Whether a list says something else: other tracks, another order, another place to start. */
function changed(before, after) {
  const key = (items) => items.map((item) => `${item.track} ${item.start_s}`).join();
  return key(before) !== key(after);
}

function fill(row, item, used) {
  const name = titled(item);
  const why = reason(item);
  const fits = String(Math.round(100 * item.score));
  const stays = held(item);
  set(row.rank, String(item.rank));
  set(row.title, name);
  set(row.artist, item.artist || "");
  set(row.start, ` ${clock(item.start_s)}`);
  const pace = item.tempo_bpm > 0 ? `${Math.round(item.tempo_bpm)} bpm` : "free tempo";
  set(row.tempo, dots(pace, clock(item.duration_s), item.licence));
  set(row.used, used ? `on air ${ago(used)}` : "");
  showBadges(row.rights, item);
  set(row.why, why);
  row.head.title = dots(name, item.artist);
  row.why.title = why;
  for (const [key, label] of PARTS) {
    const { bar, said, value } = row.bars[key];
    bar.style.transform = `scaleX(${item.reasons[key]})`;
    set(said, `${Math.round(100 * item.reasons[key])} of 100`);
    value.title = `${label}: ${said.textContent}`;
  }
  set(row.score, fits);
  row.score.title = ["How well it fits, out of 100", stays].filter(Boolean).join("; ");
  set(row.held, item.held && (item.held === "pinned" ? "pinned" : "held"));
  const by = item.artist ? ` by ${item.artist}` : "";
  const rank = [`rank ${item.rank}, fits ${fits} of 100`, stays].filter(Boolean).join(", ");
  row.play.ariaLabel = `Play ${name}${by} from ${clock(item.start_s)}; ${rank}. ${why}`;
  row.listen.ariaLabel = `Listen to ${name} in headphones`;
  row.like.ariaLabel = `Like ${name}`;
  row.pin.ariaLabel = `Keep ${name} first`;
}
