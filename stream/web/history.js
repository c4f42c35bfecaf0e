// What was on air, in this and earlier sessions, newest first; and when a track was last used.

import { make } from "./make.js";
import { authorised } from "./token.js";
import { ago, clock } from "./words.js";

const LIMIT = 50;

export class History {
  constructor(box) {
    this.list = make("ol", "history");
    this.none = make("p", "hint", "Nothing was on air yet.");
    this.last = new Map(); // track -> when
    box.append(this.list, this.none);
  }

  /** When a track was last on air, or an empty text. */
  used(track) { return this.last.get(track) ?? ""; }

  async load() {
    const response = await fetch(`/api/history?limit=${LIMIT}`, { headers: authorised("view") }).catch(() => null);
    if (!response?.ok) {
      this.none.hidden = this.list.children.length > 0;
      this.none.textContent = response?.status === 404 ? "This server keeps no history." : "The history cannot be read now.";
      return;
    }
    const { history = [] } = await response.json().catch(() => ({}));
    this.last = new Map(history.map(({ track, at }) => [track, at]).reverse());
    this.none.hidden = history.length > 0;
    this.none.textContent = "Nothing was on air yet.";
    this.list.replaceChildren(...history.map(({ title, artist, at, played_s }) => {
      const name = make("span", "name", [title || "Untitled", artist].filter(Boolean).join(" · "));
      name.dir = "auto";
      return make("li", "", name, make("span", "when", [ago(at), played_s ? `for ${clock(played_s)}` : ""].filter(Boolean).join(", ")));
    }));
  }
}
