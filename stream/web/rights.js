// What is known about using a track, as badges. Nothing here promises anything: fully licensed tracks get muted too.

import { arrange, make } from "./make.js";

const WORDS = { live_ok: ["live ok", "not live"], vod_ok: ["VOD ok", "not VOD"] };

/** The badges of a track: [text, kind], kind "good", "bad" or "plain". */
export function badges({ live_ok, vod_ok, marks }) {
  const found = [];
  for (const [name, known] of [["live_ok", live_ok], ["vod_ok", vod_ok]]) {
    if (known === true) found.push([WORDS[name][0], "good"]);
    if (known === false) found.push([WORDS[name][1], "bad"]);
  }
  for (const mark of marks ?? []) found.push([String(mark), mark === "licence unknown" ? "plain" : "bad"]);
  return found;
}

export function showBadges(box, item) {
  const wanted = item ? badges(item) : [];
  const key = JSON.stringify(wanted);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  arrange(box, wanted.map(([text, kind]) => make("span", `badge-${kind}`, text)));
}

/** Put a text on the clipboard. Returns whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
