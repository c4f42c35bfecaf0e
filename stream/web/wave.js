// A track's waveform, with places in it. The slider over it is what is touched, read out and moved by keys.

import { blank } from "./make.js";
import { outline } from "./titles.js";

export class Wave {
  constructor(box) {
    Object.assign(this, { canvas: box.querySelector("canvas"), track: null, facts: null, places: {}, drawn: "" });
    new ResizeObserver(() => this.#draw()).observe(this.canvas);
    addEventListener("segue-look", () => { this.drawn = ""; this.#draw(); });
  }

  /** `places`: {start_s, at_s, leave_s, loop, length_s}, each where it is known. */
  show(track, places = {}) {
    if (track !== this.track) {
      this.track = track;
      this.facts = null;
      if (track) outline(track).then((facts) => { if (this.track === track) { this.facts = facts; this.#draw(); } });
    }
    this.places = places;
    this.#draw();
  }

  #draw() {
    const { places, facts } = this;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const length_s = places.length_s || facts?.duration_s || 0;
    const across = (seconds) => Math.round((seconds / length_s) * width * 2) / 2;
    const key = JSON.stringify([this.track, Boolean(facts), width, height, length_s, across(places.at_s ?? -1), places.start_s, places.leave_s, places.loop]);
    if (key === this.drawn) return;
    this.drawn = key;
    const { pen, colour, fill } = blank(this.canvas);
    if (!this.track || !length_s) return fill("--faint", 0, height / 2 - 1, width, 2);
    const known = (place) => typeof place === "number";
    if (Array.isArray(places.loop)) fill("--loop", across(places.loop[0]), 0, across(places.loop[1]) - across(places.loop[0]), height);
    const from = across(known(places.start_s) ? places.start_s : 0);
    const played = known(places.at_s) ? across(places.at_s) : from;
    this.#peaks(pen, width, height, (x) => colour(x < Math.min(from, played) ? "--past" : known(places.at_s) && x < played ? "--mint" : "--ahead"));
    for (const section of facts?.sections_s ?? []) fill("--faint", across(section), height - 4, 1, 4);
    if (known(places.leave_s)) fill("--amber", across(places.leave_s) - 1, 0, 2, height);
    if (known(places.start_s)) flag(pen, from, height, colour("--mint"));
    return known(places.at_s) && fill("--ink", played - 1, 0, 2, height);
  }

  /** Bars of two pixels with one between; a plain line where no waveform is known. */
  #peaks(pen, width, height, colour) {
    const peaks = this.facts?.peaks ?? [];
    const middle = height / 2;
    let last = "";
    for (let x = 0; x < width; x += 3) {
      const [from, to] = [Math.floor((x / width) * peaks.length), Math.ceil(((x + 3) / width) * peaks.length)];
      let most = 0;
      for (let place = from; place < to && place < peaks.length; place += 1) most = Math.max(most, peaks[place]);
      const half = peaks.length ? Math.max(0.75, (most / 255) * (middle - 3)) : 1;
      const wanted = colour(x);
      if (wanted !== last) pen.fillStyle = last = wanted;
      pen.fillRect(x, middle - half, 2, 2 * half);
    }
  }
}

function flag(pen, x, height, colour) {
  pen.fillStyle = colour;
  pen.fillRect(x - 1, 0, 2, height);
  pen.beginPath();
  pen.moveTo(x, 0);
  pen.lineTo(x + 8, 4);
  pen.lineTo(x, 8);
  pen.fill();
}
