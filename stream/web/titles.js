// Tracks by their ids: what lists said of them, else what the server says when asked.

import { sleep } from "./make.js";
import { authorised } from "./token.js";

const MOST = 500; // tracks that are remembered, by what lists say
const OUTLINES = 60; // and with all that the server knows
const AGAIN_MS = [1000, 3000, 9000, 27_000]; // after a question that failed
const known = new Map();
const outlines = new Map();

/** Remember what a list says. */
export function learn(items) {
  for (const item of items) keep(known, item.track, item, MOST);
}

function keep(map, track, what, most) {
  map.delete(track);
  map.set(track, what);
  if (map.size > most) map.delete(map.keys().next().value);
}

/** The name of a track; where it is not known yet, `later` is called once it is. */
export function titleOf(track, later) {
  const facts = known.get(track);
  if (!facts) details(track).then((found) => { if (found) later?.(); });
  return facts ? facts.title || "Untitled" : "";
}

/** {track, title, artist, duration_s, licence, ...} or null for a track that the catalogue does not have. */
export async function details(track) {
  return known.get(track) ?? outline(track);
}

/** All that the server knows of a track: waveform, sections, bars, rights; null where it knows no such track, or does
 * not answer for most of a minute. */
export function outline(track) {
  if (!outlines.has(track)) keep(outlines, track, ask(track), OUTLINES);
  return outlines.get(track);
}

async function ask(track) {
  for (const wait_ms of [...AGAIN_MS, 0]) {
    const response = await fetch(`/api/tracks/${encodeURIComponent(track)}`, { headers: authorised("view") }).catch(() => null);
    if (response?.status === 404) return null;
    const facts = response?.ok ? await response.json().catch(() => null) : null;
    if (facts) {
      if (!known.has(track)) keep(known, track, { ...facts, track }, MOST);
      return { ...facts, track };
    }
    await sleep(wait_ms);
  }
  outlines.delete(track); // the next time anew
  return null;
}
