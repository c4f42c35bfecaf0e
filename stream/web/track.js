// A track as rows show it: what it is, what is known about using it, and what can be done with it. Nothing here promises
// anything: fully licensed tracks get muted too.

import { button, make, press, refill, set, sign } from "./make.js";
import { clock, dots, titled } from "./words.js";

const RIGHTS = { live_ok: ["live ok", "not live"], vod_ok: ["VOD ok", "not VOD"] };

/** The parts of a row. `item()`: its track as it is now; `does` has play(item), listen(item), send(command). */
export function parts(item, { play, listen, send }) {
  const act = (kind, mark, title, deed) => {
    const made = button(kind, mark, title, () => { if (item()) deed(item(), made.ariaPressed === "true"); });
    return made;
  };
  const row = {
    play: act("play", sign("M8 5v14l11-7Z"), "", play),
    listen: act("listen", sign("M4 15v-2a8 8 0 0 1 16 0v2M4 14h3v6H4Zm13 0h3v6h-3Z"), "Listen in headphones", listen),
    like: act("like", "♥", "More like this", ({ track }, was) => send({ type: was ? "unlike" : "like", track })),
    pin: act("pin", "▲", "Keep it first", ({ track }, was) => send({ type: "pin", track: was ? null : track })),
    skip: act("drop-it", "×", "", ({ track }, was) => send({ type: was ? "unskip" : "skip", track })),
  };
  for (const name of ["rank", "title", "artist", "air", "tempo", "used", "rights", "against", "held"]) row[name] = make("span", name);
  row.title.dir = row.artist.dir = "auto";
  row.head = make("p", "head", row.title, row.artist, row.air);
  row.line = make("p", "facts", row.tempo, row.used, row.rights, row.against);
  return row;
}

/** Say in its row which track it is. */
export function label(row, item) {
  const name = titled(item);
  set(row.title, name);
  set(row.artist, item.artist || "");
  row.head.title = dots(name, item.artist);
  set(row.tempo, dots(item.tempo_bpm > 0 ? `${Math.round(item.tempo_bpm)} bpm` : "free tempo", clock(item.duration_s), item.camelot, item.licence));
  showBadges(row.rights, item);
  row.listen.ariaLabel = `Listen to ${name} in headphones`;
  row.like.ariaLabel = `Like ${name}`;
  row.pin.ariaLabel = `Keep ${name} first`;
}

/** Show what is asked of a track. Returns whether it is left out. */
export function state(row, id, { asked, items }) {
  const has = (list) => Boolean(list?.some(({ track }) => track === id));
  press(row.pin, id === asked?.pinned);
  press(row.like, has(asked?.liked) || has(items.filter((item) => item.liked)));
  return has(asked?.skipped);
}

/** What is known of a track's rights, as badges: good, bad or plain. */
export function showBadges(box, item) {
  const known = Object.entries(RIGHTS).filter(([name]) => typeof item?.[name] === "boolean");
  const wanted = [
    ...known.map(([name, [ok, not]]) => (item[name] ? [ok, "good"] : [not, "bad"])),
    ...(item?.marks ?? []).map((mark) => [String(mark), mark === "licence unknown" ? "plain" : "bad"]),
  ];
  refill(box, wanted, () => wanted.map(([text, kind]) => make("span", `badge-${kind}`, text)));
}
