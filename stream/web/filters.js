// Limits of the session: only tracks that pass all of them are suggested.

import { button, make } from "./make.js";
import { limited } from "./session.js";

const WORDS = { licences: ["Licences", "CC0, CC-BY"], tags: ["Tags", "ambient, piano"], moods: ["Moods", "calm, dark"], playlists: ["Playlists", "Late show"] };
const FLAGS = { instrumental: "Instrumental only", live_ok: "Marked live ok", vod_ok: "Marked VOD ok", jingles: "Jingles too" };
const NUMBERS = { min_bpm: ["from", "bpm"], max_bpm: ["to", "bpm"], min_duration_s: ["at least", "s"] };

export class Filters {
  constructor(box, send) {
    this.send = send;
    this.inputs = {};
    const form = make("form", "limits");
    const pace = make("fieldset", "pace");
    pace.append(make("legend", "", "Tempo and length"));
    for (const [name, [before, unit]] of Object.entries(NUMBERS)) {
      const label = make("label");
      label.append(make("span", "", before), this.#input(name, { type: "number", min: "0", max: name === "min_duration_s" ? "86400" : "1000", inputMode: "numeric" }), make("span", "", unit));
      pace.append(label);
    }
    form.append(pace);
    for (const [name, [label, example]] of Object.entries(WORDS)) {
      const row = make("label", "words");
      row.append(make("span", "", label), this.#input(name, { type: "text", placeholder: example, maxLength: 600, autocomplete: "off", spellcheck: false, dir: "auto" }));
      form.append(row);
    }
    const flags = make("div", "flags");
    for (const [name, text] of Object.entries(FLAGS)) {
      const label = make("label", "flag");
      label.append(this.#input(name, { type: "checkbox" }), make("span", "", text));
      flags.append(label);
    }
    this.clear = button("quiet", "Clear filters", "", () => send({ type: "reset", what: ["filters"] }));
    form.append(flags, this.clear);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#ask(); });
    form.addEventListener("change", () => this.#ask());
    box.append(form);
  }

  show(filters, may) {
    this.filters = filters;
    const key = JSON.stringify([filters ?? null, may]);
    if (key === this.key) return;
    this.key = key;
    for (const [name, input] of Object.entries(this.inputs)) {
      input.disabled = !may || !filters;
      if (input === document.activeElement && input.type !== "checkbox") continue; // somebody writes there
      const value = filters?.[name];
      if (input.type === "checkbox") input.checked = value === true;
      else input.value = Array.isArray(value) ? value.join(", ") : value || "";
    }
    this.clear.disabled = !may || !limited(filters);
  }

  #input(name, facts) {
    const input = make("input");
    Object.assign(input, facts, { id: `filter-${name}` });
    this.inputs[name] = input;
    return input;
  }

  /** All of the filters at once, as the server wants them; a limit that is not set is left out. */
  #ask() {
    const said = { type: "filters" };
    for (const [name, input] of Object.entries(this.inputs)) {
      if (input.type === "checkbox") { if (input.checked) said[name] = true; continue; }
      const text = input.value.trim();
      if (!text) continue;
      if (input.type === "number") said[name] = Number(text);
      else said[name] = text.split(/[,;]/).map((word) => word.trim()).filter(Boolean).slice(0, 32);
    }
    this.key = "";
    this.send(said);
  }
}
