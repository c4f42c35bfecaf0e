// Dials: where to lean, and what counts. Their positions are the session's.

import { button, input, make, set, when } from "./make.js";
import { leans, NEUTRAL, weighs } from "./session.js";
import { percent } from "./words.js";

export const DIALS = { energy: ["Energy", "calmer", "livelier"], valence: ["Mood", "darker", "brighter"], tension: ["Tension", "more relaxed", "tenser"], tempo: ["Tempo", "slower", "quicker"] };
export const WEIGHTS = { content: "Picture", rhythm: "Rhythm", mood: "Mood" };
const APART_MS = 200;

export class Steer {
  constructor(box, session) {
    Object.assign(this, { session, dials: {}, waiting: {} });
    const steers = Object.entries(DIALS).map(([name, dial]) => this.#dial("steer", name, dial, -1));
    const counts = Object.entries(WEIGHTS).map(([name, label]) => this.#dial("weights", name, [label], 0));
    this.back = button("quiet", "Set back", "Set back dials and weights", () => session.send({ type: "reset", what: ["steer", "weights"] }));
    box.append(group("Where to lean", steers), make("h3", "", "What counts"), group("What counts", counts), this.back);
  }

  show() {
    const { asked, role: { may } } = this.session;
    for (const [key, dial] of Object.entries(this.dials)) {
      const [kind, name] = key.split(" ");
      dial.slider.disabled = !may || !asked;
      if (dial.slider.matches(":active") || key in this.waiting) continue;
      dial.slider.value = String(Math.min(1, (asked ?? NEUTRAL)[kind][name]));
      dial.say();
    }
    this.back.disabled = !may || !asked || !(leans(asked.steer) || weighs(asked.weights));
  }

  #dial(kind, name, [label, less, more], min) {
    const key = `${kind} ${name}`;
    const slider = input({ type: "range", min: String(min), max: "1", step: "0.05", value: "0", id: `${kind}-${name}` });
    const said = make("output", "amount");
    const say = () => {
      const value = Number(slider.value);
      const amount = percent(Math.abs(value));
      const text = kind === "weights" ? amount : value ? `${value < 0 ? less : more} ${amount}` : "as it fits";
      set(said, text);
      slider.ariaValueText = text;
      slider.style.setProperty("--part", String((value - min) / (1 - min)));
    };
    const turned = () => { say(); this.#later(key, kind, name, slider); };
    when(slider, "input", turned);
    if (kind === "steer") when(slider, "dblclick", () => { slider.value = "0"; turned(); });
    this.dials[key] = { slider, say };
    return make("label", kind === "steer" ? "dial centred" : "dial", make("span", "name", label), slider, said);
  }

  /** A dial that is being turned says so a few times a second, not for each pixel. */
  #later(key, kind, name, slider) {
    clearTimeout(this.waiting[key]?.settle);
    const waits = this.waiting[key] ??= {};
    waits.send ??= setTimeout(() => {
      waits.send = null;
      this.session.send({ type: kind, [name]: Number(slider.value) });
      waits.settle = setTimeout(() => { delete this.waiting[key]; }, 4 * APART_MS); // what comes until then is older
    }, APART_MS);
  }
}

/** Two dials have one name; their groups tell them apart. */
function group(name, dials) {
  return make("div", { className: "dials", role: "group", ariaLabel: name }, ...dials);
}
