// What the page says in words.

/** Seconds as m:ss. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Why an item was suggested: a sentence from its strongest reason, with figures where there are some. */
export function why(item, seen) {
  const { content, rhythm, mood } = item.reasons;
  const pace = paceWords(item.tempo_bpm, seen);
  const best = Math.max(content, rhythm, mood);
  if (pace && rhythm >= best - 0.1) return pace;
  if (content === best) return `${degree(content)} what this kind of picture usually sounds like${tail(rhythm, mood)}`;
  if (mood === best) return `${degree(mood)} the mood of the picture${tail(rhythm, 0)}`;
  return pace ?? `${degree(rhythm)} the movement of the picture`;
}

function paceWords(bpm, seen) {
  const heard = Math.round(bpm);
  if (!heard || !seen?.tempo_bpm) return null;
  const steps = Math.round(seen.tempo_bpm);
  const near = (factor) => Math.abs(heard * factor - steps) <= 0.08 * steps;
  const against = `${heard} bpm against about ${steps} seen`;
  if (near(1)) return `Matches the pace: ${against}`;
  if (near(2)) return `Half the pace of the picture: ${against}`;
  if (near(0.5)) return `Twice the pace of the picture: ${against}`;
  return null;
}

function degree(value) {
  return value >= 0.75 ? "Fits" : value >= 0.5 ? "Goes with" : "Close to";
}

function tail(rhythm, mood) {
  if (rhythm >= 0.7 && mood >= 0.7) return ", with its pace and mood";
  if (rhythm >= 0.7) return ", at its pace";
  return mood >= 0.7 ? ", in its mood" : "";
}

/** What the advice means now: {word, text}. */
export function advice(kind, top, onAir) {
  if (!top) return { word: "Nothing fits", text: "The catalogue has no track that passes." };
  const where = `${top.title}, from ${clock(top.start_s)}`;
  if (!onAir) return { word: "Start with", text: where };
  if (kind === "switch" && top.track !== onAir.track) return { word: "Switch to", text: where };
  return { word: "Stay", text: `${onAir.title} still fits.` };
}
