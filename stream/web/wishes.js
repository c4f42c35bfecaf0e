// What was asked for, by whomever: each wish with its way back, and what the newest one did.

import { writes } from "./hotkeys.js";
import { leans, weighs } from "./session.js";
import { titleOf } from "./titles.js";
import { minutes } from "./words.js";

const STEERS = { energy: ["calmer", "livelier"], valence: ["darker", "brighter"], tension: ["more relaxed", "tenser"], tempo: ["slower", "quicker"] };
const WEIGHTS = { content: "picture", rhythm: "rhythm", mood: "mood" };
const TOLD_MS = 9000;
const SHORT_S = 600;

export class Wishes {
  /** `box` holds the list; `told` says what a wish did. `send(command)`. */
  constructor(box, told, send) {
    this.box = box;
    this.list = box.querySelector("ul");
    this.undo = box.querySelector("#undo");
    this.told = told;
    this.send = send;
    this.timer = 0;
    this.undo.addEventListener("click", () => send({ type: "undo" }));
    told.querySelector("#told-undo").addEventListener("click", () => { this.hush(); send({ type: "undo" }); });
    told.querySelector("#told-short").addEventListener("click", () => {
      send({ type: "skip", track: this.track, for_s: SHORT_S });
    });
    addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show what is asked; `may`: whether this page may change it. */
  show(asked, may) {
    this.asked = asked;
    this.may = may;
    const entries = asked ? this.#entries(asked) : [];
    this.box.hidden = !entries.length && !asked?.undo;
    this.undo.disabled = !may || !asked?.undo;
    const focused = document.activeElement?.dataset?.wish;
    const key = JSON.stringify([entries.map(({ id, text }) => [id, text]), may]);
    if (this.list.dataset.key === key) return;
    this.list.dataset.key = key;
    this.list.replaceChildren(...entries.map((entry) => this.#row(entry, may)));
    if (focused) this.list.querySelector(`[data-wish="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  /** Say what a wish did, for a while. */
  tell({ command, track, effect }) {
    if (!effect) return;
    this.track = track;
    const name = track ? titleOf(track, () => this.tell({ command, track, effect })) : "";
    const text = `${effect.text[0].toUpperCase()}${effect.text.slice(1)}.`;
    this.told.querySelector("p").textContent = name ? `${name}: ${effect.text}.` : text;
    this.told.querySelector("#told-short").hidden = command !== "skip" || effect.text.includes("minutes") || !this.may;
    this.told.querySelector("#told-undo").hidden = command === "undo" || !this.may;
    this.told.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hush(), TOLD_MS);
  }

  hush() {
    clearTimeout(this.timer);
    if (this.told.matches(":hover, :focus-within") && this.told.querySelector(":focus")) this.told.querySelector(":focus").blur();
    this.told.hidden = true;
  }

  #entries(asked) {
    const again = () => { this.list.dataset.key = ""; this.show(this.asked, this.may); };
    const name = ({ track, title }) => title || titleOf(track, again) || "A track";
    const entries = [];
    if (asked.pinned) entries.push(entry("pinned", `Pinned: ${name({ track: asked.pinned })}`, "Let go", { type: "pin", track: null }));
    for (const each of asked.liked ?? []) {
      entries.push(entry(`liked ${each.track}`, `Liked: ${name(each)}`, "Take back", { type: "unlike", track: each.track }));
    }
    for (const each of asked.skipped ?? []) {
      const how = each.left_s === null ? "this stream" : minutes(each.left_s);
      entries.push(entry(`skipped ${each.track}`, `Left out: ${name(each)}, ${how}`, "Take back", { type: "unskip", track: each.track }));
    }
    if (asked.unlisted) entries.push(entry("unlisted", `and ${asked.unlisted} older likes and skips`, "All back", { type: "reset", what: ["liked", "skipped"] }));
    if (leans(asked.steer)) entries.push(entry("steer", `Steered: ${steered(asked.steer)}`, "Set back", { type: "reset", what: "steer" }));
    if (weighs(asked.weights)) entries.push(entry("weights", `Counts: ${weighed(asked.weights)}`, "Set back", { type: "reset", what: "weights" }));
    const limits = filtered(asked.filters);
    if (limits) entries.push(entry("filters", `Filters: ${limits}`, "Set back", { type: "reset", what: "filters" }));
    return entries;
  }

  #row({ id, text, word, command }, may) {
    const row = document.createElement("li");
    const what = document.createElement("span");
    what.textContent = text;
    const back = document.createElement("button");
    back.type = "button";
    back.className = "quiet";
    back.textContent = word;
    back.disabled = !may;
    back.dataset.wish = id;
    back.setAttribute("aria-label", `${word}: ${text}`);
    back.addEventListener("click", () => this.send(command));
    row.append(what, back);
    return row;
  }

  #key(event) {
    if (event.key.toLowerCase() !== "z" || event.shiftKey || event.altKey || !(event.ctrlKey || event.metaKey)) return;
    if (writes(event.target) || this.undo.disabled) return;
    event.preventDefault();
    this.send({ type: "undo" });
  }
}

function entry(id, text, word, command) { return { id, text, word, command }; }

function steered(steer) {
  return Object.entries(STEERS).filter(([axis]) => steer[axis]).map(([axis, [less, more]]) => {
    return `${steer[axis] < 0 ? less : more} (${Math.round(100 * Math.abs(steer[axis]))} %)`;
  }).join(", ");
}

function weighed(weights) {
  const sum = Object.values(weights).reduce((all, each) => all + each, 0);
  return Object.entries(WEIGHTS).map(([part, word]) => `${word} ${Math.round(100 * weights[part] / sum)} %`).join(", ");
}

function filtered(filters) {
  if (!filters) return "";
  const { min_bpm, max_bpm, licences, tags, min_duration_s, jingles, instrumental, moods, playlists, live_ok, vod_ok } = filters;
  return [
    min_bpm !== null && max_bpm !== null ? `${min_bpm} to ${max_bpm} bpm` : min_bpm !== null ? `from ${min_bpm} bpm` : max_bpm !== null ? `up to ${max_bpm} bpm` : "",
    licences?.join(" or "), tags?.join(" or "), min_duration_s ? `of ${Math.round(min_duration_s)} s or more` : "",
    jingles ? "jingles too" : "", instrumental ? "instrumental" : "", moods?.join(" or "), playlists?.length ? `in ${playlists.join(" or ")}` : "",
    live_ok ? "marked live ok" : "", vod_ok ? "marked VOD ok" : "",
  ].filter(Boolean).join("; ");
}
