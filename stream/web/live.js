// The stream that this page is about: one that it sends, one of others, that of a key, or none yet.

import { ask, UNREACHED } from "./ask.js";
import { given } from "./key.js";
import { chose, dock } from "./look.js";
import { $, button, make, refill, set, when } from "./make.js";
import { clock } from "./words.js";

const ANSWER_MS = 5000; // a server that has not answered by then cannot be reached
const ASK_MS = dock ? 1000 : 3000; // between questions what is live
const AWAITED = "Waiting for the stream";

export class Live {
  /** `on` has show(), forget() (the stream is gone with all that was said of it), unlock() (sound), say(text). */
  constructor(session, on) {
    Object.assign(this, { session, on });
    this.began = 0; // when the stream did, by the page's clock
    this.waits = false; // for the stream of the key to begin
    this.asking = false; // for what is live now
    this.input = this.strip = null; // what this page sends, if it does, and the movement in it
    when("stop", "click", () => { this.end(); $("use-camera").focus({ focusVisible: false }); });
    addEventListener("pagehide", () => this.input?.whip?.stop());
    addEventListener("segue-look", () => this.#mode($("stage").dataset.mode));
  }

  start(id) {
    if (id) this.#watch({ label: "A live stream", events: `/sessions/${encodeURIComponent(id)}/events`, age_s: 0 });
    else if (given) this.#attendKey();
    this.#look();
    setInterval(() => this.#look(), ASK_MS);
  }

  status(kind, text) {
    $("status").dataset.state = kind;
    set($("status-text"), text);
  }

  tick() { if (this.began) set($("clock"), clock((performance.now() - this.began) / 1000)); }

  opened() {
    this.status("live", this.session.newest ? "Live" : "Connected");
    if (given && !this.input?.source) this.#waitsFor(false);
  }

  reached() { this.status("wait", AWAITED); }

  absent(reason, regular) {
    this.status("wait", regular ? AWAITED : reason);
    this.#forget();
    this.#waitsFor(true);
    this.on.show();
  }

  closed(reason, regular) {
    if (this.input?.source && !regular) {
      this.input.again();
      return this.on.show();
    }
    this.end();
    if (dock) return this.status("wait", "Waiting for a stream");
    return this.on.say(`The stream ended: ${reason.replace(/\.$/, "")}.`);
  }

  async send(kind, chosen) {
    this.on.unlock(); // the click that started this is the gesture that sound needs
    await this.end();
    this.on.say("");
    try {
      const [{ Input }, sources, { Strip }] = await Promise.all(["input", "sources", "strip"].map((name) => import(`./${name}.js`)));
      this.strip ??= new Strip($("strip"));
      this.input ??= new Input({
        status: this.status,
        shown: ({ label }) => { this.#mode("live"); this.strip.start($("picture")); set($("remote-name"), label); },
        attend: (path) => { this.began ||= performance.now(); this.session.attend(path); this.on.show(); },
        ended: (reason) => { this.end(); if (reason) this.on.say(reason); },
      });
      await this.input.begin((video) => sources[kind](video, chosen), $("picture"));
    } catch {
      this.on.say(UNREACHED);
    }
  }

  async end() {
    this.waits = false;
    this.session.leave();
    this.strip?.clear();
    this.#forget();
    this.#mode("idle");
    this.status("idle", "Ready");
    this.on.show();
    await this.input?.stop();
  }

  #forget() {
    this.began = 0;
    $("clock").textContent = "0:00";
    this.on.forget();
  }

  #watch(live) {
    this.end();
    set($("remote-name"), live.label);
    this.#mode("remote");
    this.began = performance.now() - live.age_s * 1000;
    if (!dock) this.on.unlock();
    this.session.attend(live.events);
    this.on.show();
  }

  #attendKey() {
    this.#mode("remote");
    this.session.attend(`/events?key=${encodeURIComponent(given)}`, true);
    this.absent("", true);
  }

  #waitsFor(stream) {
    this.waits = stream;
    if (!stream) this.began ||= performance.now();
    set($("remote-name"), stream ? "Waiting for the stream of this key" : "The stream of this key");
    set($("remote-text"), stream ? "It appears here as soon as it begins." : "comes in from elsewhere; its picture is not sent back here.");
  }

  #mode(kind) {
    $("stage").dataset.mode = document.body.dataset.mode = kind;
    $("welcome").hidden = kind !== "idle";
    $("remote").hidden = kind !== "remote";
    $("strip-box").hidden = kind !== "live" || !chose("strip");
  }

  /** What is live now, for who has none yet: a dock takes the newest. */
  async #look() {
    const idle = () => !this.session.open && $("stage").dataset.mode === "idle";
    if (document.hidden && !dock || this.asking || !idle()) return;
    this.asking = true; // one question at a time, however long the answer takes
    const { status, told } = await ask("/api/sessions", { signal: AbortSignal.timeout(ANSWER_MS) });
    this.asking = false;
    if (!idle()) return; // it has attached meanwhile
    if (told) this.#offer(told.sessions.filter((each) => each.connected));
    else this.status("lost", status === 401 ? "A token is needed: open the page with #token=TOKEN" : "The server cannot be reached");
  }

  #offer(sessions) {
    if ($("status").dataset.state === "lost") this.status("idle", "Ready");
    if (dock) {
      const [newest] = sessions.sort((a, b) => a.age_s - b.age_s);
      return newest ? this.#watch(newest) : this.status("wait", "Waiting for a stream");
    }
    $("live-now").hidden = sessions.length === 0;
    return refill($("live-list"), sessions.map((each) => each.id), () => sessions.map((each) => {
      const entry = button("quiet", each.label, "", () => this.#watch(each));
      entry.dir = "auto";
      return make("li", "", entry);
    }));
  }
}
