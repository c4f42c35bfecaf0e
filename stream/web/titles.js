// Tracks by their ids: what lists said of them, else what the server says when asked.

import { ask } from "./ask.js";
import { sleep } from "./make.js";
import { titled } from "./words.js";

const MOST = 500; // tracks that are remembered
const OUTLINES = 60; // and with all that the server knows
const AGAIN_MS = [1000, 3000, 9000, 27_000]; // after a question that failed
const known = new Map();
const outlines = new Map();

export function learn(items) {
  for (const item of items) keep(known, item.track, item, MOST);
}

export const renew = () => { known.clear(); outlines.clear(); };

function keep(map, track, what, most) {
  map.delete(track);
  map.set(track, what);
  if (map.size > most) map.delete(map.keys().next().value);
}

/** The name of a track; where it is not known yet, `later` is called once it is. */
export function titleOf(track, later) {
  const facts = known.get(track);
  if (!facts) details(track).then((found) => { if (found) later?.(); });
  return facts ? titled(facts) : "";
}

/** What a list says of a track, else all of it, else null. */
export async function details(track) {
  return known.get(track) ?? outline(track);
}

/** All that the server knows of a track; null where it knows none, or does not answer for most of a minute. */
export function outline(track) {
  if (!outlines.has(track)) keep(outlines, track, found(track), OUTLINES);
  return outlines.get(track);
}

async function found(track) {
  for (const wait_ms of [...AGAIN_MS, 0]) {
    const { status, told } = await ask(`/api/tracks/${encodeURIComponent(track)}`);
    if (told && !known.has(track)) keep(known, track, told, MOST);
    if (told || status === 404) return told;
    await sleep(wait_ms);
  }
  outlines.delete(track); // the next time anew
  return null;
}
