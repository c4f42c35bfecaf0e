// The dialog of what is this page's own: looks, fades, headphones, keys.

import { Audition, outputs } from "./audition.js";
import { choose, chose, dock } from "./look.js";
import { button, make } from "./make.js";

const CHOICES = {
  theme: ["Colours", { "": "As the system", light: "Light", dark: "Dark" }],
  size: ["Size", { "": "Normal", large: "Large", compact: "Compact" }],
  fade: ["From track to track", { off: "Cut", gentle: "Fade", beat: "On the beat, where both are known" }],
};

export class Settings {
  constructor(dialog) {
    this.dialog = dialog;
    const title = make("h2", "", "Settings");
    title.id = "settings-name";
    const form = make("div", "form");
    for (const [name, [label, options]] of Object.entries(CHOICES)) form.append(row(label, this.#select(name, options)));
    const seconds = Object.assign(make("input"), { type: "number", min: "0.3", max: "10", step: "0.1", value: String(chose("fade_s")), id: "set-fade-s" });
    seconds.addEventListener("change", () => {
      const value = Math.min(10, Math.max(0.3, Number(seconds.value) || 2.5));
      seconds.value = String(value);
      choose("fade_s", value);
    });
    form.append(row("Seconds of a fade", seconds), this.#headphones());
    if (!dock) form.append(this.#flag("keys", "Single keys (Space, 1 to 9, …)"), this.#flag("strip", "Movement of the picture"));
    const close = button("quiet", "Close", "", () => dialog.close());
    dialog.append(title, make("p", "hint", "These are this page's own; all else is the session's, the same on every page."), form, close);
  }

  #select(name, options) {
    const select = make("select");
    select.id = `set-${name}`;
    for (const [value, text] of Object.entries(options)) select.append(new Option(text, value));
    const show = () => { select.value = chose(name); };
    show();
    addEventListener("segue-look", show);
    select.addEventListener("change", () => choose(name, select.value));
    return select;
  }

  #flag(name, text) {
    const label = make("label", "flag");
    const input = Object.assign(make("input"), { type: "checkbox", checked: chose(name), id: `set-${name}` });
    input.addEventListener("change", () => choose(name, input.checked));
    label.append(input, make("span", "", text));
    return label;
  }

  #headphones() {
    const box = make("div", "headphones");
    const select = Object.assign(make("select"), { id: "set-headphones" });
    select.append(new Option("None chosen: softly, while nothing is on air", ""));
    if (chose("headphones")) select.append(new Option("The output that was chosen", chose("headphones")));
    select.value = chose("headphones");
    select.addEventListener("change", () => choose("headphones", select.value));
    const said = make("p", "hint");
    said.setAttribute("role", "status");
    const ask = button("quiet", "Name outputs…", "", async () => {
      try {
        const found = await outputs();
        select.replaceChildren(new Option("None chosen: softly, while nothing is on air", ""), ...found.map(({ id, name }) => new Option(name, id)));
        select.value = found.some(({ id }) => id === chose("headphones")) ? chose("headphones") : "";
        said.textContent = "";
      } catch (error) {
        said.textContent = error.message;
      }
    });
    if (!Audition.possible) {
      select.disabled = ask.disabled = true;
      said.textContent = "This browser plays to one output only.";
    }
    box.append(row("Headphones", select), ask, said);
    return box;
  }
}

function row(label, control) {
  const made = make("label", "row-of");
  made.append(make("span", "", label), control);
  return made;
}
