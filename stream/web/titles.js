// Tracks by their ids: what lists said of them, else what the server says when asked.

import { authorised } from "./token.js";

const MOST = 500;
const known = new Map();
const asking = new Map();
const OUTLINES = 60;
const outlines = new Map(); // by track, what the server says of it when asked: waveform, sections, bars, rights

/** Remember what a list says. */
export function learn(items) {
  for (const item of items) keep(item.track, item);
}

function keep(track, facts) {
  known.delete(track);
  known.set(track, { ...facts, track });
  if (known.size > MOST) known.delete(known.keys().next().value);
}

/** The name of a track; where it is not known yet, `later` is called once it is. */
export function titleOf(track, later) {
  const facts = known.get(track);
  if (!facts) details(track).then((found) => { if (found) later?.(); });
  return facts ? facts.title || "Untitled" : "";
}

/** {track, title, artist, duration_s, licence, ...} or null for a track that the catalogue does not have. */
export function details(track) {
  if (known.has(track)) return Promise.resolve(known.get(track));
  if (!asking.has(track)) asking.set(track, ask(track).finally(() => asking.delete(track)));
  return asking.get(track);
}

async function ask(track) {
  const response = await fetch(`/api/tracks/${encodeURIComponent(track)}`, { headers: authorised("view") }).catch(() => null);
  if (!response?.ok) return null;
  keep(track, await response.json());
  return known.get(track);
}

/** All that the server knows of a track: waveform, sections, bars, rights; null where it knows no such track. */
export function outline(track) {
  if (!outlines.has(track)) {
    const found = fetch(`/api/tracks/${encodeURIComponent(track)}`, { headers: authorised("view") })
      .then((response) => (response.ok ? response.json() : null))
      .catch(() => { outlines.delete(track); return null; });
    outlines.set(track, found);
    if (outlines.size > OUTLINES) outlines.delete(outlines.keys().next().value);
  }
  return outlines.get(track);
}
