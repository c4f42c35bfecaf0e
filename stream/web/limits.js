// What the session's filters are called.

export const WORDS = {
  licences: ["Licences", "CC0, CC-BY"], tags: ["Tags", "ambient, piano"], moods: ["Moods", "calm, dark"], playlists: ["Playlists", "Late show"], keys: ["Keys", "8A, F#m"],
};
export const FLAGS = { near_keys: "Keys that mix, too", instrumental: "Instrumental only", live_ok: "Marked live ok", vod_ok: "Marked VOD ok", jingles: "Jingles too" };

/** Whether any limit is set. */
export function limited(filters) {
  return Object.values(filters ?? {}).some((limit) => limit !== null && limit !== false && limit?.length !== 0);
}

/** The limits in words; empty where there are none. */
export function filtered(filters) {
  if (!filters) return "";
  const { min_bpm, max_bpm, min_energy, max_energy, min_duration_s } = filters;
  const part = (energy) => typeof energy === "number" && Math.round(100 * energy);
  const words = Object.keys(WORDS).map((name) => filters[name]?.length && `${name === "playlists" ? "in " : ""}${filters[name].join(" or ")}`);
  const flags = Object.entries(FLAGS).map(([name, text]) => filters[name] && text[0].toLowerCase() + text.slice(1));
  const pace = between("", min_bpm, max_bpm, "bpm");
  const energy = between("energy ", part(min_energy), part(max_energy), "%");
  return [pace, energy, min_duration_s && `of ${Math.round(min_duration_s)} s or more`, ...words, ...flags].filter(Boolean).join("; ");
}

function between(what, low, high, unit) {
  if (!low && !high && high !== 0) return "";
  return `${what}${low && high ? `${low} to ${high}` : low ? `from ${low}` : `up to ${high}`} ${unit}`;
}
