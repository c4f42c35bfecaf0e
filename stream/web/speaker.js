// Who plays: the session has one player. Where that is this page, it plays what it and the others ask for, and says where
// it is; elsewhere the page is a remote of it.

import { details } from "./titles.js";

const REPORT_MS = 5000;
const SOON_MS = 60; // changes that come together are told once
const CLAIM_MS = 3000;
const LEVEL_MS = 200; // a volume that is dragged is told so a few times a second
const SILENT_DB = -60;

export class Speaker {
  /** `how(item)`: how a track gives way to that one. `on` has change(). */
  constructor(player, session, how, on) {
    Object.assign(this, { player, session, how, on, soon: 0, claims: new Set(), levels: 0, asked: 0 });
    setInterval(() => { if (this.here && player.playing) this.#report(); }, REPORT_MS);
  }

  get here() { return this.session.role.player === "here"; }
  get elsewhere() { return this.session.role.player === "elsewhere"; }

  /** What is on air, wherever: {track, title, artist, position_s, length_s, playing, here} or null. */
  get now() {
    const { player, session: { role, heard_ms } } = this;
    if (player.now) {
      return { ...player.now, position_s: player.position_s, length_s: player.length_s, playing: player.playing, here: true };
    }
    if (!role.track) return null;
    const playing = this.elsewhere && !role.paused;
    const since_s = playing ? (performance.now() - heard_ms) / 1000 : 0;
    const { duration_s = 0, ...facts } = this.#facts(role.track);
    const position_s = Math.min((role.position_s ?? 0) + since_s, duration_s || Infinity);
    return { ...facts, position_s, length_s: duration_s, playing, here: false };
  }

  #facts(track) {
    if (this.known?.track !== track) {
      const mine = this.known = { track };
      details(track).then((found) => {
        if (!found || this.known !== mine) return;
        this.known = found;
        this.on.change();
      });
    }
    return this.known;
  }

  /** Play a track from `item.start_s` on where the session plays; here, if it plays nowhere. */
  async play(item) {
    if (this.elsewhere) return this.#ask({ do: "play", track: item.track, start_s: item.start_s });
    this.player.unlock(); // within the gesture
    if (!this.here && !(await this.#claim())) return false;
    const plays = await this.#start(item);
    if (plays) this.#tell();
    return plays;
  }

  /** Move the sound over to this page, at the place where it is. */
  async take() {
    this.player.unlock();
    if (!(await this.#claim())) return false;
    const { now } = this;
    const facts = now && !this.player.now ? await details(now.track) : null;
    return facts ? this.play({ ...facts, start_s: now.position_s }) : true;
  }

  toggle() {
    const { now } = this;
    if (this.elsewhere) return this.#ask({ do: now?.playing ? "pause" : "resume" });
    return this.player.now ? this.player.toggle() : this.take();
  }

  seek(seconds) {
    if (this.elsewhere) return this.#ask({ do: "seek", position_s: seconds });
    return this.player.seek(seconds).then(() => this.#tell());
  }

  /** How loud it is where it plays, as a place of the slider; null where who plays does not tell. */
  get part() {
    if (!this.elsewhere) return this.player.level;
    const { level_db } = this.session.role;
    return typeof level_db === "number" ? partOf(level_db) : null;
  }

  louder(part) {
    if (!this.elsewhere) this.player.volume = part;
    this.wanted = part;
    this.levels ||= setTimeout(() => {
      this.levels = 0;
      if (this.elsewhere) this.#ask({ do: "level", db: decibels(this.wanted) });
      else if (this.here) this.#report();
    }, LEVEL_MS);
  }

  silence() {
    if (this.elsewhere) return this.#ask({ do: "stop" });
    this.player.stop();
    return this.session.send({ type: "playing", track: null });
  }

  /** The session's connection is there, maybe again: who has sound plays. */
  opened() {
    this.known = null;
    if (!this.player.now) return;
    this.player.mend(true);
    this.#report();
  }

  roleChanged() {
    const { player } = this.session.role;
    if (player === "elsewhere") {
      clearTimeout(this.soon);
      this.soon = 0;
      this.player.stop(); // the sound has moved on; it fades out here
    }
    for (const settle of this.claims) if (player === "here") settle(true);
    this.on.change();
  }

  refused(command) {
    if (command === "player") for (const settle of this.claims) settle(false);
  }

  async obey(message) {
    if (!this.here) return;
    const deed = message.do;
    if (deed === "play") {
      const turn = ++this.asked;
      const facts = await details(message.track);
      if (facts && this.here && turn === this.asked && await this.#start({ ...facts, start_s: message.start_s })) this.#tell();
    } else if (deed === "seek") await this.seek(message.position_s);
    else if (deed === "stop") {
      this.asked += 1;
      this.silence();
    } else if (deed === "level") {
      this.player.volume = partOf(message.db);
      this.changed();
    } else if (deed === (this.player.playing ? "pause" : "resume")) await this.player.toggle();
  }

  changed() {
    if (this.here) this.#tell();
    this.on.change();
  }

  #start(item) { return this.player.play({ ...item }, () => this.how(item)); }

  #ask(action) { return this.session.send({ type: "do", ...action }); }

  #claim() {
    if (this.here) return true;
    if (!this.session.role.may || !this.session.send({ type: "player", take: true })) return false;
    return new Promise((resolve) => {
      const settle = (given) => { clearTimeout(timer); this.claims.delete(settle); resolve(given); };
      const timer = setTimeout(() => settle(false), CLAIM_MS);
      this.claims.add(settle);
    });
  }

  #tell() {
    this.soon ||= setTimeout(() => { this.soon = 0; this.#report(); }, SOON_MS);
  }

  #report() {
    const { now, playing, position_s, level } = this.player;
    if (!now) return;
    const heard = "level_db" in this.session.role ? { level_db: decibels(level) } : {}; // where the server knows of levels
    this.session.send({ type: "playing", track: now.track, position_s: Math.max(0, position_s), paused: !playing, ...heard });
  }
}

/** A place of the slider in dB, and back: see `Player.volume`. */
function decibels(part) { return part > 0 ? Math.max(SILENT_DB, Math.round(400 * Math.log10(part)) / 10) : SILENT_DB; }

function partOf(db) { return db > SILENT_DB ? 10 ** (db / 40) : 0; }
