// What the page says in words.

const TRUST = 0.3; // below this, a pulse in the picture is not worth a word

export const titled = ({ title }) => title || "Untitled";

/** Words of one line, those that there are. */
export const dots = (...words) => words.filter(Boolean).join(" · ");

export const capital = (text) => text[0].toUpperCase() + text.slice(1);

export const percent = (part) => `${Math.round(100 * part)} %`;

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** In whole bpm; 0 where there is none to speak of. */
export function pulse(seen) {
  return seen && seen.tempo_bpm > 0 && seen.confidence >= TRUST ? Math.round(seen.tempo_bpm) : 0;
}

export function movement(seen) {
  if (!seen) return "";
  return seen.speed < 0.01 ? "almost still" : seen.speed < 0.06 ? "gentle movement" : seen.speed < 0.15 ? "lively movement" : "fast movement";
}

/** A time to come, in words: "8 minutes". */
export function minutes(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} minutes`;
}

const HELD = { place: "holds its place", "on air": "stays, being on air", pinned: "pinned" };

/** Why a row stands higher than its own score would bring it, or nothing. */
export function held(item) {
  if (!item.held) return "";
  const points = Math.round(100 * (item.lift || 0));
  return `${HELD[item.held] ?? item.held}${points ? ` (+${points})` : ""}`;
}

const CHANGED = { scene: "New scene", lead: "Another one has fitted better for a while", wish: "As you asked", start: "A better place to start", gone: "A track is gone" };

export function note(list) {
  if (list?.stale) return `An older list: ${list.stale}`;
  return CHANGED[list?.changed] ?? list?.changed ?? "";
}

export function cue(onAir, title) {
  if (!onAir) return "";
  const { next, next_in_s } = onAir;
  return dots(next && `Then ${title || "the next one"}`, next_in_s >= 0 && next_in_s !== null && `${next ? "good" : "Good"} place to leave in ${clock(next_in_s)}`);
}

/**
 * The next move: {kind, word, lead, item}. `kind`: "start", "switch", "could", "stay", "paused" or "none"; `item`: what
 * to play next, null where there is nothing; `lead`: what comes before its title. `now`: what is on air, or null.
 */
export function move(advice, items, onAir, now) {
  if (!items.length) return { kind: "none", word: "Nothing fits", lead: "The catalogue has no track that passes.", item: null };
  const [top] = items;
  if (!now) return { kind: "start", word: "Start with", lead: "", item: top };
  const other = items.find((item) => item.track !== now.track) ?? null;
  const name = titled(now);
  if (!now.playing) return { kind: "paused", word: "Paused", lead: other ? `${name}. Next:` : name, item: other };
  if (advice === "switch" && top.track !== now.track) return { kind: "switch", word: "Switch to", lead: "", item: top };
  if (advice === "could switch" && other) return { kind: "could", word: "Could switch to", lead: "", item: other };
  const next = items.find((item) => item.track === onAir?.next && item.track !== now.track) ?? other;
  return { kind: "stay", word: "Stay", lead: next ? `${name} still fits. Next:` : `${name} still fits.`, item: next };
}

/** How long ago something was, in words: "5 minutes ago". */
export function ago(at, now_ms = Date.now()) {
  const seconds = Math.max(0, (now_ms - Date.parse(at)) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 90) return "just now";
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

const FIRST = { first_content: "picture", first_rhythm: "picture's pace", first_mood: "picture's mood" };

/** Why, in words: the facts that the server gives, else the parts of the score. */
export function reason({ facts, reasons }) {
  if (facts?.length) return dots(...facts.map(({ kind, text }) => (kind in FIRST ? `closest in the list to the ${FIRST[kind]}` : text)));
  const [picture, rhythm, mood] = ["content", "rhythm", "mood"].map((name) => Math.round(100 * reasons[name]));
  return `fits: picture ${picture}, rhythm ${rhythm}, mood ${mood} of 100`;
}
