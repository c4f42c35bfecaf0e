// The panel of what is on air.

import { $, set } from "./make.js";
import { clock, dots, titled } from "./words.js";
import { Wave } from "./wave.js";

export class Transport {
  constructor(speaker, session) {
    Object.assign(this, { speaker, session, wave: new Wave($("now-wave")) });
  }

  show() {
    const { speaker, session: { role } } = this;
    const { now } = speaker;
    const title = now ? titled(now) : "Nothing playing";
    const where = this.#where(now, role);
    $("player").dataset.state = now ? (now.playing ? "playing" : "paused") : "empty";
    $("player").dataset.away = String(Boolean(where));
    $("toggle").disabled = $("skip").disabled = $("seek").disabled = !now || !role.may;
    $("toggle").ariaLabel = now?.playing ? "Pause" : "Play";
    set($("now-title"), title);
    $("now-title").title = title;
    set($("now-sub"), now ? dots(now.artist, now.here && `started at ${clock(now.start_s)}`, now.licence) : "Choose a suggestion to hear it from its best place.");
    set($("where-text"), where);
    $("where").hidden = !where;
    $("take").hidden = !role.may;
    set($("take"), speaker.elsewhere ? "Play here instead" : "Go on here");
    this.place(now);
    return now;
  }

  place(now = this.speaker.now) {
    const { onAir } = this.session;
    const length_s = now?.length_s ?? 0;
    const at_s = now?.position_s ?? 0;
    set($("at"), clock(at_s));
    set($("length"), clock(length_s));
    set($("left"), length_s ? `−${clock(Math.max(0, this.#end(now) - at_s) + 0.5)}` : "");
    $("seek").max = String(length_s || 1);
    if (!$("seek").matches(":active")) $("seek").value = String(at_s);
    $("seek").ariaValueText = `${clock(at_s)} of ${clock(length_s)}`;
    const told = onAir && onAir.track === now?.track ? onAir : now;
    this.wave.show(now?.track ?? null, { at_s: now?.position_s, leave_s: told?.leave_s, loop: told?.loop, length_s });
  }

  /** Where the music ends, which may be before the file does. */
  #end(now) {
    const { onAir } = this.session;
    const known = onAir?.track === now.track && typeof onAir.left_s === "number" && typeof onAir.position_s === "number";
    return known ? Math.min(now.length_s, onAir.position_s + onAir.left_s) : now.length_s;
  }

  #where(now, role) {
    if (!role.may) return "You may watch here; to play and to ask takes another token.";
    if (!now || now.here) return "";
    if (this.speaker.elsewhere) return `Plays ${role.name ? `in ${role.name}` : "elsewhere"}; this page is its remote.`;
    return "Nobody plays it now.";
  }
}
