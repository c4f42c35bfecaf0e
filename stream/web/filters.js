// Limits of the session: only tracks that pass all of them are suggested.

import { button, input, make } from "./make.js";
import { limited } from "./session.js";

const WORDS = { licences: ["Licences", "CC0, CC-BY"], tags: ["Tags", "ambient, piano"], moods: ["Moods", "calm, dark"], playlists: ["Playlists", "Late show"] };
const FLAGS = { instrumental: "Instrumental only", live_ok: "Marked live ok", vod_ok: "Marked VOD ok", jingles: "Jingles too" };
const NUMBERS = { min_bpm: ["from", "bpm", "1000"], max_bpm: ["to", "bpm", "1000"], min_duration_s: ["at least", "s", "86400"] };

export class Filters {
  constructor(box, send) {
    Object.assign(this, { send, inputs: {} });
    const pace = Object.entries(NUMBERS).map(([name, [before, unit, most]]) =>
      make("label", "", make("span", "", before), this.#input(name, { type: "number", min: "0", max: most, inputMode: "numeric" }), make("span", "", unit)));
    const words = Object.entries(WORDS).map(([name, [label, example]]) =>
      make("label", "words", make("span", "", label), this.#input(name, { type: "text", placeholder: example, maxLength: 600, autocomplete: "off", spellcheck: false, dir: "auto" })));
    const flags = Object.entries(FLAGS).map(([name, text]) => make("label", "flag", this.#input(name, { type: "checkbox" }), make("span", "", text)));
    this.clear = button("quiet", "Clear filters", "", () => send({ type: "reset", what: ["filters"] }));
    const form = make("form", "limits", make("fieldset", "pace", make("legend", "", "Tempo and length"), ...pace), ...words, make("div", "flags", ...flags), this.clear);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#ask(); });
    form.addEventListener("change", () => this.#ask());
    box.append(form);
  }

  show(filters, may) {
    this.filters = filters;
    const key = JSON.stringify([filters ?? null, may]);
    if (key === this.key) return;
    this.key = key;
    for (const [name, field] of Object.entries(this.inputs)) {
      field.disabled = !may || !filters;
      const value = filters?.[name];
      if (field.type === "checkbox") field.checked = value === true;
      else if (field !== document.activeElement) field.value = Array.isArray(value) ? value.join(", ") : value || ""; // else somebody writes there
    }
    this.clear.disabled = !may || !limited(filters);
  }

  #input(name, facts) {
    return this.inputs[name] = input({ ...facts, id: `filter-${name}` });
  }

  /** All of the filters at once, as the server wants them; a limit that is not set is left out. */
  #ask() {
    const said = { type: "filters" };
    for (const [name, { type, checked, value }] of Object.entries(this.inputs)) {
      const text = value.trim();
      if (type === "checkbox" ? !checked : !text) continue;
      if (type === "checkbox") said[name] = true;
      else if (type === "number") said[name] = Number(text);
      else said[name] = text.split(/[,;]/).map((word) => word.trim()).filter(Boolean).slice(0, 32);
    }
    this.key = "";
    this.send(said);
  }
}
