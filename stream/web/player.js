// The preview player: two decks, each an <audio> behind a gain, so that one can fade into the other.

import { addressed } from "./token.js";

const FADE_S = 2.5;
const QUICK_S = 0.35;

export class Player {
  /** `on` has change(now, playing), ended(now), error(text). `now` is {track, title, artist, start_s, duration_s} or null. */
  constructor(on) {
    this.on = on;
    this.now = null;
    this.level = 0.8;
    this.context = null;
    this.decks = [];
    this.current = 0;
    this.turn = 0; // the newest call of play wins
  }

  /** Browsers give sound only after a gesture: call from one. */
  unlock() {
    if (!this.context) {
      this.context = new AudioContext();
      this.master = this.context.createGain();
      this.master.gain.value = this.level ** 2;
      this.master.connect(this.context.destination);
      this.decks = [0, 1].map((index) => this.#deck(index));
    }
    return this.context.resume().catch(() => {});
  }

  #deck(index) {
    const audio = new Audio();
    audio.preload = "auto";
    const gain = this.context.createGain();
    gain.gain.value = 0;
    this.context.createMediaElementSource(audio).connect(gain).connect(this.master);
    const mine = () => index === this.current && this.now;
    audio.addEventListener("ended", () => { if (mine()) this.on.ended(this.now); });
    for (const kind of ["play", "pause"]) audio.addEventListener(kind, () => { if (mine()) this.#tell(); });
    return { audio, gain };
  }

  get audio() { return this.decks[this.current]?.audio ?? null; }
  get playing() { return Boolean(this.now && this.audio && !this.audio.paused && !this.audio.ended); }
  get position_s() { return this.audio?.currentTime ?? 0; }
  get length_s() { return this.audio?.duration || this.now?.duration_s || 0; }

  /** Start a suggestion at its place, fading out what plays. Resolves to whether it plays. */
  async play(item, slowly = false) {
    await this.unlock();
    const turn = ++this.turn;
    const fade = this.playing ? (slowly ? FADE_S : QUICK_S) : 0.08;
    const next = 1 - this.current;
    const { audio } = this.decks[next];
    const address = addressed(`/tracks/${encodeURIComponent(item.track)}/audio`);
    try {
      audio.pause();
      audio.src = address;
      await loaded(audio);
      if (item.start_s > 0) audio.currentTime = Math.min(item.start_s, Math.max(0, audio.duration - 1));
      if (turn !== this.turn) return false;
      await audio.play();
    } catch {
      if (turn === this.turn) this.on.error(await this.#reason(address, item));
      return false;
    }
    if (turn !== this.turn) { audio.pause(); return false; }
    this.#fade(this.decks[this.current], 0, fade, true);
    this.current = next;
    this.now = item;
    this.#fade(this.decks[next], 1, fade, false);
    this.#tell();
    return true;
  }

  async toggle() {
    if (!this.now) return;
    await this.unlock();
    if (this.playing) this.audio.pause();
    else await this.audio.play().catch(() => {});
  }

  /** Fade out and forget. */
  stop() {
    this.turn += 1;
    if (!this.now) return;
    this.#fade(this.decks[this.current], 0, QUICK_S, true);
    this.now = null;
    this.#tell();
  }

  seek(seconds) { if (this.now && this.audio) this.audio.currentTime = seconds; }

  set volume(level) {
    this.level = level;
    if (this.master) this.master.gain.setTargetAtTime(level ** 2, this.context.currentTime, 0.02); // loudness is not linear
  }

  #fade({ audio, gain }, target, seconds, pause) {
    const time = this.context.currentTime;
    gain.gain.cancelScheduledValues(time);
    gain.gain.setValueAtTime(gain.gain.value, time);
    gain.gain.linearRampToValueAtTime(target, time + seconds);
    if (!pause) return;
    const source = audio.src;
    setTimeout(() => {
      if (audio.src === source && audio !== this.audio) audio.pause();
      else if (audio === this.audio && !this.now) audio.pause();
    }, seconds * 1000 + 50);
  }

  #tell() { this.on.change(this.now, this.playing); }

  async #reason(address, item) {
    const name = item.title || "This track";
    try {
      const response = await fetch(address, { headers: { Range: "bytes=0-0" } });
      if (response.ok) return `${name} is in a format that this browser does not play.`;
      return `${name} cannot be played: ${(await response.json()).detail}.`;
    } catch {
      return `${name} cannot be played: the server cannot be reached.`;
    }
  }
}

function loaded(audio) {
  return new Promise((resolve, reject) => {
    const done = (settle) => () => {
      audio.removeEventListener("loadedmetadata", good);
      audio.removeEventListener("error", bad);
      settle();
    };
    const good = done(resolve);
    const bad = done(() => reject(new Error("not playable")));
    audio.addEventListener("loadedmetadata", good);
    audio.addEventListener("error", bad);
    audio.load();
  });
}
