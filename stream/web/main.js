// Wiring: the session, what the page shows of it, and what it plays. What few need at once is loaded when it is wanted.

import { Announcer } from "./announce.js";
import { Audition } from "./audition.js";
import { Auto } from "./auto.js";
import { leadOf, plan } from "./fade.js";
import { History } from "./history.js";
import { hotkeys } from "./hotkeys.js";
import { given } from "./key.js";
import { choose, chose, dock, giveFocusBack } from "./look.js";
import { press, set } from "./make.js";
import { Media } from "./media.js";
import { Meter } from "./meter.js";
import { Moment } from "./moment.js";
import { Obs } from "./obs.js";
import { Player } from "./player.js";
import { Proposal } from "./proposal.js";
import { copy } from "./rights.js";
import { leans, limited, Session, weighs } from "./session.js";
import { Speaker } from "./speaker.js";
import { Steer } from "./steer.js";
import { Suggestions } from "./suggestions.js";
import { Tabs } from "./tabs.js";
import { learn, outline, titleOf } from "./titles.js";
import { authorised } from "./token.js";
import { Transport } from "./transport.js";
import { Wishes } from "./wishes.js";
import { clock, cue, movement, note, pulse } from "./words.js";

const $ = (id) => document.getElementById(id);
const LIST_MS = dock ? 1000 : 3000;
const NOTE_MS = 6000; // a change of the list is told for so long
const WAITS = "Waiting for the stream";
const ANSWER_MS = 5000; // a server that has not answered by then cannot be reached
const HISTORY_MS = 20_000; // after a change on air it is in the history

let began = 0; // when the stream did, by the page's clock
let waits = false; // for the stream of the key to begin
let asking = false; // for what is live now
let noted = 0; // when the list's last change was told
let source = null; // what this page sends, if it does
let strip = null; // the movement in it
let kits = null;
let filters = null;
const dialogs = {};
let credit = ""; // who is to be named for what is on air

const moment = new Moment();
const send = (command) => session.send(command);
const session = new Session({
  open: () => opened(),
  suggestions: (message) => heardList(message),
  cut: (message) => strip?.cut(message.strength),
  reset: () => { moment.forget(); show(); },
  player: () => { auto.heard(); speaker.roleChanged(); obs.show(); },
  do: (message) => speaker.obey(message),
  obs: (message) => obs.hear(message),
  accepted: (message) => accepted(message),
  refused: (message) => refused(message),
  warning: (message) => complain(`${message.reason[0].toUpperCase()}${message.reason.slice(1)}.`),
  error: (message) => complain(`The session ended: ${message.reason}.`),
  waiting: () => status("wait", "Reconnecting…"),
  reached: () => status("wait", WAITS),
  absent: (reason, regular) => absent(regular, reason),
  closed: (reason, regular) => closed(reason, regular),
});
const player = new Player({
  change: () => speaker.changed(),
  ended: (now) => auto.ended(now.track),
  error: complain,
});
const speaker = new Speaker(player, session, how, { change: () => showPlayer() });
const transport = new Transport($, speaker, session);
const auto = new Auto(speaker, session, () => (session.open ? session.auto : $("auto").checked), () => leadOf(fades()));
const wishes = new Wishes($("wishes"), $("told"), send);
const obs = new Obs($, session);
const media = new Media(speaker, next);
const audition = new Audition(() => player.playing, {
  change: (track) => { list.listens(track); press($("go-listen"), track !== null && track === proposal.item?.track); },
  say: complain,
});
const proposal = new Proposal($, moment, new Announcer($("advice-said")), {
  play: (item) => start(item),
  listen: (item) => audition.toggle(item),
});
const list = new Suggestions($("list"), {
  play: (item) => start(item),
  listen: (item) => audition.toggle(item),
  skip: (item) => skip(item.track),
  unskip: (item) => send({ type: "unskip", track: item.track }),
  like: (item, whether) => send({ type: whether ? "like" : "unlike", track: item.track }),
  pin: (item, whether) => send({ type: "pin", track: whether ? item.track : null }),
  waits: (whether) => { $("list-waiting").hidden = !whether; },
});
const steer = new Steer($("tool-steer"), send);
const history = new History($("tool-history"));
const tabs = new Tabs($("tools"), dock ? "none" : "steer", (name) => ({ filters: showFilters, kits: showKits, history: () => history.load() })[name]?.().catch(() => {}));
new Meter($("meter"), player);

// ---- showing -------------------------------------------------------------------------------------------------------

function status(kind, text) {
  $("status").dataset.state = kind;
  set($("status-text"), text);
}

function complain(text) {
  $("toast-text").textContent = text;
  $("toast").hidden = false;
}

function mode(kind) {
  $("stage").dataset.mode = document.body.dataset.mode = kind;
  $("welcome").hidden = kind !== "idle";
  $("remote").hidden = kind !== "remote";
  $("strip-box").hidden = kind !== "live" || !chose("strip");
}

function show() {
  const { items, newest, asked, role } = session;
  list.show(items, {
    seen: newest?.seen, pinned: asked?.pinned ?? null, may: role.may, used: (track) => history.used(track),
    skipped: new Set(asked?.skipped?.map((each) => each.track)), liked: new Set(items.filter((item) => item.liked).map((item) => item.track)),
  });
  $("ghosts").hidden = list.items.length > 0;
  wishes.show(asked, role.may);
  steer.show(asked, role.may);
  filters?.show(asked?.filters, role.may);
  kits?.show(role.may);
  tabs.mark("steer", Boolean(asked) && (leans(asked.steer) || weighs(asked.weights)));
  tabs.mark("filters", limited(asked?.filters));
  showPlayer();
}

/** Who plays what, and what follows for the list. */
function showPlayer() {
  const now = transport.show();
  list.mark(now?.track, now?.playing);
  if (session.open) $("auto").checked = session.auto;
  $("auto").disabled = !session.role.may;
  const { onAir } = session;
  set($("cue"), now ? cue(onAir, onAir?.next ? titleOf(onAir.next) : "") : "");
  media.show(now);
  showCredit(now);
  showProposal(now);
}

function showProposal(now) {
  const { newest, items, onAir, role } = session;
  const looks = session.open && !waits;
  proposal.show({
    list: newest, items, onAir, now, may: role.may,
    words: looks
      ? { kind: "wait", word: "Looking", lead: "The first suggestions come after a second or two of picture." }
      : { kind: "none", word: "Suggestions", lead: waits ? "They appear here as soon as the stream begins." : "They appear here once a picture comes in." },
  });
  press($("go-listen"), audition.track !== null && audition.track === proposal.item?.track);
}

function showCredit(now) {
  const track = now?.track ?? "";
  if ($("credit").dataset.track === track) return;
  $("credit").dataset.track = track;
  credit = "";
  $("credit").disabled = true;
  if (!track) return;
  setTimeout(() => history.load(), HISTORY_MS);
  outline(track).then((facts) => {
    if ($("credit").dataset.track !== track) return;
    credit = facts?.attribution ?? "";
    $("credit").disabled = !credit;
    $("credit").title = credit ? `Copy: ${credit}` : "Who is to be named is not known";
  });
}

function showNote() {
  const text = note(session.newest);
  const stale = Boolean(session.newest?.stale);
  $("clear-filters").hidden = !(stale && limited(session.asked?.filters) && session.role.may);
  if (!text && performance.now() - noted < NOTE_MS) return;
  if (text) noted = performance.now();
  set($("list-note"), text);
  $("list-note").dataset.kind = stale ? "stale" : "";
}

setInterval(() => {
  if (began) set($("clock"), clock((performance.now() - began) / 1000));
  transport.place();
  proposal.tick();
  auto.watch();
}, 250);

// ---- the session ---------------------------------------------------------------------------------------------------

function opened() {
  status("live", session.newest ? "Live" : "Connected");
  if (given && !source?.source) waitsFor(false);
  speaker.opened();
  if (auto.began) session.turn(true);
  show();
}

function heardList(message) {
  learn(message.items);
  moment.hear(message);
  const beat = pulse(message.seen);
  set($("facts"), [
    movement(message.seen),
    beat ? `pulse about ${beat} bpm` : "",
    `last ${Math.round(message.window_s)} s`,
    message.late_ms === null ? "" : `${Math.round(message.late_ms)} ms behind`,
  ].filter(Boolean).join(" · "));
  status("live", "Live");
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

function refused(message) {
  speaker.refused(message.command);
  if (message.command === "auto") showPlayer();
  if (message.command === "filters") filters?.show(session.asked?.filters, session.role.may);
  if (message.command !== "playing") complain(`The server did not ${message.command}: ${message.reason}.`);
}

/** The connection is over for good. */
function closed(reason, regular) {
  if (source?.source && !regular) {
    source.again();
    return show();
  }
  end();
  if (dock) return status("wait", "Waiting for a stream");
  return complain(`The stream ended: ${reason.replace(/\.$/, "")}.`);
}

/** Ask for the stream of the key that the page was opened with, for as long as it takes. */
function attendKey() {
  mode("remote");
  session.attend(`/events?key=${encodeURIComponent(given)}`, true);
  absent(true);
}

function absent(regular, reason = "") {
  status("wait", regular ? WAITS : reason);
  began = 0;
  $("clock").textContent = "0:00";
  moment.forget();
  obs.forget();
  waitsFor(true);
  show();
}

function waitsFor(stream) {
  waits = stream;
  if (!waits) began ||= performance.now();
  set($("remote-name"), waits ? "Waiting for the stream of this key" : "The stream of this key");
  set($("remote-text"), waits ? "It appears here as soon as it begins." : "comes in from elsewhere; its picture is not sent back here.");
}

async function end() {
  began = 0;
  waits = false;
  session.leave();
  strip?.clear();
  moment.forget();
  obs.forget();
  $("facts").textContent = $("list-note").textContent = "";
  $("clear-filters").hidden = true;
  $("clock").textContent = "0:00";
  mode("idle");
  status("idle", "Ready");
  wishes.hush();
  show();
  await source?.stop();
}

function watch(live) {
  end();
  set($("remote-name"), live.label);
  mode("remote");
  began = performance.now() - live.age_s * 1000;
  if (!dock) player.unlock();
  session.attend(live.events);
  show();
}

async function liveNow() {
  const idle = () => !session.open && $("stage").dataset.mode === "idle";
  if (document.hidden && !dock || asking || !idle()) return;
  asking = true; // one question at a time, however long the answer takes
  const response = await fetch("/api/sessions", { headers: authorised("view"), signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
  const told = response?.ok ? await response.json().catch(() => null) : null;
  asking = false;
  if (!idle()) return; // it has attached meanwhile
  if (!told) return status("lost", response?.status === 401 ? "A token is needed: open the page with #token=TOKEN" : "The server cannot be reached");
  if ($("status").dataset.state === "lost") status("idle", "Ready");
  const sessions = told.sessions.filter((each) => each.connected);
  if (dock) {
    const newest = [...sessions].sort((a, b) => a.age_s - b.age_s)[0];
    if (newest) return watch(newest);
    return status("wait", "Waiting for a stream");
  }
  $("live-now").hidden = sessions.length === 0;
  const key = sessions.map((each) => each.id).join();
  if ($("live-list").dataset.key === key) return;
  $("live-list").dataset.key = key;
  $("live-list").replaceChildren(...sessions.map((each) => {
    const entry = document.createElement("li");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "quiet", textContent: each.label, dir: "auto" });
    button.addEventListener("click", () => watch(each));
    entry.append(button);
    return entry;
  }));
}

// ---- deeds ---------------------------------------------------------------------------------------------------------

function start(item) { if (item && session.role.may) return auto.start(item); }

function skip(track) { send({ type: "skip", track }); }

function next() { const { now } = speaker; if (now && session.role.may) skip(now.track); }

function fades() { return { fade: chose("fade"), fade_s: chose("fade_s") }; }

/** How what plays gives way to `item`. */
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

/** Send something: what it takes is loaded now. */
async function go(kind, chosen) {
  player.unlock(); // the click that started this is the gesture that sound needs
  await end();
  $("toast").hidden = true;
  try {
    const [{ Input }, sources, { Strip }] = await Promise.all(["input", "sources", "strip"].map((name) => import(`./${name}.js`)));
    strip ??= new Strip($("strip"));
    source ??= new Input({
      status,
      shown: (shown) => { mode("live"); strip.start($("picture")); set($("remote-name"), shown.label); },
      attend: (path) => { began ||= performance.now(); session.attend(path); show(); },
      ended: (reason) => { end(); if (reason) complain(reason); },
    });
    await source.begin((video) => sources[kind](video, chosen), $("picture"));
  } catch {
    complain("The server cannot be reached. Is it still running?");
  }
}

function volume(level) {
  player.volume = level;
  $("volume").value = String(level);
  $("volume").style.setProperty("--part", String(level));
  press($("mute"), level === 0);
}

let loud = 0.8;
function mute() {
  const { value } = $("volume");
  if (Number(value) > 0) loud = Number(value);
  volume(Number(value) > 0 ? 0 : loud);
}

function turn(on) {
  player.unlock();
  auto.began = on && !speaker.elsewhere;
  if (session.open) session.turn(on);
}

function theme() { choose("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark"); }

/** Open a dialog, filled the first time. */
async function opens(name) {
  dialogs[name] ??= fetched(name === "keys" ? import("./help.js") : import("./settings.js")).then((part) => {
    if (name === "keys") part.help($(name));
    else new part.Settings($(name));
  });
  await dialogs[name].catch(() => { dialogs[name] = null; });
  if (dialogs[name] && !$(name).open) $(name).showModal();
}

async function showKits() {
  const { Kits } = await fetched(import("./kits.js"));
  kits ??= new Kits($("tool-kits"), send, () => session.asked, complain);
  kits.show(session.role.may);
  await kits.load();
}

async function showFilters() {
  const { Filters } = await fetched(import("./filters.js"));
  filters ??= new Filters($("tool-filters"), send);
  filters.show(session.asked?.filters, session.role.may);
}

/** A part of the page that is loaded when it is wanted. */
async function fetched(part) {
  return part.catch((error) => { complain("The server cannot be reached. Is it still running?"); throw error; });
}

$("use-camera").addEventListener("click", () => go("camera"));
$("use-screen").addEventListener("click", () => go("screen"));
$("use-file").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
  const [chosen] = target.files;
  target.value = "";
  if (chosen) go("file", chosen);
});
$("stop").addEventListener("click", () => { end(); $("use-camera").focus({ focusVisible: false }); });
$("toggle").addEventListener("click", () => speaker.toggle());
$("take").addEventListener("click", () => speaker.take());
$("skip").addEventListener("click", next);
$("seek").addEventListener("change", ({ target }) => speaker.seek(Number(target.value)));
$("volume").addEventListener("input", ({ target }) => volume(Number(target.value)));
$("mute").addEventListener("click", mute);
$("auto").addEventListener("change", ({ target }) => turn(target.checked));
$("clear-filters").addEventListener("click", () => send({ type: "reset", what: ["filters"] }));
$("theme").addEventListener("click", theme);
$("open-settings").addEventListener("click", () => opens("settings"));
$("open-keys").addEventListener("click", () => opens("keys"));
$("credit").addEventListener("click", async () => {
  const copied = await copy(credit);
  set($("credit"), copied ? "Copied" : "Not copied");
  if (!copied) complain(`The browser copies nothing here. The credit is: ${credit}`);
  setTimeout(() => set($("credit"), "Credit"), 1500);
});
const whip = new URL(`/whip?key=${encodeURIComponent(given || "studio")}`, location.href).href;
$("whip-address").textContent = given ? whip.replace(/=.*/, "=…") : whip; // the page shows no key that it was given
$("copy").addEventListener("click", async () => {
  if (await copy(whip)) set($("copy"), "Copied");
  else getSelection().selectAllChildren($("whip-address")); // no clipboard here: at least it is selected
  setTimeout(() => set($("copy"), "Copy"), 1500);
});
$("toast-close").addEventListener("click", () => { $("toast").hidden = true; });

for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (dock || ![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    $("stage").classList.add("dropping");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("stage").classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("dropping");
  const [chosen] = event.dataTransfer?.files ?? [];
  if (chosen && !dock) go("file", chosen);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("toast").hidden) $("toast").hidden = true;
});
addEventListener("pagehide", () => { source?.whip?.stop(); });
addEventListener("segue-look", () => mode($("stage").dataset.mode));

const liked = () => (speaker.now ? session.items.find((item) => item.track === speaker.now.track) ?? { track: speaker.now.track } : proposal.item);
const may = (act) => (...given) => (session.role.may ? act(...given) : undefined);
const shift = (by_s) => may(() => { const { now } = speaker; if (now) speaker.seek(Math.max(0, now.position_s + by_s)); });
const louder = (by) => () => volume(Math.max(0, Math.min(1, Number($("volume").value) + by)));
const proposed = (act) => may(() => { if (proposal.item) act(proposal.item); });
hotkeys({
  " ": may(() => { if (speaker.now) speaker.toggle(); else start(proposal.item); }),
  Enter: () => start(proposal.item), g: () => start(proposal.item),
  rank: (place) => start(list.items[place - 1]),
  hear: (place) => { const item = list.items[place - 1]; if (item) audition.toggle(item); },
  h: () => { if (proposal.item) audition.toggle(proposal.item); },
  n: next,
  l: may(() => { const item = liked(); if (item) send({ type: item.liked ? "unlike" : "like", track: item.track }); }),
  p: proposed((item) => send({ type: "pin", track: session.asked?.pinned ? null : item.track })),
  x: proposed((item) => skip(item.track)),
  a: may(() => { $("auto").checked = !$("auto").checked; turn($("auto").checked); }),
  d: may(() => { if (!$("duck").hidden) obs.next(); }),
  m: mute, "+": louder(0.05), "-": louder(-0.05), "[": shift(-5), "]": shift(5),
  u: may(() => { if (session.asked?.undo) send({ type: "undo" }); }),
  t: theme,
  f: async () => { tabs.open("filters"); await showFilters(); $("filter-min_bpm").focus(); },
  "?": () => opens("keys"),
});

const asked = new URLSearchParams(location.search).get("session");
giveFocusBack();
volume(Number($("volume").value));
$("use-screen").hidden = window.isSecureContext && !navigator.mediaDevices?.getDisplayMedia; // telephones have none
show();
if (asked) watch({ id: asked, label: "A live stream", events: `/sessions/${encodeURIComponent(asked)}/events`, age_s: 0 });
else if (given) attendKey();
document.body.dataset.ready = "";
history.load();
liveNow();
setInterval(liveNow, LIST_MS);
