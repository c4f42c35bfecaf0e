// Keys of the page. In a dock they are the program's around it.

import { chose, dock } from "./look.js";

/** `acts`: by key, what it does; a digit comes as "rank" or "hear" with its number. */
export function hotkeys(acts) {
  addEventListener("keydown", (event) => {
    if (dock || !chose("keys") || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]:not(#find)") || writes(event.target)) return;
    const element = event.target;
    const acted = element.closest?.("button, a, summary, label");
    const slides = element.matches?.("input[type=range]");
    if ([" ", "Enter"].includes(event.key) && (acted || slides || element.matches?.("input"))) return;
    if (slides && /^[0-9+-]$/.test(event.key)) return;
    const digit = event.key !== "/" && /^Digit([1-9])$/.exec(event.code); // in places / is Shift + 7
    const act = digit ? acts[event.shiftKey ? "hear" : "rank"] : acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.repeat && !["+", "-", "[", "]"].includes(event.key)) return;
    event.preventDefault();
    act(digit ? Number(digit[1]) : undefined);
  });
}

export function writes(element) {
  if (element.isContentEditable || ["TEXTAREA", "SELECT"].includes(element.tagName)) return true;
  return element.tagName === "INPUT" && !["range", "checkbox", "radio", "button", "file"].includes(element.type);
}
