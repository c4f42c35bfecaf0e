// Keys of the page; a dock has none of single letters, for these are the program's around it.

import { chose, dock } from "./look.js";
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

/** `acts`: by key, what it does; a digit comes as "rank" or "hear" with its number. */
export function hotkeys(acts) {
  addEventListener("keydown", (event) => {
    if (dock || !chose("keys") || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || writes(event.target)) return;
    const element = event.target;
    const acted = element.closest?.("button, a, summary, label");
    const slides = element.matches?.("input[type=range]");
    if ([" ", "Enter"].includes(event.key) && (acted || slides || element.matches?.("input"))) return;
    if (slides && /^[0-9+-]$/.test(event.key)) return;
    const digit = /^Digit([1-9])$/.exec(event.code);
    const act = digit ? acts[event.shiftKey ? "hear" : "rank"] : acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.repeat && !["+", "-", "[", "]"].includes(event.key)) return;
    event.preventDefault();
    act(digit ? Number(digit[1]) : undefined);
  });
}

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

/** Whether keys are text there. */
export function writes(element) {
  if (element.isContentEditable || ["TEXTAREA", "SELECT"].includes(element.tagName)) return true;
  return element.tagName === "INPUT" && !["range", "checkbox", "radio", "button", "file"].includes(element.type);
}
