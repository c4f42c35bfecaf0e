// What few need at once is loaded when it is wanted: the tools, of which one is open or none, and the dialogs.

import { UNREACHED } from "./ask.js";
import { choose, chose } from "./look.js";
import { $, button } from "./make.js";

const TOOLS = { steer: "Steer", filters: "Filters", kits: "Kits", history: "History" };

export class Parts {
  /** `usual`: the tool that is open at first. */
  constructor(session, deeds, usual) {
    Object.assign(this, { session, deeds, loaded: {} });
    for (const [name, label] of Object.entries(TOOLS)) {
      const tab = Object.assign(button("tab", label, "", () => this.open($(`tool-${name}`).hidden ? name : "none")), { id: `tab-${name}` });
      tab.setAttribute("aria-controls", `tool-${name}`);
      $("tools").querySelector(".tabs").append(tab);
    }
    this.open(chose("tool") || usual, false);
  }

  /** Open a tool, filled the first time. */
  async open(name, keep = true) {
    if (keep) choose("tool", name);
    for (const each of Object.keys(TOOLS)) {
      $(`tool-${each}`).hidden = each !== name;
      $(`tab-${each}`).ariaExpanded = String(each === name);
    }
    if (name === "history") await this.deeds.history.load();
    if (name !== "filters" && name !== "kits") return;
    const part = await this.#get(name, ({ Filters, Kits }) => new (Filters ?? Kits)($(`tool-${name}`), this.session, this.deeds));
    this.show();
    await part?.load?.();
  }

  mark(name, on) { $(`tab-${name}`).classList.toggle("marked", on); }

  async dialog(name) {
    const dialog = $(name);
    if (await this.#get(name, ({ fill }) => fill(dialog) ?? {}) && !dialog.open) dialog.showModal();
  }

  async find() {
    const [box, field] = [$("find"), $("find-words")]; // open at once: what is typed meanwhile is not for the page's keys
    if (!box.open) box.show();
    field.focus();
    field.select();
    if (!await this.#get("find", ({ Find }) => new Find(box, field, this.session, this.deeds))) box.close();
  }

  show(anew) {
    for (const part of Object.values(this.loaded)) part.show?.(anew);
  }

  /** The part of that name; null, and said, where it cannot be fetched. */
  async #get(name, made) {
    try {
      const part = await import(`./${name}.js`);
      return this.loaded[name] ??= made(part);
    } catch {
      this.deeds.say(UNREACHED);
      return null;
    }
  }
}
