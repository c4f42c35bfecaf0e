// Find a track by words while everything else goes on: a field, and below it the tracks that have all of them. The focus
// stays in the field: up and down choose a row there, left and right what is done with it, Enter does it.

import { ask } from "./ask.js";
import { button, input, make, press, set, sign, when } from "./make.js";
import { showBadges } from "./rights.js";
import { details } from "./titles.js";
import { clock, dots, titled } from "./words.js";

const PAUSE_MS = 150; // in the typing, before it is asked for
const MOST = 30;
const HINT = "Words of title, artist, tags, moods, playlists or file name, in any order.";

export class Find {
  constructor(box, session, deeds) {
    Object.assign(this, { box, session, deeds, rows: [], timer: 0, abort: null });
    this.field = input({
      type: "text", id: "find-words", role: "combobox", placeholder: "Find a track", maxLength: 200, autocomplete: "off", spellcheck: false, dir: "auto",
      ariaLabel: "Find a track", ariaAutoComplete: "list", ariaHasPopup: "grid", ariaExpanded: "false",
    });
    this.field.setAttribute("aria-controls", "found");
    this.said = Object.assign(make("p", "hint", HINT), { role: "status" });
    this.found = Object.assign(make("div", "hits"), { id: "found", role: "grid", ariaLabel: "Tracks found" });
    box.ariaLabel = "Find a track";
    box.append(make("div", "search", this.field, button("small", "×", "Close", () => box.close())), this.said, this.found);
    when(this.field, "input", () => {
      clearTimeout(this.timer);
      this.#choose(null);
      this.timer = setTimeout(() => this.#ask(), PAUSE_MS);
    });
    when(this.field, "keydown", (event) => this.#key(event));
    addEventListener("keydown", ({ key }) => { if (key === "Escape") box.close(); });
  }

  open() {
    if (!this.box.open) this.box.show();
    this.field.focus();
    this.field.select();
  }

  /** What may be done with the tracks, and what was. */
  show() {
    const { asked, items, open, role } = this.session;
    const skipped = new Set(asked?.skipped?.map(({ track }) => track));
    const liked = new Set([...(asked?.liked ?? []), ...items.filter((item) => item.liked)].map(({ track }) => track));
    for (const { facts, play, listen, pin, like, against } of this.rows) {
      const id = facts.track;
      facts.start_s = items.find(({ track }) => track === id)?.start_s ?? 0; // of no other is a good place known
      set(against, dots(skipped.has(id) && "left out", ...unmet(facts, asked?.filters)));
      const rights = dots(...[...against.parentElement.querySelectorAll(".rights span, .against")].map((each) => each.textContent));
      play.ariaLabel = `Play ${dots(titled(facts), facts.artist)} from ${clock(facts.start_s)}${rights && `; ${rights}`}`;
      press(listen, id === this.deeds.audition.track);
      press(pin, id === asked?.pinned);
      press(like, liked.has(id));
      play.disabled = !open || !role.may;
      pin.disabled = like.disabled = !asked || !role.may || skipped.has(id);
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
    if (abort !== this.abort) return undefined;
    if (!told) return this.#lay([], status === 401 ? "A token is needed: open the page with #token=TOKEN." : `The tracks cannot be searched: ${why}.`);
    const { found, tracks } = told;
    const count = found === 1 ? "1 track" : `${found} tracks`;
    return this.#lay(tracks, !found ? "No track has all of these words." : found > tracks.length ? `${count}, of which these are the best ${tracks.length}` : count);
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
    const { deeds, session } = this;
    const turn = (type, otherwise) => ({ ariaPressed }) => session.send(ariaPressed === "true" ? otherwise : { type, track: facts.track });
    const act = (kind, mark, title, deed) => {
      const made = button(kind, mark, "", () => { deed(made); this.field.focus(); });
      return Object.assign(made, { title, tabIndex: -1, id: `hit-${place}-${kind}` });
    };
    const row = {
      facts,
      play: act("play", sign("M8 5v14l11-7Z"), "", async () => { if (await this.#sound(facts, deeds.play)) this.box.close(); }),
      listen: act("listen", sign("M4 15v-2a8 8 0 0 1 16 0v2M4 14h3v6H4Zm13 0h3v6h-3Z"), "Listen in headphones", () => this.#sound(facts, deeds.listen)),
      pin: act("pin", "▲", "Keep it first", turn("pin", { type: "pin", track: null })),
      like: act("like", "♥", "More like this", turn("like", { type: "unlike", track: facts.track })),
      against: make("span", "against"),
    };
    const name = titled(facts);
    const [title, artist, rights] = [make("span", "title", name), make("span", "artist", facts.artist), make("span", "rights")];
    title.dir = artist.dir = "auto";
    showBadges(rights, facts);
    for (const each of ["listen", "pin", "like"]) row[each].ariaLabel = `${row[each].title}: ${name}`;
    const pace = facts.tempo_bpm > 0 ? `${Math.round(facts.tempo_bpm)} bpm` : "free tempo";
    const text = make("div", "text", make("p", "head", title, artist),
      make("p", "facts", make("span", "tempo", dots(clock(facts.duration_s), pace, facts.camelot, facts.licence)), rights, row.against));
    const cells = [make("div", "", row.play), text, make("div", "acts", row.listen, row.pin, row.like)];
    for (const cell of cells) cell.role = "gridcell";
    row.element = Object.assign(make("div", "hit", ...cells), { role: "row", title: dots(name, facts.artist) });
    return row;
  }

  /** How loud it is to be played is asked for only then. */
  async #sound(facts, deed) {
    const more = await details(facts.track);
    if (more) deed({ ...more, ...facts });
    else set(this.said, `${titled(facts)} cannot be played: it is not there any more.`);
    return Boolean(more);
  }

  #choose(row, deed = row?.play) {
    this.chosen?.deed.classList.remove("chosen");
    this.chosen = row && { row, deed };
    if (!row) return this.field.removeAttribute("aria-activedescendant");
    deed.classList.add("chosen");
    row.element.scrollIntoView({ block: "nearest" });
    return this.field.setAttribute("aria-activedescendant", deed.id);
  }

  #key(event) {
    const { chosen, rows } = this;
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const aside = chosen && { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.isComposing || !(down || aside || event.key === "Enter")) return;
    event.preventDefault();
    if (down) {
      const row = rows[Math.min(rows.length - 1, rows.indexOf(chosen?.row) + down)];
      const kind = ["play", "listen", "pin", "like"].find((each) => chosen?.row[each] === chosen?.deed);
      this.#choose(row ?? null, row?.[kind]);
    } else if (aside) {
      const { play, listen, pin, like } = chosen.row;
      const all = [play, listen, pin, like];
      this.#choose(chosen.row, all[all.indexOf(chosen.deed) + aside] ?? chosen.deed);
    } else if (chosen) chosen.deed.click();
    else if (rows.length) this.#choose(rows[0]);
  }
}

/** What the session's filters ask for that the track is not known to be. A pinned track is listed all the same. */
function unmet(facts, filters) {
  return [
    filters?.live_ok && facts.live_ok !== true && "not marked live ok, as the filters ask",
    filters?.vod_ok && facts.vod_ok !== true && "not marked VOD ok, as the filters ask",
    filters?.instrumental && facts.vocals !== false && "not known to be instrumental, as the filters ask",
  ];
}
