// Dials: where to lean, and what counts. They are positions of the session, the same on every page.

import { button, make, set } from "./make.js";
import { leans, NEUTRAL, weighs } from "./session.js";

const DIALS = { energy: ["Energy", "calmer", "livelier"], valence: ["Mood", "darker", "brighter"], tension: ["Tension", "relaxed", "tense"], tempo: ["Tempo", "slower", "quicker"] };
const WEIGHTS = { content: "Picture", rhythm: "Rhythm", mood: "Mood" };
const APART_MS = 200;

export class Steer {
  constructor(box, send) {
    this.send = send;
    this.dials = {};
    this.waiting = {};
    const rows = make("div", "dials");
    for (const [name, [label, less, more]] of Object.entries(DIALS)) rows.append(this.#dial("steer", name, label, { min: -1, less, more }));
    const counts = make("div", "dials");
    for (const [name, label] of Object.entries(WEIGHTS)) counts.append(this.#dial("weights", name, label, { min: 0, less: "nothing", more: "all" }));
    this.back = button("quiet", "Set back", "Set back dials and weights", () => send({ type: "reset", what: ["steer", "weights"] }));
    box.append(rows, make("h3", "", "What counts"), counts, this.back);
  }

  show(asked, may) {
    for (const [key, dial] of Object.entries(this.dials)) {
      const [kind, name] = key.split(" ");
      dial.input.disabled = !may || !asked;
      if (dial.input.matches(":active") || key in this.waiting) continue;
      const value = kind === "steer" ? asked?.steer?.[name] ?? 0 : Math.min(1, asked?.weights?.[name] ?? NEUTRAL.weights[name]);
      if (Number(dial.input.value) !== value) dial.input.value = String(value);
      dial.say();
    }
    this.back.disabled = !may || !asked || !(leans(asked.steer) || weighs(asked.weights));
  }

  #dial(kind, name, label, { min, less, more }) {
    const key = `${kind} ${name}`;
    const row = make("label", kind === "steer" ? "dial centred" : "dial");
    const input = make("input");
    const said = make("output", "amount");
    Object.assign(input, { type: "range", min: String(min), max: "1", step: "0.05", value: "0", id: `${kind}-${name}` });
    const say = () => {
      const value = Number(input.value);
      const percent = `${Math.round(100 * Math.abs(value))} %`;
      const text = kind === "weights" ? percent : value ? `${value < 0 ? less : more} ${percent}` : "as it fits";
      set(said, text);
      input.setAttribute("aria-valuetext", text);
      input.style.setProperty("--part", String((value - min) / (1 - min)));
    };
    input.addEventListener("input", () => { say(); this.#later(key, kind, name, input); });
    if (kind === "steer") input.addEventListener("dblclick", () => { input.value = "0"; say(); this.#later(key, kind, name, input); });
    row.append(make("span", "name", label), input, said);
    this.dials[key] = { input, say };
    return row;
  }

  /** A dial that is being turned says so a few times a second, not for each pixel. */
  #later(key, kind, name, input) {
    clearTimeout(this.waiting[key]?.settle);
    this.waiting[key] ??= {};
    this.waiting[key].send ??= setTimeout(() => {
      this.waiting[key].send = undefined;
      this.send({ type: kind, [name]: Number(input.value) });
      this.waiting[key].settle = setTimeout(() => { delete this.waiting[key]; }, 4 * APART_MS); // what comes until then is older
    }, APART_MS);
  }
}
