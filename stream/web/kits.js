// Kits: filters, dials and weights under a name, kept by the server.

import { ask, missing } from "./ask.js";
import { button, input, make, when } from "./make.js";

const SURE_MS = 4000;
const NONE = "No kit is saved yet. A kit is the present filters, dials and weights under a name.";

export class Kits {
  constructor(box, session, { say }) {
    Object.assign(this, { session, say });
    this.list = make("ul", "kits");
    this.none = make("p", "hint");
    this.name = input({ type: "text", maxLength: 60, placeholder: "Name, for example: boss fight", required: true, id: "kit-name", dir: "auto", ariaLabel: "Name of the kit" });
    this.save = make("button", { className: "quiet", type: "submit" }, "Save as a kit");
    const form = make("form", "save", this.name, this.save);
    when(form, "submit", (event) => { event.preventDefault(); this.#save(); });
    box.append(this.list, this.none, form);
  }

  show() {
    const { asked, role: { may } } = this.session;
    for (const each of this.list.querySelectorAll("button")) each.disabled = !may;
    this.name.disabled = this.save.disabled = !may || !asked;
  }

  async load() {
    const { status, told } = await ask("/api/kits");
    const kits = told?.kits ?? [];
    this.none.hidden = kits.length > 0;
    this.none.textContent = told ? NONE : missing(status, "kits");
    if (!told) return;
    this.list.replaceChildren(...kits.map((kit) => this.#row(kit)));
    this.show();
  }

  #row(kit) {
    const { name, filters, steer, weights } = kit;
    // one command, so one undo takes it back
    const wish = { type: "wishes", filters: filters ?? {}, ...(steer && { steer }), ...(weights && { weights }) };
    const apply = Object.assign(button("quiet name", name, "", () => this.session.send(wish)), { dir: "auto" });
    const drop = button("small", "×", `Delete the kit ${name}`, () => (drop.textContent === "×" ? sure(drop) : this.#ask(name, "deleted", { method: "DELETE" })));
    return make("li", "", apply, drop);
  }

  async #save() {
    const { filters, steer, weights } = this.session.asked ?? {};
    const name = this.name.value.trim();
    if (!name) return;
    const saved = await this.#ask(name, "saved", { method: "PUT", body: JSON.stringify({ name, filters, steer, weights }) });
    if (saved) this.name.value = "";
  }

  async #ask(name, done, options) {
    const { status, why } = await ask(`/api/kits/${encodeURIComponent(name)}`, options);
    const well = status >= 200 && status < 300;
    if (!well) this.say(`The kit was not ${done}: ${why}.`);
    await this.load();
    return well;
  }
}

/** A kit is deleted for good: the button asks for a second press, and soon is as it was. */
function sure(button) {
  const { ariaLabel } = button;
  Object.assign(button, { textContent: "?", ariaLabel: `Press again: ${ariaLabel}` });
  setTimeout(() => Object.assign(button, { textContent: "×", ariaLabel }), SURE_MS);
}
