// The panel of what is on air: here, or on another page, of which this one is a remote.

import { clock } from "./words.js";

export class Transport {
  /** `find(id)` gives the panel's elements; `speaker` tells what is on air. */
  constructor(find, speaker, session) {
    Object.assign(this, { find, speaker, session });
  }

  /** All of it. Returns what is on air. */
  show() {
    const { find, speaker, session: { role } } = this;
    const { now } = speaker;
    find("player").dataset.state = now ? (now.playing ? "playing" : "paused") : "empty";
    find("toggle").disabled = find("skip").disabled = find("seek").disabled = !now || !role.may;
    find("toggle").setAttribute("aria-label", now?.playing ? "Pause" : "Play");
    set(find("now-title"), now ? now.title || "Untitled" : "Nothing playing");
    set(find("now-sub"), now ? this.#sub(now) : "Choose a suggestion to hear it from its best place.");
    set(find("where-text"), this.#where(now, role));
    find("where").hidden = !find("where-text").textContent;
    find("take").hidden = !role.may;
    set(find("take"), speaker.elsewhere ? "Play here instead" : "Go on here");
    this.place(now);
    return now;
  }

  /** Where in the track the sound is, and how long the track is. */
  place(now = this.speaker.now) {
    const { find } = this;
    const length = now?.length_s ?? 0;
    set(find("at"), clock(now ? now.position_s : 0));
    set(find("length"), clock(length));
    const seek = find("seek");
    seek.max = String(length || 1);
    if (!seek.matches(":active")) seek.value = String(now ? now.position_s : 0);
    seek.style.setProperty("--part", String(length ? seek.value / length : 0));
    seek.setAttribute("aria-valuetext", `${find("at").textContent} of ${find("length").textContent}`);
  }

  #sub(now) {
    const began = now.here ? `started at ${clock(now.start_s)}` : "";
    return [now.artist, began, now.licence].filter(Boolean).join(" · ");
  }

  #where(now, role) {
    if (!role.may) return "You may watch here; to play and to ask takes another token.";
    if (!now || now.here) return "";
    if (this.speaker.elsewhere) return "It plays elsewhere; this page is its remote.";
    return "Nobody plays it now.";
  }
}

function set(element, text) { if (element.textContent !== text) element.textContent = text; }
