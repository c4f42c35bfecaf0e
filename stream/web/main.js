// Wiring: the session, what the page shows of it, and what it plays.

import { Audition } from "./audition.js";
import { Auto } from "./auto.js";
import { Credit, showWhip } from "./credit.js";
import { takeFiles } from "./drop.js";
import { leadOf, plan } from "./fade.js";
import { History } from "./history.js";
import { hotkeys } from "./hotkeys.js";
import { given } from "./key.js";
import { limited } from "./limits.js";
import { Live } from "./live.js";
import { choose, chose, dock, giveFocusBack } from "./look.js";
import { $, press, set, when } from "./make.js";
import { Media } from "./media.js";
import { Moment } from "./moment.js";
import { Obs } from "./obs.js";
import { Parts } from "./parts.js";
import { Player } from "./player.js";
import { Proposal } from "./proposal.js";
import { leans, Session, weighs } from "./session.js";
import { Speaker } from "./speaker.js";
import { Steer } from "./steer.js";
import { Suggestions } from "./suggestions.js";
import { learn, renew, titleOf } from "./titles.js";
import { Transport } from "./transport.js";
import { Meter, Volume } from "./volume.js";
import { Wishes } from "./wishes.js";
import { capital, cue, dots, movement, note, pulse } from "./words.js";

const NOTE_MS = 6000; // a change of the list is told for so long
const HISTORY_MS = 20_000; // after a change on air it is in the history

let noted = 0; // when the list's last change was told

const fades = () => ({ fade: chose("fade"), fade_s: chose("fade_s") });
const send = (command) => session.send(command);
const audible = (track) => press($("go-listen"), Boolean(track) && track === proposal.item?.track);

const moment = new Moment();
const session = new Session({
  open: () => { live.opened(); speaker.opened(); if (auto.began) session.turn(true); show(); },
  suggestions: heardList,
  cut: ({ strength }) => live.strip?.cut(strength),
  reset: () => { moment.forget(); show(); },
  player: () => { auto.heard(); speaker.roleChanged(); obs.show(); },
  do: (message) => speaker.obey(message),
  obs: (message) => obs.hear(message),
  accepted, refused,
  warning: ({ reason }) => complain(`${capital(reason)}.`),
  catalog: renew,
  error: ({ reason }) => complain(`The session ended: ${reason}.`),
  waiting: () => live.status("wait", "Reconnecting…"),
  reached: () => live.reached(),
  absent: (reason, regular) => live.absent(reason, regular),
  closed: (reason, regular) => live.closed(reason, regular),
});
const live = new Live(session, { show, forget, unlock: () => player.unlock(), say: complain });
const player = new Player({ change: () => speaker.changed(), ended: (now) => auto.ended(now.track), error: complain });
const speaker = new Speaker(player, session, how, { change: showPlayer });
const volume = new Volume(speaker);
const transport = new Transport(speaker, session);
const auto = new Auto(speaker, session, () => (session.open ? session.auto : $("auto").checked), () => leadOf(fades()));
const wishes = new Wishes(session);
const obs = new Obs(session);
const audition = new Audition(() => player.playing, { change: (track) => { list.listens(track); audible(track); parts.show(); }, say: complain });
const does = { play: start, listen: (item) => audition.toggle(item), send };
const proposal = new Proposal(moment, does);
const list = new Suggestions(session, {
  ...does,
  used: (track) => history.used(track),
  waits: (whether) => { $("list-waiting").hidden = !whether; },
});
const credit = new Credit(complain);
const steer = new Steer($("tool-steer"), session);
const history = new History($("tool-history"));
const parts = new Parts(session, { ...does, say: complain, history, audition }, dock ? "none" : "steer");
const media = new Media(speaker, () => next());
new Meter($("meter"), player);

function complain(text) {
  $("toast-text").textContent = text;
  $("toast").hidden = !text;
}

function show() {
  const { asked, role } = session;
  list.show();
  $("ghosts").hidden = list.items.length > 0;
  wishes.show();
  steer.show();
  parts.mark("steer", Boolean(asked) && (leans(asked.steer) || weighs(asked.weights)));
  parts.mark("filters", limited(asked?.filters));
  showPlayer();
}

function showPlayer() {
  const { onAir, role } = session;
  const now = transport.show();
  volume.show();
  parts.show();
  list.mark(now?.track, now?.playing);
  if (session.open) $("auto").checked = session.auto;
  $("auto").disabled = !role.may;
  set($("cue"), now ? cue(onAir, onAir?.next ? titleOf(onAir.next) : "") : "");
  media.show(now);
  if (credit.show(now?.track ?? "") && now) setTimeout(() => history.load(), HISTORY_MS);
  proposal.show(session, now, session.open && !live.waits
    ? { kind: "wait", word: "Looking", lead: "The first suggestions come after a second or two of picture." }
    : { kind: "none", word: "Suggestions", lead: `They appear here ${live.waits ? "as soon as the stream begins" : "once a picture comes in"}.` });
  audible(audition.track);
}

function showNote() {
  const { asked, items, newest, onAir, role } = session;
  const limits = limited(asked?.filters);
  const alone = limits && !newest.stale && items.every(({ track }) => track === onAir?.track);
  const stale = Boolean(newest.stale) || alone;
  const text = alone ? "Nothing else passes the filters" : note(newest);
  $("clear-filters").hidden = !(stale && limits && role.may);
  if (!text && performance.now() - noted < NOTE_MS) return;
  if (text) noted = performance.now();
  set($("list-note"), text);
  $("list-note").dataset.kind = stale ? "stale" : "";
}

function forget() {
  moment.forget();
  obs.forget();
  wishes.hush();
  $("facts").textContent = $("list-note").textContent = "";
  $("clear-filters").hidden = true;
}

setInterval(() => {
  live.tick();
  transport.place();
  proposal.tick();
  auto.watch();
}, 250);

function heardList(message) {
  learn(message.items);
  moment.hear(message);
  const beat = pulse(message.seen);
  set($("facts"), dots(
    movement(message.seen),
    beat && `pulse about ${beat} bpm`,
    `last ${Math.round(message.window_s)} s`,
    message.late_ms !== null && `${Math.round(message.late_ms)} ms behind`,
  ));
  live.status("live", "Live");
  showNote();
  show();
  auto.follow();
}

function accepted(message) {
  wishes.tell(message);
  show();
  // whoever skips what is on air, the page that plays it goes on with the next
  if (message.command === "skip" && speaker.here && player.now?.track === message.track) auto.next(message.track);
}

function refused({ command, reason }) {
  speaker.refused(command);
  if (command === "auto") showPlayer();
  if (command === "filters") parts.show(true);
  if (command !== "playing") complain(`The server refused that: ${reason}.`);
}

function start(item) { if (item && session.role.may) auto.start(item); }

function skip(track) { send({ type: "skip", track }); }

function how(item) {
  const { newest } = session;
  const out = player.now && { tempo_bpm: 0, ...newest?.items.find((each) => each.track === player.now.track), track: player.now.track };
  if (out && !out.tempo_bpm) out.tempo_bpm = player.now.tempo_bpm ?? 0;
  const made = plan(fades(), out, item, moment, performance.now());
  proposal.pending = made.way === "beat";
  proposal.tick();
  setTimeout(() => { proposal.pending = false; }, made.way === "beat" ? made.at_ms - performance.now() : 0);
  return made;
}

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
const clicks = {
  "use-camera": () => live.send("camera"),
  "use-screen": () => live.send("screen"),
  toggle: () => speaker.toggle(),
  take: () => speaker.take(),
  skip: next,
  "clear-filters": () => send({ type: "reset", what: ["filters"] }),
  theme,
  "open-settings": () => parts.dialog("settings"),
  "open-find": () => parts.find(),
  "open-keys": () => parts.dialog("keys"),
  "toast-close": () => complain(""),
};
for (const [id, act] of Object.entries(clicks)) when(id, "click", () => act());
when("seek", "change", ({ target }) => speaker.seek(Number(target.value)));
when("auto", "change", ({ target }) => turn(target.checked));
addEventListener("keydown", ({ key }) => { if (key === "Escape") complain(""); });

hotkeys(keys);
showWhip(given);
if (!dock) takeFiles((file) => live.send("file", file));
giveFocusBack();
$("use-screen").hidden = window.isSecureContext && !navigator.mediaDevices?.getDisplayMedia; // telephones have none
show();
live.start(new URLSearchParams(location.search).get("session"));
document.body.dataset.ready = "";
history.load();
