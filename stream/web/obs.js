// OBS, where the session's picture comes from it or it plays: its scene, what it warns of, and its part as the player.

import { press, set } from "./make.js";

const DUCKS = [null, true, false]; // by itself, always, never
const WORDS = ["Duck: auto", "Duck: on", "Duck: off"];

export class Obs {
  constructor(find, session) {
    Object.assign(this, { find, session, told: null, duck: 0 });
    find("play-in-obs").addEventListener("click", () => session.send({ type: "player", take: true, name: "OBS" }));
    find("duck").addEventListener("click", () => this.next());
  }

  hear(message) { this.told = message; this.show(); }

  forget() { this.told = null; this.duck = 0; this.show(); }

  /** The next of: ducking by itself, on, off. */
  next() {
    this.duck = (this.duck + 1) % DUCKS.length;
    this.session.send({ type: "do", do: "duck", on: DUCKS[this.duck] });
    this.show();
  }

  show() {
    const { find, told, session: { role } } = this;
    const plays = role.name === "OBS" && role.player !== null;
    find("obs").hidden = !told;
    find("duck").hidden = !plays;
    find("duck").disabled = !role.may;
    set(find("duck"), told?.ducked_db && this.duck === 0 ? `Ducked ${Math.round(told.ducked_db)} dB` : WORDS[this.duck]);
    press(find("duck"), DUCKS[this.duck] === true);
    find("play-in-obs").hidden = !told?.connected || plays;
    find("play-in-obs").disabled = !role.may;
    if (!told) return;
    const states = [told.streaming ? "live" : "", told.recording ? "recording" : "", told.studio ? "studio mode: the program is followed, not the preview" : "", told.rule ? `rule: ${told.rule}` : "", told.note];
    set(find("obs-text"), told.connected ? [told.scene, ...states].filter(Boolean).join(" · ") : told.note || "not there; waiting for it");
    find("obs").title = find("obs-text").textContent;
    find("obs").dataset.state = !told.connected || told.note || told.studio ? "warn" : told.streaming ? "live" : "";
  }
}
