// The volume: of this page's sound, or, where it is a remote, of who plays.

import { $, press, when } from "./make.js";
import { percent } from "./words.js";

const HOLD_MS = 1000; // what is told so soon after a change is older than that

export class Volume {
  constructor(speaker) {
    Object.assign(this, { speaker, slider: $("volume"), loud: 0.8, chosen_ms: -HOLD_MS });
    when(this.slider, "input", () => this.choose(this.part));
    when("mute", "click", () => this.mute());
    this.#lay(speaker.part);
  }

  get part() { return Number(this.slider.value); }

  choose(part) {
    if (this.slider.disabled) return;
    this.chosen_ms = performance.now();
    this.#lay(Math.max(0, Math.min(1, part)));
    this.speaker.louder(this.part);
  }

  mute() {
    const { part } = this;
    if (part > 0) this.loud = part;
    this.choose(part > 0 ? 0 : this.loud);
  }

  show() {
    const { part, session: { role } } = this.speaker;
    const silent = part === null;
    this.slider.disabled = $("mute").disabled = silent || !role.may;
    this.slider.title = $("mute").title = silent ? "What plays does not tell how loud it is: set the volume there" : "";
    if (silent || this.slider.matches(":active") || performance.now() < this.chosen_ms + HOLD_MS) return;
    this.#lay(part);
  }

  #lay(part) {
    const { slider } = this;
    slider.value = String(part);
    slider.style.setProperty("--part", slider.value);
    slider.ariaValueText = percent(part);
    press($("mute"), this.part === 0);
  }
}
