// Limits of the session: only tracks that pass all of them are suggested.

import { FLAGS, limited, WORDS } from "./limits.js";
import { button, input, make, when } from "./make.js";
import { outline } from "./titles.js";

const NUMBERS = {
  min_bpm: ["from", "bpm", 1000], max_bpm: ["to", "bpm", 1000], min_duration_s: ["at least", "s", 86400],
  min_energy: ["energy from", "%", 100], max_energy: ["to", "%", 100],
};
const percents = (name) => name.endsWith("energy");

export class Filters {
  constructor(box, session, { say }) {
    Object.assign(this, { session, say, inputs: {} });
    const label = (kind, ...parts) => make("label", kind, ...parts.map((part) => (typeof part === "string" ? make("span", "", part) : part)));
    const pace = Object.entries(NUMBERS).map(([name, [before, unit, most]]) =>
      label("", before, this.#input(name, { type: "number", min: "0", max: String(most), inputMode: "numeric" }), unit));
    const words = Object.entries(WORDS).map(([name, [text, example]]) =>
      label("words", text, this.#input(name, { type: "text", placeholder: example, maxLength: 600, autocomplete: "off", spellcheck: false, dir: "auto" })));
    const flags = Object.entries(FLAGS).map(([name, text]) => label("flag", this.#input(name, { type: "checkbox" }), text));
    this.fit = button("quiet", "Fits what is on air", "Only tracks whose key mixes with that of what is on air", () => this.#fit());
    this.fit.ariaLabel = null;
    this.clear = button("quiet", "Clear filters", "", () => session.send({ type: "reset", what: ["filters"] }));
    const form = make("form", "limits", make("fieldset", "pace", make("legend", "", "Tempo, length and energy"), ...pace), ...words,
      make("div", "flags", ...flags), make("div", "save", this.fit, this.clear));
    when(form, "submit", (event) => { event.preventDefault(); this.#ask(); });
    when(form, "change", () => this.#ask());
    box.append(form);
  }

  /** `anew`: also what is typed, since it was refused. */
  show(anew) {
    const { asked, onAir, role: { may } } = this.session;
    const filters = asked?.filters;
    this.fit.disabled = !may || !filters || !onAir;
    const key = JSON.stringify([filters ?? null, may]);
    if (key === this.key || key === this.was && !anew) return; // fields that wait for their answer stand
    this.key = key;
    for (const [name, field] of Object.entries(this.inputs)) {
      field.disabled = !may || !filters;
      const value = filters?.[name];
      if (field.type === "checkbox") field.checked = value === true;
      else if (field === document.activeElement) continue; // somebody writes there
      else if (Array.isArray(value)) field.value = value.join(", ");
      else field.value = value ? (percents(name) ? Math.round(100 * value) : value) : "";
    }
    this.clear.disabled = !may || !limited(filters);
  }

  #input(name, facts) { return this.inputs[name] = input({ ...facts, id: `filter-${name}` }); }

  /** The key of what is on air, and those that mix with it. */
  async #fit() {
    const { camelot } = await outline(this.session.onAir.track) ?? {};
    if (!camelot) return this.say("The key of what is on air is not known.");
    this.inputs.keys.value = camelot;
    this.inputs.near_keys.checked = true;
    return this.#ask();
  }

  /** All of the filters at once, as the server wants them; a limit that is not set is left out. */
  #ask() {
    const said = { type: "filters" };
    for (const [name, { type, checked, value }] of Object.entries(this.inputs)) {
      const text = value.trim();
      if (type === "checkbox" ? !checked : !text) continue;
      if (type === "checkbox") said[name] = true;
      else if (type === "number") said[name] = Number(text) / (percents(name) ? 100 : 1);
      else said[name] = text.split(/[,;]/).map((word) => word.trim()).filter(Boolean).slice(0, 32);
    }
    this.was = this.key || this.was;
    this.key = "";
    this.session.send(said);
  }
}
