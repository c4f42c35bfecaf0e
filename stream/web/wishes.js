// What was asked for, by whomever, and what the newest wish did.

import { writes } from "./hotkeys.js";
import { filtered } from "./limits.js";
import { $, button, make, refill, when } from "./make.js";
import { leans, weighs } from "./session.js";
import { DIALS, WEIGHTS } from "./steer.js";
import { titleOf } from "./titles.js";
import { capital, minutes, percent } from "./words.js";

const TOLD_MS = 9000;
const SHORT_S = 600;

export class Wishes {
  constructor(session) {
    Object.assign(this, { session, box: $("wishes"), told: $("told"), list: $("wishes").querySelector("ul"), timer: 0 });
    const send = this.send = (command) => session.send(command);
    when("undo", "click", () => send({ type: "undo" }));
    when("told-undo", "click", () => { this.hush(); send({ type: "undo" }); });
    when("told-short", "click", () => send({ type: "skip", track: this.track, for_s: SHORT_S }));
    addEventListener("keydown", (event) => this.#key(event));
  }

  show() {
    const { asked, role: { may } } = this.session;
    const entries = asked ? this.#entries(asked) : [];
    this.box.hidden = !entries.length && !asked?.undo;
    $("undo").disabled = !may || !asked?.undo;
    const focused = document.activeElement?.dataset?.wish;
    const facts = [entries.map(({ id, text }) => [id, text]), may];
    const anew = refill(this.list, facts, () => entries.map((entry) => this.#row(entry, may)));
    if (anew && focused) this.list.querySelector(`[data-wish="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  tell({ command, track, effect }) {
    if (!effect) return;
    this.track = track;
    const name = track ? titleOf(track, () => { if (!this.told.hidden && this.track === track) this.tell({ command, track, effect }); }) : "";
    this.told.querySelector("p").textContent = name ? `${name}: ${effect.text}.` : `${capital(effect.text)}.`;
    $("told-short").hidden = command !== "skip" || effect.text.includes("minutes") || !this.session.role.may;
    $("told-undo").hidden = command === "undo" || !this.session.role.may;
    this.told.hidden = false;
    this.#wait(TOLD_MS);
  }

  /** Then it goes, but not from under the pointer or the focus. */
  #wait(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.told.matches(":hover, :focus-within") ? this.#wait(1000) : this.hush()), ms);
  }

  hush() {
    clearTimeout(this.timer);
    this.told.querySelector(":focus")?.blur();
    this.told.hidden = true;
  }

  /** The word and the command are each wish's way back. */
  #entries(asked) {
    const again = () => { this.list.dataset.key = ""; this.show(); };
    const name = ({ track, title }) => title || titleOf(track, again) || "A track";
    const entries = [];
    const add = (id, text, word, command) => entries.push({ id, text, word, command });
    const reset = (id, text) => add(id, text, "Set back", { type: "reset", what: id });
    if (asked.pinned) add("pinned", `Pinned: ${name({ track: asked.pinned })}`, "Let go", { type: "pin", track: null });
    for (const each of asked.liked ?? []) add(`liked ${each.track}`, `Liked: ${name(each)}`, "Take back", { type: "unlike", track: each.track });
    for (const each of asked.skipped ?? []) {
      const how = each.left_s === null ? "this stream" : minutes(each.left_s);
      add(`skipped ${each.track}`, `Left out: ${name(each)}, ${how}`, "Take back", { type: "unskip", track: each.track });
    }
    if (asked.unlisted) add("unlisted", `and ${asked.unlisted} older likes and skips`, "All back", { type: "reset", what: ["liked", "skipped"] });
    if (leans(asked.steer)) reset("steer", `Steered: ${steered(asked.steer)}`);
    if (weighs(asked.weights)) reset("weights", `Counts: ${weighed(asked.weights)}`);
    const limits = filtered(asked.filters);
    if (limits) reset("filters", `Filters: ${limits}`);
    return entries;
  }

  #row({ id, text, word, command }, may) {
    const back = button("quiet", word, `${word}: ${text}`, () => this.send(command));
    back.disabled = !may;
    back.dataset.wish = id;
    return make("li", "", make("span", "", text), back);
  }

  #key(event) {
    if (event.key.toLowerCase() !== "z" || event.shiftKey || event.altKey || !(event.ctrlKey || event.metaKey)) return;
    if (writes(event.target) || $("undo").disabled) return;
    event.preventDefault();
    this.send({ type: "undo" });
  }
}

function steered(steer) {
  const leaning = Object.entries(DIALS).filter(([axis]) => steer[axis]);
  return leaning.map(([axis, [, less, more]]) => `${steer[axis] < 0 ? less : more} (${percent(Math.abs(steer[axis]))})`).join(", ");
}

function weighed(weights) {
  const sum = Object.values(weights).reduce((all, each) => all + each, 0);
  return Object.entries(WEIGHTS).map(([part, word]) => `${word.toLowerCase()} ${percent(weights[part] / sum)}`).join(", ");
}
