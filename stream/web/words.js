// What the page says in words.

const TRUST = 0.3; // below this, a pulse in the picture is not worth a word

/** Seconds as m:ss. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Why an item stands where it does: a sentence from the part in which it leads `others`, with figures if there are. */
export function why(item, others, seen) {
  const lead = (part) => {
    const mean = others.reduce((sum, other) => sum + other.reasons[part], 0) / Math.max(1, others.length);
    return item.reasons[part] - mean + 0.2 * item.reasons[part];
  };
  const { content, rhythm, mood } = item.reasons;
  const [best] = ["content", "rhythm", "mood"].sort((a, b) => lead(b) - lead(a));
  const pace = paceWords(item.tempo_bpm, seen);
  if (pace && rhythm >= 0.5) return pace;
  if (best === "content") return `${content >= 0.75 ? "Fits" : "Goes with"} pictures like this${company(rhythm, mood)}`;
  if (best === "rhythm") return `${degree(rhythm)} the movement of the picture`;
  return `${degree(mood)} the mood of the picture${rhythm >= 0.7 ? " and its pace" : ""}`;
}

function paceWords(bpm, seen) {
  const heard = Math.round(bpm);
  if (!heard || !pulse(seen)) return null;
  const steps = Math.round(seen.tempo_bpm);
  const near = (factor) => Math.abs(heard * factor - steps) <= 0.08 * steps;
  const against = `${heard} bpm against about ${steps} seen`;
  if (near(1)) return `Matches the pace: ${against}`;
  if (near(2)) return `Half the pace of the picture: ${against}`;
  if (near(0.5)) return `Twice the pace of the picture: ${against}`;
  return null;
}

/** The pulse of the picture in whole bpm, or 0 where there is none to speak of. */
export function pulse(seen) {
  return seen && seen.tempo_bpm > 0 && seen.confidence >= TRUST ? Math.round(seen.tempo_bpm) : 0;
}

/** How much moves, in a word; speed in picture widths a second. */
export function movement(seen) {
  if (!seen) return "";
  return seen.speed < 0.01 ? "almost still" : seen.speed < 0.06 ? "gentle movement" : seen.speed < 0.15 ? "lively movement" : "fast movement";
}

function degree(value) {
  return value >= 0.75 ? "Fits" : value >= 0.5 ? "Goes with" : "Close to";
}

function company(rhythm, mood) {
  if (rhythm >= 0.7 && mood >= 0.7) return ", in pace and mood";
  if (rhythm >= 0.7) return ", at their pace";
  return mood >= 0.7 ? ", in their mood" : "";
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

/** What became of the list: why it is an older one, or why it has changed. */
export function note(list) {
  if (list?.stale) return `An older list: ${list.stale}`;
  return list?.changed ? `${CHANGED[list.changed] ?? list.changed}` : "";
}

/** How long what is on air goes on, and what comes then; `title` of the next track. */
export function cue(onAir, title) {
  if (!onAir || onAir.left_s === null || onAir.left_s === undefined) return "";
  const parts = [`${clock(onAir.left_s)} left`];
  if (onAir.next) parts.push(`then ${title || "the next one"}`);
  if (onAir.next_in_s !== null && onAir.next_in_s !== undefined && onAir.next_in_s >= 0) parts.push(`good place to leave in ${clock(onAir.next_in_s)}`);
  return parts.join(" · ");
}

/** What the advice means now: {word, text, from}; `from` is where to start, or empty. */
export function advice(kind, top, onAir) {
  if (!top) return { word: "Nothing fits", text: "The catalogue has no track that passes.", from: "" };
  const start = { text: top.title || "Untitled", from: `from ${clock(top.start_s)}` };
  if (!onAir) return { word: "Start with", ...start };
  if (kind === "switch" && top.track !== onAir.track) return { word: "Switch to", ...start };
  if (kind === "could switch" && top.track !== onAir.track) return { word: "Could switch", text: `to ${start.text}`, from: start.from };
  return { word: "Stay", text: `${onAir.title || "Untitled"} still fits.`, from: "" };
}
