// What this page sends, published with a key, and published again when the server was lost and is back.

import { given, streamKey } from "./key.js";
import { sleep, when } from "./make.js";
import { publish } from "./socket.js";

const AGAIN_MS = [300, 500, 1000, 2000, 3000, 5000];
const LOST_MS = 5 * 60_000; // for so long a server that is gone is waited for

export class Input {
  /** `on` has status(kind, text), shown(source), attend(path), ended(reason): reason empty when the source ended. */
  constructor(on) {
    this.on = on;
    this.source = this.whip = null;
    this.turn = 0;
    this.returning = false;
  }

  async begin(open, picture) {
    const turn = ++this.turn;
    this.on.status("wait", "Waiting for the picture…");
    try {
      const source = await open(picture);
      if (turn !== this.turn) return source.stop();
      this.source = source;
      this.on.shown(source);
      for (const track of source.stream.getVideoTracks()) {
        when(track, "ended", () => { if (this.source === source) this.on.ended(""); });
      }
      this.on.status("wait", "Connecting…");
      await this.#publish(turn);
    } catch (error) {
      if (turn === this.turn) this.on.ended(error.message);
    }
  }

  async again() {
    if (!this.source || this.returning) return;
    const turn = ++this.turn;
    this.returning = true;
    const until_ms = performance.now() + LOST_MS;
    const gone = this.whip;
    this.whip = null;
    await gone?.stop();
    for (let tries = 0; turn === this.turn; tries += 1) {
      this.on.status("wait", "The server was lost; sending again…");
      try {
        await this.#publish(turn);
        break;
      } catch (error) {
        if (turn !== this.turn) break;
        if (error.final || performance.now() > until_ms) {
          this.on.ended(error.message);
          break;
        }
        await sleep(AGAIN_MS[tries] ?? AGAIN_MS.at(-1));
      }
    }
    this.returning = false;
  }

  async stop() {
    this.turn += 1;
    this.returning = false;
    const { source, whip } = this;
    this.source = this.whip = null;
    source?.stop();
    await whip?.stop();
  }

  async #publish(turn) {
    const { stream, label } = this.source;
    const whip = await publish(stream, label, await streamKey(), (word) => { if (turn === this.turn) this.#link(word); });
    if (turn !== this.turn) return whip.stop();
    this.whip = whip;
    this.on.attend(whip.events);
  }

  #link(word) {
    if (word === "lost") this.on.status("wait", "The connection is shaky…");
    else if (word === "connected") this.on.status("live", "Live");
    else if (given) this.on.ended("The connection to the server was lost."); // its key is others' too: one may have taken over
    else this.again();
  }
}
