// What is known about using a track, as badges. Nothing here promises anything: fully licensed tracks get muted too.

import { make, refill } from "./make.js";

const WORDS = { live_ok: ["live ok", "not live"], vod_ok: ["VOD ok", "not VOD"] };

/** The badges of a track: [text, kind], kind "good", "bad" or "plain". */
function badges(item) {
  const known = Object.keys(WORDS).filter((name) => typeof item[name] === "boolean");
  return [
    ...known.map((name) => (item[name] ? [WORDS[name][0], "good"] : [WORDS[name][1], "bad"])),
    ...(item.marks ?? []).map((mark) => [String(mark), mark === "licence unknown" ? "plain" : "bad"]),
  ];
}

export function showBadges(box, item) {
  const wanted = item ? badges(item) : [];
  refill(box, wanted, () => wanted.map(([text, kind]) => make("span", `badge-${kind}`, text)));
}
