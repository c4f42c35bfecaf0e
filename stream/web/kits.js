// Kits: filters, dials and weights that were saved under a name, for a show or a part of it. The server keeps them.

import { ask } from "./ask.js";
import { button, input, make } from "./make.js";
import { authorised } from "./token.js";

const SURE_MS = 4000;
const NONE = "No kit is saved yet. A kit is the present filters, dials and weights under a name.";

/** The command that makes the session's wishes those of a kit: one, so one undo takes it back. */
function wish({ filters, steer, weights }) {
  return { type: "wishes", filters: filters ?? {}, ...(steer && { steer }), ...(weights && { weights }) };
}

export class Kits {
  /** `asked()`: what the session is asked now; `say(text)`. */
  constructor(box, send, asked, say) {
    Object.assign(this, { send, asked, say, may: false });
    this.list = make("ul", "kits");
    this.none = make("p", "hint");
    this.name = input({ type: "text", maxLength: 60, placeholder: "Name, for example: boss fight", required: true, id: "kit-name", dir: "auto", ariaLabel: "Name of the kit" });
    this.save = Object.assign(make("button", "quiet", "Save as a kit"), { type: "submit" });
    const form = make("form", "save", this.name, this.save);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#save(); });
    box.append(this.list, this.none, form);
  }

  show(may) {
    this.may = may;
    for (const each of this.list.querySelectorAll("button")) each.disabled = !may;
    this.name.disabled = this.save.disabled = !may || !this.asked();
  }

  async load() {
    const { status, told } = await ask("/api/kits");
    const kits = told?.kits ?? [];
    this.none.hidden = kits.length > 0;
    this.none.textContent = told ? NONE : status === 404 ? "This server keeps no kits." : "The kits cannot be read now.";
    if (!told) return;
    this.list.replaceChildren(...kits.map((kit) => this.#row(kit)));
    this.show(this.may);
  }

  #row(kit) {
    const apply = button("quiet name", kit.name, "", () => this.send(wish(kit)));
    apply.dir = "auto";
    const drop = button("small", "×", `Delete the kit ${kit.name}`, () => (drop.textContent === "×" ? sure(drop) : this.#drop(kit)));
    return make("li", "", apply, drop);
  }

  async #save() {
    const { filters, steer, weights } = this.asked() ?? {};
    const name = this.name.value.trim();
    if (!name) return;
    const headers = authorised("view", { "Content-Type": "application/json" });
    const response = await fetch(address(name), { method: "PUT", headers, body: JSON.stringify({ name, filters, steer, weights }) }).catch(() => null);
    await this.#told(response, "saved");
    if (response?.ok) this.name.value = "";
  }

  async #drop(kit) {
    await this.#told(await fetch(address(kit.name), { method: "DELETE", headers: authorised("view") }).catch(() => null), "deleted");
  }

  async #told(response, done) {
    if (!response?.ok) {
      const { error, detail } = (await response?.json().catch(() => null)) ?? {};
      this.say(`The kit was not ${done}: ${error || detail || "the server cannot be reached"}.`);
    }
    await this.load();
  }
}

/** A kit is deleted for good: the button asks for a second press, and soon is as it was. */
function sure(button) {
  const { ariaLabel } = button;
  Object.assign(button, { textContent: "?", ariaLabel: `Press again: ${ariaLabel}` });
  setTimeout(() => Object.assign(button, { textContent: "×", ariaLabel }), SURE_MS);
}

function address(name) { return `/api/kits/${encodeURIComponent(name)}`; }
