// What the server says of the session: the newest list, what was asked, who plays. Nothing here is the page's own.

import { listen } from "./events.js";
import { limited } from "./limits.js";

const NOBODY = { player: null, name: "", may: true, auto: false, track: null, position_s: null, paused: false };
export const NEUTRAL = { steer: { energy: 0, valence: 0, tension: 0, tempo: 0 }, weights: { content: 0.5, rhythm: 0.25, mood: 0.25 } };
const KEPT_MS = 10 * 60_000; // for so long wishes of a session that was lost may be given back

export class Session {
  /** `on` has a function for each type of message, and those of events.js. */
  constructor(on) {
    Object.assign(this, { on, events: null, kept: null });
    this.#forget();
  }

  get open() { return Boolean(this.events); }
  get onAir() { return this.newest?.on_air ?? null; }
  get auto() { return this.turned ?? this.role.auto; }

  get items() {
    const skipped = new Set(this.asked?.skipped?.map((each) => each.track));
    return (this.newest?.items ?? []).filter((item) => !skipped.has(item.track));
  }

  top(besides = null) { return this.items.find((item) => item.track !== besides) ?? null; }

  attend(path, patient = false) {
    this.events?.close();
    this.events = listen(path, {
      open: () => { this.#role(NOBODY); this.on.open(); },
      message: (message) => this.#hear(message),
      waiting: this.on.waiting, reached: this.on.reached,
      absent: (reason, regular, never) => { this.#over(regular && !never); this.on.absent(reason, regular); },
      closed: (reason, regular) => { this.events = null; this.#over(regular); this.on.closed(reason, regular); },
    }, patient);
  }

  leave() {
    this.events?.close();
    this.events = this.kept = null;
    this.#forget();
  }

  send(message) { return this.events?.send(message) ?? false; }

  /** Turn Auto on or off. The switch stands as it was turned until the server has answered. */
  turn(on) { this.turned = this.send({ type: "auto", on }) ? on : null; }

  #forget() { Object.assign(this, { newest: null, asked: null, turned: null, role: NOBODY, before: NOBODY, heard_ms: 0 }); }

  /** Wishes of a stream that ended go with it; of one that was lost they are kept, for the one in its place. */
  #over(regular) {
    if (regular) this.kept = null;
    else if (this.asked) this.kept = { asked: this.asked, auto: this.role.auto, since_ms: performance.now() };
    const { role } = this;
    const since_s = role.paused ? 0 : (performance.now() - this.heard_ms) / 1000;
    const position_s = role.position_s === null ? null : role.position_s + since_s;
    this.#forget();
    this.#role(regular ? NOBODY : { ...role, player: null, auto: false, paused: true, position_s });
  }

  #role(message) {
    this.before = this.role;
    this.role = message;
    this.heard_ms = performance.now();
  }

  #hear(message) {
    const { type, command, asked = null } = message;
    if (type === "suggestions") {
      Object.assign(this, { newest: message, asked });
      this.#giveBack();
    }
    if (type === "player") this.#role(message);
    if (type === "accepted") this.#change(message);
    if (type === "reset") this.newest = null;
    if (command === "auto") this.turned = null;
    this.on[type]?.(message);
  }

  /** What was accepted shows at once; the next list says all of it again. */
  #change({ command, track }) {
    const { asked } = this;
    if (!asked?.skipped) return;
    const without = (list) => list.filter((each) => each.track !== track);
    if (["skip", "unskip"].includes(command)) asked.skipped = without(asked.skipped);
    if (["skip", "like", "unlike"].includes(command)) asked.liked = without(asked.liked);
    if (command === "skip") asked.skipped.push({ track, title: "", left_s: null });
    if (command === "like") asked.liked.push({ track, title: "" });
    if (command === "pin") asked.pinned = track;
    if (!["playing", "undo"].includes(command)) asked.undo = Math.max(1, asked.undo); // it can be taken back at once
    const item = this.newest?.items.find((each) => each.track === track);
    if (item && command.endsWith("like")) item.liked = command === "like";
  }

  /** To a session in the place of one that was lost, in which nobody has wished for anything yet. */
  #giveBack() {
    const { kept, asked } = this;
    this.kept = null;
    if (!kept || !asked || performance.now() - kept.since_ms > KEPT_MS || asked.undo > 0 || !this.role.may) return;
    if (wished(asked) || !(wished(kept.asked) || kept.auto)) return;
    const { filters, liked, pinned, skipped, steer, weights } = kept.asked;
    if (kept.auto && !this.auto) this.turn(true);
    if (limited(filters)) this.send({ type: "filters", ...filters });
    if (skipped.length) this.send({ type: "wishes", skipped: skipped.map(({ track, left_s }) => ({ track, left_s })) });
    if (!wished({ ...kept.asked, skipped: [], filters: null })) return;
    this.send({ type: "wishes", steer, weights, pinned, liked: liked.map((each) => each.track) });
  }
}

function wished({ filters, liked, pinned, skipped, steer, weights }) {
  return Boolean(limited(filters) || pinned || liked?.length || skipped?.length) || leans(steer) || weighs(weights);
}

export function leans(steer) { return Object.values(steer).some((lean) => lean !== 0); }

/** Whether the ratio of the weights is another than the usual one. */
export function weighs(weights) {
  const sum = Object.values(weights).reduce((all, each) => all + each, 0);
  return Object.entries(NEUTRAL.weights).some(([name, usual]) => Math.abs(weights[name] / sum - usual) > 1e-3);
}
