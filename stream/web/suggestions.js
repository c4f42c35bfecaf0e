// The list: one row a suggestion, kept by track. While somebody points at it, or is in it by keyboard, it holds still:
// what a row says is what a click on it does. A list that came meanwhile waits. Rows are put in their places by
// transforms: then nothing shifts when they change them.

import { make, press, set } from "./make.js";
import { showBadges } from "./rights.js";
import { ago, clock, held, reason } from "./words.js";

const PARTS = [["content", "Picture"], ["rhythm", "Rhythm"], ["mood", "Mood"]];
const TOUCH_MS = 1500; // after a finger is lifted
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Suggestions {
  /** `on` has play, listen, skip, unskip (item), like, pin (item, whether), waits(whether). */
  constructor(list, on) {
    this.list = list;
    this.on = on;
    this.rows = new Map();
    this.items = [];
    this.told = {};
    this.waiting = null;
    this.pointed = false;
    this.timer = 0;
    this.heard = null; // in headphones
    this.air = [null, false];
    const point = () => { this.pointed = true; clearTimeout(this.timer); };
    list.addEventListener("pointermove", point);
    list.addEventListener("pointerdown", point);
    list.addEventListener("pointerleave", ({ pointerType }) => {
      this.timer = setTimeout(() => { this.pointed = false; this.#thaw(); }, pointerType === "mouse" ? 0 : TOUCH_MS);
    });
    list.addEventListener("focusout", () => setTimeout(() => this.#thaw()));
    list.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Whether the list holds still. */
  get frozen() { return this.items.length > 0 && (this.pointed || Boolean(this.list.querySelector(":focus-visible"))); }

  /**
   * Show `items`, best first. `seen`: what the server saw in the picture, if it says; `pinned`: a track or null;
   * `skipped`: a set of tracks; `may`: whether this page may ask for anything; `used`: when a track was last on air.
   */
  show(items, told = {}) {
    this.told = { seen: null, pinned: null, skipped: new Set(), may: true, used: () => "", ...told };
    const { frozen } = this;
    if (frozen && items.length) {
      const news = changed(this.items, items);
      this.waiting = news ? items : null;
    } else {
      this.waiting = null;
      this.pointed &&= items.length > 0;
      this.#lay(items);
    }
    this.on.waits(Boolean(this.waiting));
    this.#mend();
  }

  /** Mark what plays. */
  mark(track, playing) {
    this.air = [track, playing];
    for (const [id, row] of this.rows) {
      row.element.classList.toggle("on-air", id === track);
      row.element.classList.toggle("paused", id === track && !playing);
      row.air.hidden = id !== track;
      if (id === track) row.play.setAttribute("aria-current", "true");
      else row.play.removeAttribute("aria-current");
    }
  }

  /** Mark what is heard in headphones. */
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
      fill(row, item, reason(item, items, this.told.seen), this.told.used(item.track));
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
    const { pinned, may, skipped, liked = new Set() } = this.told;
    for (const [id, row] of this.rows) {
      const gone = skipped.has(id);
      row.element.classList.toggle("gone", gone);
      press(row.pin, id === pinned);
      press(row.like, liked.has(id));
      press(row.skip, gone);
      const name = row.title.textContent;
      set(row.skip, gone ? "↶" : "×");
      row.skip.title = gone ? "Take it back" : "Leave this track out for this stream";
      row.skip.setAttribute("aria-label", gone ? `Take back: ${name}` : `Leave out ${name}`);
      for (const button of [row.play, row.like, row.pin, row.skip]) button.disabled = !may || (gone && button !== row.skip);
    }
  }

  /** Up and down go from row to row. */
  #step(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest?.(".row");
    if (!step || !row) return;
    event.preventDefault();
    const kind = event.target.className;
    (step > 0 ? row.nextElementSibling : row.previousElementSibling)?.querySelector(`.${kind}`)?.focus();
  }

  #row(track) {
    const element = make("li", "row");
    const latest = () => this.items.find((item) => item.track === track);
    const play = make("button", "play");
    play.type = "button";
    play.append(make("span", "rank"), glyph());
    play.addEventListener("click", () => { const item = latest(); if (item) this.on.play(item); });
    const acts = make("div", "acts");
    const act = (kind, mark, title, what) => {
      const made = make("button", kind, mark);
      made.type = "button";
      made.title = title;
      made.addEventListener("click", () => { const item = latest(); if (item) what(item); });
      acts.append(made);
      return made;
    };
    const pressed = (made) => made.getAttribute("aria-pressed") === "true";
    const listen = act("listen", "", "Listen in headphones", (item) => this.on.listen(item));
    listen.append(phones());
    const like = act("like", "♥", "More like this", (item) => this.on.like(item, !pressed(like)));
    const pin = act("pin", "▲", "Keep it first", (item) => this.on.pin(item, !pressed(pin)));
    const skip = act("drop-it", "×", "", (item) => (pressed(skip) ? this.on.unskip(item) : this.on.skip(item)));
    press(listen, track === this.heard);
    const air = make("span", "air", "On air");
    air.hidden = true;
    const head = make("p", "head");
    const title = make("span", "title");
    const artist = make("span", "artist");
    title.dir = artist.dir = "auto";
    head.append(title, artist, air);
    const from = make("p", "from");
    const start = make("span");
    from.append(make("small", "", "from"), start);
    const facts = make("p", "facts");
    const pace = make("span");
    const used = make("span", "used");
    const rights = make("span", "rights");
    facts.append(pace, used, rights);
    const sentence = make("p", "why");
    sentence.dir = "auto";
    const text = make("div", "text");
    text.append(head, facts, sentence);
    const parts = make("dl", "parts");
    const bars = Object.fromEntries(PARTS.map(([key, label]) => {
      const bar = make("i", key);
      bar.ariaHidden = "true";
      const said = make("span", "unseen");
      const value = make("dd");
      value.append(bar, said);
      const line = make("div");
      line.append(make("dt", "", label), value);
      parts.append(line);
      return [key, { bar, value, said }];
    }));
    const score = make("p", "score");
    const hold = make("span", "held");
    element.append(play, from, text, parts, score, acts, hold);
    return { element, play, listen, skip, like, pin, hold, head, title, artist, air, start, facts, pace, used, rights, sentence, bars, score, rank: play.firstChild };
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

function fill(row, item, sentence, used) {
  const name = item.title || "Untitled";
  set(row.rank, String(item.rank));
  set(row.title, name);
  set(row.artist, item.artist || "");
  set(row.start, ` ${clock(item.start_s)}`);
  const pace = item.tempo_bpm > 0 ? `${Math.round(item.tempo_bpm)} bpm` : "free tempo";
  set(row.pace, [pace, clock(item.duration_s), item.licence].filter(Boolean).join(" · "));
  set(row.used, used ? `on air ${ago(used)}` : "");
  showBadges(row.rights, item);
  set(row.sentence, sentence);
  row.head.title = [name, item.artist].filter(Boolean).join(" · ");
  row.sentence.title = sentence;
  for (const [key, label] of PARTS) {
    const percent = Math.round(100 * item.reasons[key]);
    row.bars[key].bar.style.transform = `scaleX(${item.reasons[key]})`;
    set(row.bars[key].said, `${percent} of 100`);
    row.bars[key].value.title = `${label}: ${percent} of 100`;
  }
  set(row.score, String(Math.round(100 * item.score)));
  row.score.title = ["How well it fits, out of 100", held(item)].filter(Boolean).join("; ");
  set(row.hold, item.held ? (item.held === "pinned" ? "pinned" : "held") : "");
  const by = item.artist ? ` by ${item.artist}` : "";
  const fits = [`rank ${item.rank}, fits ${row.score.textContent} of 100`, held(item)].filter(Boolean).join(", ");
  row.play.setAttribute("aria-label", `Play ${name}${by} from ${clock(item.start_s)}; ${fits}. ${sentence}`);
  row.listen.setAttribute("aria-label", `Listen to ${name} in headphones`);
  row.like.setAttribute("aria-label", `Like ${name}`);
  row.pin.setAttribute("aria-label", `Keep ${name} first`);
}

function drawn(d) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}

function glyph() { return drawn("M8 5v14l11-7Z"); }

function phones() { return drawn("M4 15v-2a8 8 0 0 1 16 0v2M4 14h3v6H4Zm13 0h3v6h-3Z"); }
