// OBS: its scene, what it warns of, and its part as the player.

import { $, press, set, when } from "./make.js";
import { dots } from "./words.js";

const DUCKS = [["Duck: auto", null], ["Duck: on", true], ["Duck: off", false]]; // auto: when somebody speaks

export class Obs {
  constructor(session) {
    Object.assign(this, { session, told: null, duck: 0 });
    when("play-in-obs", "click", () => session.send({ type: "player", take: true, name: "OBS" }));
    when("duck", "click", () => this.next());
  }

  hear(message) { this.told = message; this.show(); }

  forget() { this.told = null; this.duck = 0; this.show(); }

  next() {
    this.duck = (this.duck + 1) % DUCKS.length;
    this.session.send({ type: "do", do: "duck", on: DUCKS[this.duck][1] });
    this.show();
  }

  show() {
    const { told, session: { role } } = this;
    const plays = role.name === "OBS" && role.player !== null;
    const [word, on] = DUCKS[this.duck];
    $("obs").hidden = !told;
    $("duck").hidden = !plays;
    $("play-in-obs").hidden = !told?.connected || plays;
    $("duck").disabled = $("play-in-obs").disabled = !role.may;
    set($("duck"), told?.ducked_db && on === null ? `Ducked ${Math.round(told.ducked_db)} dB` : word);
    press($("duck"), on === true);
    if (!told) return;
    const { connected, scene, streaming, recording, studio, rule, note } = told;
    // in a dock the line is cut: the scene's rule comes first
    const states = [note, rule, scene, streaming && "live", recording && "recording", studio && "studio mode: the program is followed, not the preview"];
    set($("obs-text"), connected ? dots(...states) : note || "not there; waiting for it");
    $("obs").title = $("obs-text").textContent;
    $("obs").dataset.state = !connected || note || studio ? "warn" : streaming ? "live" : "";
  }
}
