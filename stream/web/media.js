// Media keys, lock screens, and programs that show what the system plays.

import { titled } from "./words.js";

const COVER = [{ src: new URL("icon.svg", location.href).href, type: "image/svg+xml", sizes: "any" }];

export class Media {
  constructor(speaker, next) {
    Object.assign(this, { speaker, key: "" });
    const { mediaSession } = navigator;
    if (!mediaSession) return;
    const on = (action, act) => { try { mediaSession.setActionHandler(action, act); } catch { /* not in this browser */ } };
    on("play", () => { if (!speaker.now?.playing) speaker.toggle(); });
    on("pause", () => { if (speaker.now?.playing) speaker.toggle(); });
    on("stop", () => speaker.silence());
    on("nexttrack", next);
    on("seekto", ({ seekTime }) => speaker.seek(seekTime));
  }

  show(now) {
    document.title = now ? `${now.playing ? "▶ " : ""}${titled(now)} · Segue` : "Segue";
    const { mediaSession } = navigator;
    if (!mediaSession) return;
    const mine = now?.here ? now : null;
    mediaSession.playbackState = mine ? (mine.playing ? "playing" : "paused") : "none";
    const key = mine ? `${mine.track} ${mine.title}` : "";
    if (key !== this.key) {
      this.key = key;
      mediaSession.metadata = mine ? new MediaMetadata({ title: titled(mine), artist: mine.artist || "", album: mine.licence || "", artwork: COVER }) : null;
    }
    if (!mine?.length_s) return;
    try {
      mediaSession.setPositionState({ duration: mine.length_s, position: Math.min(Math.max(0, mine.position_s), mine.length_s), playbackRate: 1 });
    } catch { /* a place beyond what it takes */ }
  }
}
