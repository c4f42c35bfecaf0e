// What keys do, and buttons that have a key.

import { choose } from "./look.js";
import { $ } from "./make.js";

/** The page's parts in, its deeds out: {next, turn, theme, keys}. */
export function acts({ session, speaker, proposal, list, audition, auto, player, obs, volume, parts, start, skip, send }) {
  const may = (act) => (...given) => (session.role.may ? act(...given) : undefined);
  const some = (act) => (item) => { if (item) act(item); };
  const listen = some((item) => audition.toggle(item));
  const proposed = (act) => may(() => some(act)(proposal.item));
  const shift = (by_s) => may(() => some((now) => speaker.seek(Math.max(0, now.position_s + by_s)))(speaker.now));
  const louder = (by) => () => volume.choose(volume.part + by);
  const liked = () => (speaker.now ? session.items.find(({ track }) => track === speaker.now.track) ?? { track: speaker.now.track } : proposal.item);
  const next = may(() => some((now) => skip(now.track))(speaker.now));
  const theme = () => choose("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  const play = () => start(proposal.item);
  const turn = (on) => {
    player.unlock();
    auto.began = on && !speaker.elsewhere;
    if (session.open) session.turn(on);
  };
  const keys = {
    " ": may(() => (speaker.now ? speaker.toggle() : play())),
    Enter: play, g: play,
    rank: (place) => start(list.items[place - 1]),
    hear: (place) => listen(list.items[place - 1]),
    h: () => listen(proposal.item),
    n: next,
    l: may(() => some(({ track, liked: was }) => send({ type: was ? "unlike" : "like", track }))(liked())),
    p: proposed(({ track }) => send({ type: "pin", track: session.asked?.pinned ? null : track })),
    x: proposed(({ track }) => skip(track)),
    a: may(() => { $("auto").checked = !$("auto").checked; turn($("auto").checked); }),
    d: may(() => { if (!$("duck").hidden) obs.next(); }),
    m: () => volume.mute(), "+": louder(0.05), "-": louder(-0.05), "[": shift(-5), "]": shift(5),
    u: may(() => { if (session.asked?.undo) send({ type: "undo" }); }),
    t: theme,
    f: async () => { await parts.open("filters"); $("filter-min_bpm")?.focus(); },
    "/": () => parts.find(),
    "?": () => parts.dialog("keys"),
  };
  return { next, turn, theme, keys };
}
