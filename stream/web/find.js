// Find a track by words while everything else goes on: a field, and below it the tracks that have all of them. The focus
// stays in the field: up and down choose a row there, left and right what is done with it, Enter does it.

import { ask } from "./ask.js";
import { FLAGS } from "./limits.js";
import { dock } from "./look.js";
import { button, make, press, set, when } from "./make.js";
import { details } from "./titles.js";
import { label, parts, state } from "./track.js";
import { clock, dots, titled } from "./words.js";

const PAUSE_MS = 150; // in the typing, before it is asked for
const MOST = 30;
const DEEDS = ["play", "listen", "like", "pin"];
const HINT = "Words of title, artist, tags, moods, playlists or file name, in any order.";

export class Find {
  constructor(box, field, session, deeds) {
    Object.assign(this, { box, field, session, deeds, rows: [], timer: 0, abort: null });
    this.said = make("p", { className: "hint", role: "status" }, HINT);
    this.found = make("div", { className: "hits", id: "found", role: "grid", ariaLabel: "Tracks found" });
    field.after(button("small", "×", "Close", () => box.close()));
    box.append(this.said, this.found);
    when(field, "input", () => {
      clearTimeout(this.timer);
      this.#choose(null);
      this.timer = setTimeout(() => this.#ask(), PAUSE_MS);
    });
    when(field, "keydown", (event) => this.#key(event));
    addEventListener("keydown", ({ key, isComposing }) => { if (key === "Escape" && !isComposing) box.close(); });
    when(box, "close", () => { if (dock) document.activeElement?.blur(); });
    if (field.value) this.#ask();
  }

  /** What may be done with the tracks, and what was. */
  show() {
    const { asked, items, role } = this.session;
    for (const row of this.rows) {
      const { facts, play, listen, pin, like, rights, against } = row;
      const id = facts.track;
      const gone = state(row, id, this.session);
      facts.start_s = items.find(({ track }) => track === id)?.start_s ?? 0; // of no other is a good place known
      set(against, dots(gone && "left out", ...unmet(facts, asked?.filters ?? {})));
      const known = dots(...[...rights.children, against].map((each) => each.textContent));
      play.ariaLabel = `Play ${dots(titled(facts), facts.artist)} from ${clock(facts.start_s)}${known && `; ${known}`}`;
      press(listen, id === this.deeds.audition.track);
      play.disabled = !asked || !role.may;
      pin.disabled = like.disabled = play.disabled || gone;
    }
  }

  /** Of several questions the newest counts, however late the others are answered. */
  async #ask() {
    this.abort?.abort();
    const abort = this.abort = new AbortController();
    const words = this.field.value.trim();
    if (!words) return this.#lay([], HINT);
    this.found.ariaBusy = "true";
    const { status, told, why } = await ask(`/api/tracks?${new URLSearchParams({ q: words, limit: MOST })}`, { signal: abort.signal });
    if (abort !== this.abort) return;
    if (!told) return this.#lay([], status === 401 ? "A token is needed: open the page with #token=TOKEN." : `The tracks cannot be searched: ${why}.`);
    const { found, tracks } = told;
    const best = found > tracks.length ? `the best ${tracks.length} of ` : "";
    return this.#lay(tracks, found ? `${best}${found} track${found > 1 ? "s" : ""}` : "No track has all of these words.");
  }

  #lay(tracks, said) {
    const chosen = this.chosen?.row.facts.track;
    this.#choose(null);
    this.rows = tracks.map((facts, place) => this.#row(facts, place));
    this.found.replaceChildren(...this.rows.map(({ element }) => element));
    this.found.scrollTop = 0;
    this.found.ariaBusy = "false";
    this.field.ariaExpanded = String(tracks.length > 0);
    set(this.said, said);
    this.show();
    const row = this.rows.find(({ facts }) => facts.track === chosen);
    if (row) this.#choose(row);
  }

  #row(facts, place) {
    const row = Object.assign(parts(() => facts, {
      play: async () => { if (await this.#sound(facts, "play")) this.box.close(); },
      listen: () => this.#sound(facts, "listen"),
      send: this.deeds.send,
    }), { facts });
    label(row, facts);
    for (const deed of DEEDS) {
      Object.assign(row[deed], { tabIndex: -1, id: `hit-${place}-${deed}` });
      when(row[deed], "click", () => this.field.focus());
    }
    const cells = [make("div", "", row.play), make("div", "text", row.head, row.line), make("div", "acts", row.listen, row.like, row.pin)];
    for (const cell of cells) cell.role = "gridcell";
    row.element = make("div", { className: "hit", role: "row" }, ...cells);
    return row;
  }

  /** How loud it is to be played is asked for only then. */
  async #sound(facts, deed) {
    const more = await details(facts.track);
    if (more) this.deeds[deed]({ ...more, ...facts });
    else set(this.said, `Not there any more: ${titled(facts)}`);
    return Boolean(more);
  }

  #choose(row, deed = "play") {
    this.found.querySelector(".chosen")?.classList.remove("chosen");
    this.chosen = row && { row, deed };
    row?.[deed].classList.add("chosen");
    row?.element.scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", row?.[deed].id ?? "");
  }

  #key(event) {
    const { chosen, rows } = this;
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const aside = chosen && { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.isComposing || !(down || aside || event.key === "Enter")) return;
    event.preventDefault();
    if (down) {
      const row = rows[Math.min(rows.length - 1, rows.indexOf(chosen?.row) + down)];
      this.#choose(row ?? null, chosen?.deed);
    } else if (aside) this.#choose(chosen.row, DEEDS[DEEDS.indexOf(chosen.deed) + aside] ?? chosen.deed);
    else if (chosen) chosen.row[chosen.deed].click();
    else if (rows.length) this.#choose(rows[0]);
  }
}

/** What the session's filters ask for that the track is not known to be. A pinned track is listed all the same. */
function unmet(facts, filters) {
  const known = { live_ok: facts.live_ok, vod_ok: facts.vod_ok, instrumental: facts.vocals === false };
  return Object.keys(known).filter((name) => filters[name] && !known[name]).map((name) => `not through the filter “${FLAGS[name]}”`);
}
