// What was on air, in all sessions, newest first.

import { ask, missing } from "./ask.js";
import { make } from "./make.js";
import { ago, clock, dots, titled } from "./words.js";

const LIMIT = 50;

export class History {
  constructor(box) {
    this.list = make("ol", "history");
    this.none = make("p", "hint");
    this.last = new Map(); // track -> when
    box.append(this.list, this.none);
  }

  used(track) { return this.last.get(track) ?? ""; }

  async load() {
    const { status, told } = await ask(`/api/history?limit=${LIMIT}`);
    const history = told?.history ?? [];
    this.none.hidden = history.length > 0 || (!told && this.list.children.length > 0);
    this.none.textContent = told ? "Nothing was on air yet." : missing(status, "history");
    if (!told) return;
    this.last = new Map(history.map(({ track, at }) => [track, at]).reverse());
    this.list.replaceChildren(...history.map(({ title, artist, at, played_s }) => {
      const name = make("span", { className: "name", dir: "auto" }, dots(titled({ title }), artist));
      return make("li", "", name, make("span", "when", `${ago(at)}${played_s ? `, for ${clock(played_s)}` : ""}`));
    }));
  }
}
