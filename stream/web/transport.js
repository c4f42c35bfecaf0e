// The panel of what is on air: here, or on another page or in OBS, of which this page is a remote.

import { set } from "./make.js";
import { clock } from "./words.js";
import { Wave } from "./wave.js";

export class Transport {
  /** `find(id)` gives the panel's elements; `speaker` tells what is on air. */
  constructor(find, speaker, session) {
    Object.assign(this, { find, speaker, session, wave: new Wave(find("now-wave")) });
  }

  /** All of it. Returns what is on air. */
  show() {
    const { find, speaker, session: { role } } = this;
    const { now } = speaker;
    find("player").dataset.state = now ? (now.playing ? "playing" : "paused") : "empty";
    find("toggle").disabled = find("skip").disabled = find("seek").disabled = !now || !role.may;
    find("toggle").setAttribute("aria-label", now?.playing ? "Pause" : "Play");
    set(find("now-title"), now ? now.title || "Untitled" : "Nothing playing");
    find("now-title").title = find("now-title").textContent;
    set(find("now-sub"), now ? this.#sub(now) : "Choose a suggestion to hear it from its best place.");
    set(find("where-text"), this.#where(now, role));
    find("where").hidden = !find("where-text").textContent;
    find("player").dataset.away = String(!find("where").hidden);
    find("take").hidden = !role.may;
    set(find("take"), speaker.elsewhere ? "Play here instead" : "Go on here");
    this.place(now);
    return now;
  }

  /** Where in the track the sound is, how long the track is, and how much of it is left. */
  place(now = this.speaker.now) {
    const { find } = this;
    const length = now?.length_s ?? 0;
    set(find("at"), clock(now ? now.position_s : 0));
    set(find("length"), clock(length));
    set(find("left"), now && length ? `−${clock(Math.max(0, this.#end(now) - now.position_s) + 0.5)}` : "");
    const seek = find("seek");
    seek.max = String(length || 1);
    if (!seek.matches(":active")) seek.value = String(now ? now.position_s : 0);
    seek.setAttribute("aria-valuetext", `${find("at").textContent} of ${find("length").textContent}`);
    const { onAir } = this.session;
    const told = onAir && onAir.track === now?.track ? onAir : now;
    this.wave.show(now?.track ?? null, { at_s: now?.position_s, leave_s: told?.leave_s, loop: told?.loop, length_s: length });
  }

  /** Where the music ends, which may be before the file does. */
  #end(now) {
    const { onAir } = this.session;
    const known = onAir?.track === now.track && typeof onAir.left_s === "number" && typeof onAir.position_s === "number";
    return known ? Math.min(now.length_s, onAir.position_s + onAir.left_s) : now.length_s;
  }

  #sub(now) {
    const began = now.here ? `started at ${clock(now.start_s)}` : "";
    return [now.artist, began, now.licence].filter(Boolean).join(" · ");
  }

  #where(now, role) {
    if (!role.may) return "You may watch here; to play and to ask takes another token.";
    if (!now || now.here) return "";
    if (this.speaker.elsewhere && role.name) return `Plays in ${role.name}; this page is its remote.`;
    if (this.speaker.elsewhere) return "Plays elsewhere; this page is its remote.";
    return "Nobody plays it now.";
  }
}
