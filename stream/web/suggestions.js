// The list: one row a suggestion, kept by track, so that rows glide to their new places.

import { clock, held, why } from "./words.js";

const PARTS = [["content", "Picture"], ["rhythm", "Rhythm"], ["mood", "Mood"]];
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Suggestions {
  /** `on` has play(item), skip(item), like(item, whether), pin(item, whether). */
  constructor(list, on) {
    this.list = list;
    this.on = on;
    this.rows = new Map();
    this.items = [];
  }

  /** Show `items`, best first. `seen`: what the server saw in the picture, if it says; `pinned`: a track or null; `may`:
   * whether this page may ask for anything. */
  show(items, { seen = null, pinned = null, may = true } = {}) {
    const before = new Map([...this.rows].map(([id, row]) => [id, row.element.getBoundingClientRect().top]));
    const focused = document.activeElement;
    this.items = items;
    const wanted = new Set(items.map((item) => item.track));
    for (const [id, row] of this.rows) {
      if (!wanted.has(id)) { row.element.remove(); this.rows.delete(id); }
    }
    items.forEach((item, place) => {
      let row = this.rows.get(item.track);
      if (!row) { row = this.#row(item.track); this.rows.set(item.track, row); }
      fill(row, item, items, seen);
      press(row.pin, item.track === pinned);
      for (const button of [row.play, row.like, row.pin, row.skip]) button.disabled = !may;
      if (this.list.children[place] !== row.element) this.list.insertBefore(row.element, this.list.children[place] ?? null);
    });
    if (focused && focused !== document.activeElement && this.list.contains(focused)) focused.focus({ preventScroll: true });
    this.#glide(before);
  }

  /** Mark what plays. */
  mark(track, playing) {
    for (const [id, row] of this.rows) {
      row.element.classList.toggle("on-air", id === track);
      row.element.classList.toggle("paused", id === track && !playing);
      row.air.hidden = id !== track;
      if (id === track) row.play.setAttribute("aria-current", "true");
      else row.play.removeAttribute("aria-current");
    }
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
      const button = make("button", kind, mark);
      button.type = "button";
      button.title = title;
      button.addEventListener("click", () => { const item = latest(); if (item) what(item); });
      acts.append(button);
      return button;
    };
    const pressed = (button) => button.getAttribute("aria-pressed") === "true";
    const like = act("like", "♥", "More like this", (item) => this.on.like(item, !pressed(like)));
    const pin = act("pin", "▲", "Keep it first", (item) => this.on.pin(item, !pressed(pin)));
    const skip = act("drop-it", "×", "Leave this track out for this stream", (item) => this.on.skip(item));
    const air = make("span", "air");
    air.append(make("i"), make("i"), make("i"), document.createTextNode("On air"));
    air.hidden = true;
    const head = make("p", "head");
    const title = make("span", "title");
    const artist = make("span", "artist");
    head.append(title, artist, air);
    const facts = make("p", "facts");
    const sentence = make("p", "why");
    const text = make("div", "text");
    text.append(head, facts, sentence);
    const parts = make("dl", "parts");
    const bars = Object.fromEntries(PARTS.map(([key, label]) => {
      const bar = make("i", key);
      bar.ariaHidden = "true";
      const text = make("span", "unseen");
      const value = make("dd");
      value.append(bar, text);
      const line = make("div");
      line.append(make("dt", "", label), value);
      parts.append(line);
      return [key, { bar, value, text }];
    }));
    const score = make("p", "score");
    const hold = make("span", "held");
    element.append(play, text, parts, score, acts, hold);
    return { element, play, skip, like, pin, hold, head, title, artist, air, facts, sentence, bars, score, rank: play.firstChild };
  }

  #glide(before) {
    if (calm.matches || document.hidden) return;
    for (const [id, { element }] of this.rows) {
      const top = before.get(id);
      const move = top === undefined ? null : top - element.getBoundingClientRect().top;
      if (move === null) {
        element.animate([{ opacity: 0, transform: "translateY(10px)" }, { opacity: 1, transform: "none" }], { duration: 420, easing: "ease-out" });
      } else if (Math.abs(move) > 1) {
        element.animate([{ transform: `translateY(${move}px)` }, { transform: "none" }], { duration: 520, easing: "cubic-bezier(.2,.8,.2,1)" });
      }
    }
  }
}

function fill(row, item, items, seen) {
  const name = item.title || "Untitled";
  set(row.rank, String(item.rank));
  set(row.title, name);
  set(row.artist, item.artist || "");
  const pace = item.tempo_bpm > 0 ? `${Math.round(item.tempo_bpm)} bpm` : "free tempo";
  const facts = [`from ${clock(item.start_s)}`, pace, clock(item.duration_s), item.licence].filter(Boolean);
  if (row.facts.dataset.key !== facts.join()) {
    row.facts.dataset.key = facts.join();
    row.facts.replaceChildren(...facts.map((fact, index) => make("span", index ? "" : "from", fact)));
    row.facts.title = facts.join(" · ");
  }
  const sentence = item.facts?.length ? item.facts.map((fact) => fact.text).join(" · ") : why(item, items, seen);
  set(row.sentence, sentence);
  row.head.title = [name, item.artist].filter(Boolean).join(" · ");
  row.sentence.title = sentence;
  for (const [key, label] of PARTS) {
    const percent = Math.round(100 * item.reasons[key]);
    row.bars[key].bar.style.transform = `scaleX(${item.reasons[key]})`;
    set(row.bars[key].text, `${percent} of 100`);
    row.bars[key].value.title = `${label}: ${percent} of 100`;
  }
  set(row.score, String(Math.round(100 * item.score)));
  row.score.title = ["How well it fits, out of 100", held(item)].filter(Boolean).join("; ");
  set(row.hold, item.held ? (item.held === "pinned" ? "pinned" : "held") : "");
  const by = item.artist ? ` by ${item.artist}` : "";
  const fits = [`rank ${item.rank}, fits ${row.score.textContent} of 100`, held(item)].filter(Boolean).join(", ");
  row.play.setAttribute("aria-label", `Play ${name}${by} from ${clock(item.start_s)}; ${fits}. ${sentence}`);
  row.skip.setAttribute("aria-label", `Leave out ${name}`);
  row.like.setAttribute("aria-label", `Like ${name}`);
  row.pin.setAttribute("aria-label", `Keep ${name} first`);
  press(row.like, item.liked);
}

function press(button, pressed) {
  if (button.getAttribute("aria-pressed") !== String(Boolean(pressed))) button.setAttribute("aria-pressed", String(Boolean(pressed)));
}

function make(tag, kind = "", text = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  return element;
}

function glyph() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", "M8 5v14l11-7Z");
  svg.append(path);
  return svg;
}

function set(element, text) { if (element.textContent !== text) element.textContent = text; }
