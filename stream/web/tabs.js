// The tools: one is open, or none; which one is kept by this page.

import { make } from "./make.js";
import { choose, chose } from "./look.js";

const TOOLS = { steer: "Steer", filters: "Filters", kits: "Kits", history: "History" };

export class Tabs {
  /** `opened(name)` is called when a tool opens. */
  constructor(box, usual, opened) {
    this.panels = Object.fromEntries(Object.keys(TOOLS).map((name) => [name, box.querySelector(`#tool-${name}`)]));
    this.opened = opened;
    this.buttons = Object.fromEntries(Object.entries(TOOLS).map(([name, label]) => {
      const tab = make("button", "tab", label);
      tab.type = "button";
      tab.id = `tab-${name}`;
      tab.setAttribute("aria-controls", `tool-${name}`);
      tab.addEventListener("click", () => this.open(this.panels[name].hidden ? name : "none"));
      box.querySelector(".tabs").append(tab);
      return [name, tab];
    }));
    this.open(chose("tool") || usual, false);
  }

  open(name, keep = true) {
    if (keep) choose("tool", name);
    for (const [each, panel] of Object.entries(this.panels)) {
      panel.hidden = each !== name;
      this.buttons[each].setAttribute("aria-expanded", String(each === name));
    }
    if (name in TOOLS) this.opened(name);
  }

  /** A mark that something is asked for by this tool. */
  mark(name, on) { this.buttons[name].classList.toggle("marked", on); }
}
