// Who is to be named for what is on air, to be copied.

import { $, set, when } from "./make.js";
import { outline } from "./titles.js";

const SAID_MS = 1500;

export class Credit {
  constructor(say) {
    Object.assign(this, { track: "", text: "" });
    when("credit", "click", async () => {
      const copied = await copy(this.text);
      told($("credit"), copied ? "Copied" : "Not copied");
      if (!copied) say(`The browser copies nothing here. The credit is: ${this.text}`);
    });
  }

  show(track) {
    if (track === this.track) return false;
    Object.assign(this, { track, text: "" });
    $("credit").disabled = true;
    if (track) outline(track).then((facts) => { if (track === this.track) this.#lay(facts?.attribution ?? ""); });
    return true;
  }

  #lay(text) {
    this.text = text;
    $("credit").disabled = !text;
    $("credit").title = text ? `Copy: ${text}` : "Who is to be named is not known";
  }
}

/** The address that other programs send to; `key`: the one that the page was given, which it does not show. */
export function showWhip(key) {
  const address = new URL(`/whip?key=${encodeURIComponent(key || "studio")}`, location.href).href;
  $("whip-address").textContent = key ? address.replace(/=.*/, "=…") : address;
  when("copy", "click", async () => {
    if (await copy(address)) told($("copy"), "Copied");
    else getSelection().selectAllChildren($("whip-address")); // no clipboard here: at least it is selected
  });
}

function told(button, text) {
  button.dataset.text ??= button.textContent;
  set(button, text);
  setTimeout(() => set(button, button.dataset.text), SAID_MS);
}

async function copy(text) {
  try { await navigator.clipboard.writeText(text); } catch { return false; }
  return true;
}
