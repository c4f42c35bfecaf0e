// The volume, of who plays; below it how loud what this page plays is now, and its newest peak.

import { $, press, when } from "./make.js";
import { percent } from "./words.js";

const HOLD_MS = 1000; // what is told so soon after a change is older than that
const FLOOR_DB = -60;
const PEAK_MS = 1200;

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

export class Meter {
  constructor(element, player) {
    Object.assign(this, { bar: element.querySelector("i"), mark: element.querySelector("b"), player, peak: 0, peak_ms: 0, shown: -1 });
    this.samples = new Float32Array(1024);
    const step = () => { if (!document.hidden && (player.playing || this.shown > 0)) this.#draw(); };
    setInterval(step, 80);
  }

  #draw() {
    const { analyser, playing } = this.player;
    if (!analyser) return;
    analyser.getFloatTimeDomainData(this.samples);
    let [sum, top] = [0, 0];
    for (const sample of this.samples) { sum += sample * sample; top = Math.max(top, Math.abs(sample)); }
    const part = (level) => Math.max(0, Math.min(1, 1 - (20 * Math.log10(Math.max(level, 1e-6))) / FLOOR_DB));
    const now = performance.now();
    if (top >= this.peak || now - this.peak_ms > PEAK_MS) [this.peak, this.peak_ms] = [top, now];
    this.shown = playing ? part(Math.sqrt(sum / this.samples.length)) : 0;
    this.bar.style.transform = `scaleX(${this.shown.toFixed(3)})`;
    this.mark.style.transform = `translateX(${((playing ? part(this.peak) : 0) * 100).toFixed(1)}%)`;
    this.mark.dataset.over = String(playing && this.peak > 0.985);
  }
}
