// Two decks, each an <audio> behind a gain, so that one can fade into the other. What a deck plays is cut out by the
// server, to the sample: no browser's idea of a place in a file counts.

import { DRIFT_S, nudge } from "./fade.js";
import { sleep, when } from "./make.js";
import { addressed } from "./ask.js";

// A track is begun so much before its place, and rises meanwhile.
const ALONE_S = 0.08;
const QUICK_S = 0.25;
const FULL_S = 0.02; // before the beat it is at its full level
const LEAST_S = 0.002; // without any time before the beat: no click, and no beat softened
const MENDS = 5; // tries to go on after the server was away
const LOUDEST_DB = 24; // no catalogue asks for more
const AUDIO_MS = 2000; // for the browser to open a sound device
const STEP_MS = 100; // between looks at the beat
// of equal power together
const FALL = Float32Array.from({ length: 65 }, (_, step) => Math.cos((step / 64) * (Math.PI / 2)));
const RISE = FALL.slice().reverse();

export class Player {
  /** `on` has change(now, playing), ended(now), error(text); `now`: a suggestion, or null. */
  constructor(on) {
    Object.assign(this, { on, now: null, level: 0.8, context: null, analyser: null, decks: [], current: 0, mends: 0 });
    this.turn = this.sought = 0; // the newest call of play wins, and of seek
    this.goes = false; // it is to play: sound that breaks off is begun again
  }

  /** Browsers give sound only after a gesture: call from one. Resolves to whether there is sound. */
  async unlock() {
    const context = this.context ??= new AudioContext();
    if (!this.decks.length) {
      this.master = context.createGain();
      this.master.gain.value = this.level ** 2;
      this.analyser = context.createAnalyser();
      this.master.connect(this.analyser);
      this.master.connect(context.destination);
      this.decks = [0, 1].map((index) => this.#deck(index));
    }
    if (context.state === "running") return true;
    // without a sound device Firefox never answers
    await Promise.race([context.resume().catch(() => {}), sleep(AUDIO_MS)]);
    return context.state === "running";
  }

  #deck(index) {
    const audio = new Audio();
    audio.preload = "auto";
    const gain = this.context.createGain(); // rises and falls
    const level = this.context.createGain(); // brings the track to the common loudness, and no higher
    this.context.createMediaElementSource(audio).connect(level).connect(gain).connect(this.master);
    const mine = () => index === this.current && this.now;
    when(audio, "ended", () => { if (mine()) this.on.ended(this.now); });
    when(audio, "error", () => { if (mine()) setTimeout(() => this.mend(), 1000); });
    when(audio, "playing", () => { if (mine()) this.mends = 0; });
    for (const kind of ["play", "pause"]) when(audio, kind, () => { if (mine()) this.#tell(); });
    return { audio, gain, level, begin_s: 0 };
  }

  get deck() { return this.decks[this.current] ?? null; }
  get playing() { return Boolean(this.now && this.deck && !this.deck.audio.paused && !this.deck.audio.ended); }
  get position_s() { return this.deck ? this.deck.begin_s + this.deck.audio.currentTime : 0; }
  get length_s() { return this.now?.duration_s || 0; }

  /** Start a suggestion, `how` (see fade.js) where something plays. Resolves to whether it plays. */
  async play(item, how = () => ({ way: "cut" })) {
    const turn = ++this.turn;
    if (!(await this.#sounds(turn)) || turn !== this.turn) return false;
    const plan = this.playing ? how() : { way: "alone" };
    const next = 1 - this.current;
    const wanted = () => turn === this.turn;
    if (plan.way === "beat" && (await this.#onBeat(item, this.decks[next], plan, wanted))) return this.#turn(next, item, plan.fade_s);
    if (!wanted()) return false;
    const fade_s = { alone: ALONE_S, cut: QUICK_S }[plan.way] ?? plan.fade_s;
    const lead_s = Math.min(item.start_s, fade_s);
    const rise_s = Math.max(LEAST_S, lead_s - FULL_S);
    if (!(await this.#begin(this.decks[next], item, item.start_s - lead_s, rise_s, true, wanted))) return false;
    return this.#turn(next, item, fade_s);
  }

  #turn(current, now, fade_s) {
    this.#fall(this.decks[this.current], fade_s);
    Object.assign(this, { current, now, goes: true });
    this.#tell();
    return true;
  }

  /** Bring a track to the beat of what plays, silently, then let it rise; its start sounds at `at_ms`. Resolves, when it
   * rises, to whether that went well. */
  async #onBeat(item, deck, { fade_s, run_s, rate, at_ms, place_s }, wanted) {
    const out = this.deck;
    const lead_s = (fade_s + run_s) * rate;
    const begins_ms = at_ms - 1000 * (fade_s + run_s);
    if (!(await this.#begin(deck, item, Math.max(0, item.start_s - lead_s), LEAST_S, false, wanted))) return false;
    deck.gain.gain.setValueAtTime(0, this.context.currentTime);
    Object.assign(deck.audio, { preservesPitch: true, playbackRate: rate });
    await sleep(begins_ms - performance.now());
    const left_s = () => place_s - (out.begin_s + out.audio.currentTime); // until the bar, as it is heard
    try { if (wanted()) await deck.audio.play(); } catch { return false; }
    while (wanted() && left_s() > fade_s) {
      if (out.audio.paused || left_s() > fade_s + run_s + 2) break; // paused, or sought: the bar is no longer there
      const off_s = deck.begin_s + deck.audio.currentTime - (item.start_s - left_s() * rate);
      deck.audio.playbackRate = rate * nudge(off_s / rate);
      await sleep(Math.min(STEP_MS, 1000 * (left_s() - fade_s)));
    }
    deck.audio.playbackRate = rate;
    if (!wanted() || out.audio.paused) { deck.audio.pause(); return false; }
    deck.gain.gain.cancelScheduledValues(0);
    deck.gain.gain.setValueCurveAtTime(RISE, this.context.currentTime, Math.max(0.05, Math.min(fade_s, left_s())));
    this.#drift(deck, rate, fade_s, wanted);
    return true;
  }

  async #drift(deck, rate, fade_s, wanted) {
    await sleep(1000 * (fade_s + 1));
    for (let part = 0; part <= 1 && wanted(); part += 0.05) {
      deck.audio.playbackRate = rate + (1 - rate) * part;
      await sleep(50 * DRIFT_S);
    }
    if (wanted()) deck.audio.playbackRate = 1;
  }

  /** Put a track into a deck, from `begin_s` on, rising for `rise_s`. Resolves to whether that is still wanted. */
  async #begin(deck, item, begin_s, rise_s, goes, wanted, complains = true) {
    const { audio, gain, level } = deck;
    const place = `start=${begin_s.toFixed(3)}&fade=${rise_s.toFixed(3)}`;
    const address = addressed(`/tracks/${encodeURIComponent(item.track)}/audio?${place}`);
    try {
      audio.pause();
      gain.gain.cancelScheduledValues(0);
      gain.gain.setValueAtTime(1, this.context.currentTime);
      level.gain.setValueAtTime(10 ** (Math.min(LOUDEST_DB, item.gain_db ?? 0) / 20), this.context.currentTime);
      deck.begin_s = begin_s;
      Object.assign(audio, { playbackRate: 1, src: address });
      await loaded(audio);
      if (!wanted()) return false;
      if (goes) await audio.play();
    } catch {
      if (wanted() && complains) this.on.error(await this.#reason(address, item));
      return false;
    }
    if (!wanted()) audio.pause();
    return wanted();
  }

  async toggle() {
    if (!this.now) return;
    this.goes = !this.playing;
    if (!this.goes) this.deck.audio.pause();
    else if (await this.#sounds(this.turn)) await this.deck.audio.play().catch(() => {});
  }

  stop() {
    this.turn += 1;
    if (!this.now) return;
    this.now = null;
    this.#fall(this.deck, QUICK_S);
    this.#tell();
  }

  async seek(seconds) {
    if (!this.now) return;
    const sought = ++this.sought;
    const { deck, now } = this;
    const wanted = () => sought === this.sought && this.now === now && this.deck === deck;
    await this.#begin(deck, now, Math.min(seconds, Math.max(0, this.length_s - 1)), FULL_S, this.playing, wanted);
  }

  /** Go on where the sound broke off, if it did: the server was away. `back`: it is there again. */
  async mend(back = false) {
    const { deck, now } = this;
    if (back) this.mends = 0;
    if (!now || !deck?.audio.error || this.mends >= MENDS) return;
    this.mends += 1;
    const wanted = () => this.now === now && this.deck === deck;
    await this.#begin(deck, now, Math.max(0, this.position_s), FULL_S, this.goes, wanted, false);
  }

  set volume(level) {
    this.level = level;
    if (this.master) this.master.gain.setTargetAtTime(level ** 2, this.context.currentTime, 0.02); // loudness is not linear
  }

  /** Whether there is sound; if not, the next try begins anew. */
  async #sounds(turn) {
    const { context } = this;
    if (await this.unlock()) return true;
    if (turn === this.turn) this.on.error(navigator.userActivation?.hasBeenActive === false
      ? "The browser gives sound only after a click: click anywhere in this page, then play again."
      : "There is no sound: the browser opens no sound device. Connect one, then click again.");
    if (!this.now && this.context === context) {
      context?.close().catch(() => {});
      Object.assign(this, { context: null, analyser: null, decks: [] });
    }
    return false;
  }

  #fall({ audio, gain }, seconds) {
    const source = audio.src;
    gain.gain.cancelScheduledValues(0);
    gain.gain.setValueCurveAtTime(FALL, this.context.currentTime, seconds);
    setTimeout(() => {
      if (audio.src !== source || (this.now && audio === this.deck?.audio)) return; // it plays something new
      audio.pause();
      audio.removeAttribute("src");
      audio.load();
    }, seconds * 1000 + 50);
  }

  #tell() { this.on.change(this.now, this.playing); }

  async #reason(address, item) {
    const response = await fetch(address, { headers: { Range: "bytes=0-0" } }).catch(() => null);
    const said = response?.ok ? null : await response?.json().catch(() => null);
    const why = response?.ok ? " by this browser" : `: ${said?.detail ?? "the server cannot be reached"}`;
    return `${item.title || "This track"} cannot be played${why}.`;
  }
}

function loaded(audio) {
  return new Promise((resolve, reject) => {
    Object.assign(audio, { onloadedmetadata: resolve, onerror: reject });
    audio.load();
  });
}
