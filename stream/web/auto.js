// Auto: what the player does by itself. The switch is the session's; only the page that plays acts on it.

const LEAVE_S = 3; // before its end, a track makes way
const FADE_S = 2.5; // in which the next one rises before that
const SOONEST_S = 5; // after its start a track is not left yet
const NEAR_S = 2; // further behind a loop it was passed on purpose

/** Where to begin leaving what plays, in the track's own seconds, when that takes `lead_s`. */
export function leaveAt(now, onAir, lead_s = FADE_S) {
  const told = onAir?.track === now.track ? onAir : null;
  const known = told && told.left_s !== null && told.position_s !== null;
  const end_s = known ? told.position_s + told.left_s : now.length_s;
  const leave_s = told?.leave_s ?? now.leave_s ?? null;
  const last_s = end_s - Math.max(LEAVE_S, lead_s + 0.5);
  return leave_s !== null && leave_s > now.start_s + SOONEST_S ? Math.min(leave_s - lead_s, last_s) : last_s;
}

export class Auto {
  /** `wants`: whether it is on; `lead_s`: how long a change takes, before the next track is at its place. */
  constructor(speaker, session, wants, lead_s = () => FADE_S) {
    Object.assign(this, { speaker, session, wants, lead_s, starting: null, began: false }); // began: here, so it may begin here
  }

  get #acts() { return this.wants() && (this.speaker.here || (!this.speaker.elsewhere && this.began)); }

  heard() {
    const { before, role } = this.session;
    if (role.player === "elsewhere" || (before.auto && !role.auto)) this.began = false;
  }

  follow() {
    if (!this.#acts || !this.session.newest) return;
    const { now } = this.speaker.player;
    const first = this.session.top();
    if (!first) return;
    if (!now) this.start(first);
    else if (this.session.newest.advice === "switch" && first.track !== now.track && this.speaker.player.playing) this.start(first);
  }

  watch() {
    const { player } = this.speaker;
    if (!this.#acts || !player.playing || this.starting || !player.length_s) return;
    const now = { ...player.now, length_s: player.length_s };
    const { onAir } = this.session;
    const next = this.session.items.find((item) => item.track === onAir?.next) ?? this.session.top(now.track);
    if (next && player.position_s >= leaveAt(now, onAir, this.lead_s())) this.start(next);
    if (next) return;
    const [from_s, to_s] = (onAir?.track === now.track && onAir.loop) || now.loop || [0, Infinity];
    const over_s = player.position_s - to_s;
    if (over_s >= 0 && over_s < NEAR_S) this.speaker.seek(from_s + over_s); // in time: the two places are alike
  }

  /** On with the next, in auto mode or not. */
  next(track) {
    const next = this.session.top(track);
    if (next) this.start(next);
    else this.speaker.silence();
  }

  ended(track) {
    if (this.#acts) this.next(track);
    else this.speaker.silence();
  }

  async start(item) {
    if (this.starting === item.track) return; // its file is still coming
    this.starting = item.track;
    const plays = await this.speaker.play(item);
    if (this.starting === item.track) this.starting = null;
    // it would try, and say so, each second
    const vain = !plays && !this.speaker.player.now && !this.starting && !this.speaker.elsewhere;
    if (vain && this.wants()) this.session.turn(false);
  }
}
