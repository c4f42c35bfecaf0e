// The tools: one is open, or none; which one is kept by this page.

import { choose, chose } from "./look.js";
import { $, button } from "./make.js";

const TOOLS = { steer: "Steer", filters: "Filters", kits: "Kits", history: "History" };

export class Tabs {
  /** `opened(name)` fills a tool that opens. */
  constructor(box, usual, opened) {
    this.opened = opened;
    for (const [name, label] of Object.entries(TOOLS)) {
      const tab = button("tab", label, "", () => this.open($(`tool-${name}`).hidden ? name : "none"));
      tab.id = `tab-${name}`;
      tab.setAttribute("aria-controls", `tool-${name}`);
      box.querySelector(".tabs").append(tab);
    }
    this.open(chose("tool") || usual, false);
  }

  /** Resolves when the tool is there. */
  async open(name, keep = true) {
    if (keep) choose("tool", name);
    for (const each of Object.keys(TOOLS)) {
      $(`tool-${each}`).hidden = each !== name;
      $(`tab-${each}`).ariaExpanded = String(each === name);
    }
    if (name in TOOLS) await this.opened(name);
  }

  /** A mark that something is asked for by this tool. */
  mark(name, on) { $(`tab-${name}`).classList.toggle("marked", on); }
}
