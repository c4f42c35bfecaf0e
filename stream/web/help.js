// The dialog that names the keys.

import { dock } from "./look.js";
import { make } from "./make.js";

const HELP = [
  ["Space", "Play or pause"],
  ["Enter, G", "Play what the large block proposes"],
  ["1 to 9", "Play the suggestion of that rank"],
  ["Shift + 1 to 9", "Listen to it in headphones"],
  ["H", "Listen to the proposal in headphones"],
  ["N", "Next: skip what is on air"],
  ["L", "Like what is on air, or the proposal"],
  ["P", "Pin the proposal, or let go"],
  ["X", "Leave the proposal out"],
  ["A", "Auto on or off"],
  ["D", "Duck: auto, on, off (OBS)"],
  ["M", "Mute"],
  ["+ and −", "Volume"],
  ["[ and ]", "Five seconds back or on"],
  ["U, Ctrl+Z", "Undo"],
  ["T", "Light or dark"],
  ["F", "Filters"],
  ["↑ and ↓", "From row to row, in the list"],
  ["?", "This list"],
  ["Esc", "Close"],
];

/** Fill the dialog that names the keys. */
export function help(dialog) {
  const list = make("dl", "keys");
  for (const [key, what] of HELP) {
    const line = make("div");
    const name = make("dt");
    name.append(make("kbd", "", key));
    line.append(name, make("dd", "", what));
    list.append(line);
  }
  const title = make("h2", "", "Keys");
  title.id = "keys-name";
  const close = make("button", "quiet", "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  dialog.append(title, make("p", "hint", dock ? "Docks have no keys of their own: these work in the page." : "Single keys can be turned off in the settings. Media keys work too."), list, close);
}
