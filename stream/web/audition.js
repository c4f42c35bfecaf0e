// Listening in headphones, apart from what is on air; the session is never told of it.

import { chose } from "./look.js";
import { when } from "./make.js";
import { addressed } from "./ask.js";

const LOW = 0.25; // of full level, where there is no second output

export class Audition {
  /** `on` has change(track or null), say(text). `busy`: whether something is on air here. */
  constructor(busy, on) {
    Object.assign(this, { busy, on, track: null, turn: 0 });
    this.audio = new Audio();
    when(this.audio, "ended", () => this.stop());
  }

  /** Whether this browser can play to an output that is chosen. */
  static get possible() { return "setSinkId" in HTMLMediaElement.prototype; }

  async toggle(item) {
    if (this.track === item.track) return this.stop();
    const turn = ++this.turn;
    const own = Audition.possible && chose("headphones");
    if (!own && this.busy()) {
      this.stop();
      return this.on.say(Audition.possible
        ? "Choose your headphones in the settings first: something is on air here, and both would be heard."
        : "This browser plays to one output only, and something is on air here.");
    }
    const { audio } = this;
    try {
      if (Audition.possible) await audio.setSinkId(own || "");
    } catch {
      if (this.busy()) return this.on.say("The headphones that were chosen are not there. Choose again in the settings.");
    }
    if (turn !== this.turn) return;
    const gain = Math.min(1, 10 ** ((item.gain_db ?? 0) / 20));
    audio.volume = own ? gain : LOW * gain;
    audio.src = addressed(`/tracks/${encodeURIComponent(item.track)}/audio?start=${item.start_s.toFixed(3)}&fade=0.020`);
    this.track = item.track;
    this.on.change(this.track);
    try {
      await audio.play();
      if (!own) this.on.say("Played softly on the usual output. Headphones can be chosen in the settings.");
    } catch (error) {
      if (turn !== this.turn) return;
      this.stop();
      this.on.say(error.name === "NotAllowedError" ? "The browser wants a click on the page before it gives sound." : `${item.title || "This track"} cannot be played: its file may be gone.`);
    }
  }

  stop() {
    this.turn += 1;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.track = null;
    this.on.change(null);
  }
}
