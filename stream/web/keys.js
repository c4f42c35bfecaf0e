// The dialog that names the keys.

import { dock } from "./look.js";
import { furnish, make } from "./make.js";

const KEYS = {
  Space: "Play or pause",
  "Enter, G": "Play what the large block proposes",
  "1 to 9": "Play the suggestion of that rank",
  "Shift + 1 to 9": "Listen to it in headphones",
  H: "Listen to the proposal in headphones",
  N: "Next: skip what is on air",
  L: "Like what is on air, or the proposal",
  P: "Pin the proposal, or let go",
  X: "Leave the proposal out",
  A: "Auto on or off",
  D: "Duck: auto, on, off (OBS)",
  M: "Mute",
  "+ and −": "Volume",
  "[ and ]": "Five seconds back or on",
  "U, Ctrl+Z": "Undo",
  T: "Light or dark",
  F: "Filters",
  "/": "Find a track",
  "↑ and ↓": "From row to row, in the list",
  "?": "This list",
  Esc: "Close",
};

export function fill(dialog) {
  const lines = Object.entries(KEYS).map(([key, what]) => make("div", "", make("dt", "", make("kbd", "", key)), make("dd", "", what)));
  const hint = dock ? "Docks have no keys of their own: these work in the page." : "Single keys can be turned off in the settings. Media keys work too.";
  furnish(dialog, "Keys", [make("p", "hint", hint), make("dl", "keys", ...lines)]);
}
