// Wiring: what is sent, the session that follows from it, and what the page shows and plays of it.

import { Auto } from "./auto.js";
import { Input } from "./input.js";
import { given } from "./key.js";
import { Player } from "./player.js";
import { Session } from "./session.js";
import { camera, file, screen } from "./sources.js";
import { Speaker } from "./speaker.js";
import { Strip } from "./strip.js";
import { Suggestions } from "./suggestions.js";
import { learn, titleOf } from "./titles.js";
import { authorised } from "./token.js";
import { Transport } from "./transport.js";
import { Wishes } from "./wishes.js";
import { advice, clock, cue, movement, note, pulse } from "./words.js";

const $ = (id) => document.getElementById(id);
const LIST_MS = 3000;
const NOTE_MS = 6000; // a change of the list is told for so long

let began = 0; // when the stream did, by the page's clock
let waits = false; // for the stream of the key to begin
let noted = 0; // when the list's last change was told

const strip = new Strip($("strip"));
const session = new Session({
  open: () => opened(),
  suggestions: (message) => heardList(message),
  cut: (message) => strip.cut(message.strength),
  reset: () => show(),
  player: () => { auto.heard(); speaker.roleChanged(); },
  do: (message) => speaker.obey(message),
  accepted: (message) => accepted(message),
  refused: (message) => refused(message),
  warning: (message) => complain(`${message.reason[0].toUpperCase()}${message.reason.slice(1)}.`),
  error: (message) => complain(`The session ended: ${message.reason}.`),
  waiting: () => status("wait", "Reconnecting…"),
  absent: (reason, regular) => absent(regular, reason),
  closed: (reason, regular) => closed(reason, regular),
});
const player = new Player({
  change: () => speaker.changed(),
  ended: (now) => auto.ended(now.track),
  error: complain,
});
const speaker = new Speaker(player, session, { change: () => showPlayer() });
const transport = new Transport($, speaker, session);
const auto = new Auto(speaker, session, () => (session.open ? session.auto : $("auto").checked));
const wishes = new Wishes($("wishes"), $("told"), (command) => session.send(command));
const input = new Input({
  status,
  shown: (source) => { mode("live"); strip.start($("picture")); $("remote-name").textContent = source.label; },
  attend: (path) => { began ||= performance.now(); session.attend(path); show(); },
  ended: (reason) => { end(); if (reason) complain(reason); },
});
const list = new Suggestions($("list"), {
  play: (item) => auto.start(item, false),
  skip: (item) => skip(item.track),
  like: (item, whether) => session.send({ type: whether ? "like" : "unlike", track: item.track }),
  pin: (item, whether) => session.send({ type: "pin", track: whether ? item.track : null }),
});

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
  $("stage").dataset.mode = kind;
  $("welcome").hidden = kind !== "idle";
  $("remote").hidden = kind !== "remote";
  $("strip-box").hidden = kind === "idle";
}

function show() {
  const { items, newest, asked, role } = session;
  list.show(items, { seen: newest?.seen, pinned: asked?.pinned ?? null, may: role.may });
  $("ghosts").hidden = items.length > 0;
  wishes.show(asked, role.may);
  showPlayer();
}

/** Who plays what, and what follows for the list. */
function showPlayer() {
  const now = transport.show();
  list.mark(now?.track, now?.playing);
  if (session.open) $("auto").checked = session.auto;
  $("auto").disabled = !session.role.may;
  showCue();
  showAdvice(now);
}

function showCue() {
  const { onAir } = session;
  set($("cue"), cue(onAir, onAir?.next ? titleOf(onAir.next) : ""));
  $("cue").hidden = !$("cue").textContent;
}

function showAdvice(now) {
  const { newest } = session;
  const words = newest
    ? advice(newest.advice, session.top(), now)
    : {
      word: session.open && !waits ? "Looking" : "Suggestions",
      text: session.open && !waits ? "The first suggestions come after a second or two of picture." : "They appear here once a picture comes in.",
      from: "",
    };
  const kinds = { Looking: "wait", Suggestions: "none", "Switch to": "switch" };
  $("advice").dataset.advice = kinds[words.word] ?? "stay";
  const said = newest ? `${words.word} ${words.text}` : ""; // without the place, which moves from second to second
  for (const [id, text] of [["word", words.word], ["text", words.text], ["from", words.from], ["said", said]]) {
    set($(`advice-${id}`), text);
  }
  $("advice-text").title = words.text;
}

function showNote() {
  const text = note(session.newest);
  if (!text && performance.now() - noted < NOTE_MS) return;
  if (text) noted = performance.now();
  set($("list-note"), text);
  $("list-note").dataset.kind = session.newest?.stale ? "stale" : "";
}

setInterval(() => {
  if (began) $("clock").textContent = clock((performance.now() - began) / 1000);
  transport.place();
  auto.watch();
}, 250);

// ---- the session ---------------------------------------------------------------------------------------------------

function opened() {
  status("live", session.newest ? "Live" : "Connected");
  if (given && !input.source) waitsFor(false);
  speaker.opened();
  if (auto.began) session.turn(true);
  show();
}

function heardList(message) {
  learn(message.items);
  const beat = pulse(message.seen);
  $("facts").textContent = [
    movement(message.seen),
    beat ? `pulse about ${beat} bpm` : "",
    `last ${Math.round(message.window_s)} s`,
    message.late_ms === null ? "" : `${Math.round(message.late_ms)} ms behind`,
  ].filter(Boolean).join(" · ");
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
  if (message.command !== "playing") complain(`The server did not ${message.command}: ${message.reason}.`);
}

/** The connection is over for good. */
function closed(reason, regular) {
  if (input.source && !regular) {
    input.again();
    return show();
  }
  end();
  return complain(`The stream ended: ${reason.replace(/\.$/, "")}.`);
}

/** Ask for the stream of the key that the page was opened with, for as long as it takes. */
function attendKey() {
  mode("remote");
  session.attend(`/events?key=${encodeURIComponent(given)}`, true);
  absent(true);
}

function absent(regular, reason = "") {
  status("wait", regular ? "Waiting for the stream" : reason);
  began = 0;
  $("clock").textContent = "0:00";
  waitsFor(true);
  show();
}

function waitsFor(stream) {
  waits = stream;
  if (!waits) began ||= performance.now();
  set($("remote-name"), waits ? "Waiting for the stream of this key" : "The stream of this key");
  set($("remote-text"), waits ? "It appears here as soon as it begins." : "comes in from elsewhere; its picture is not sent back here.");
}

async function go(open) {
  player.unlock(); // the click that started this is the gesture that sound needs
  await end();
  $("toast").hidden = true;
  await input.begin(open, $("picture"));
}

async function end() {
  began = 0;
  waits = false;
  session.leave();
  strip.clear();
  $("facts").textContent = $("list-note").textContent = "";
  $("clock").textContent = "0:00";
  mode("idle");
  status("idle", "Ready");
  wishes.hush();
  show();
  await input.stop();
}

function watch(live) {
  end();
  set($("remote-name"), live.label);
  mode("remote");
  began = performance.now() - live.age_s * 1000;
  player.unlock();
  session.attend(live.events);
  show();
}

async function liveNow() {
  if (document.hidden || $("stage").dataset.mode !== "idle") return;
  const response = await fetch("/api/sessions", { headers: authorised("view") }).catch(() => null);
  if (!response?.ok) return status("lost", "The server cannot be reached");
  if ($("status").dataset.state === "lost") status("idle", "Ready");
  const sessions = (await response.json()).sessions.filter((each) => each.connected);
  $("live-now").hidden = sessions.length === 0;
  const key = sessions.map((each) => each.id).join();
  if ($("live-list").dataset.key === key) return undefined;
  $("live-list").dataset.key = key;
  $("live-list").replaceChildren(...sessions.map((each) => {
    const entry = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = each.label;
    button.addEventListener("click", () => watch(each));
    entry.append(button);
    return entry;
  }));
  return undefined;
}

// ---- controls ------------------------------------------------------------------------------------------------------

function skip(track) { session.send({ type: "skip", track }); }

function set(element, text) { if (element.textContent !== text) element.textContent = text; }

$("use-camera").addEventListener("click", () => go(camera));
$("use-screen").addEventListener("click", () => go(screen));
$("use-file").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
  const [chosen] = target.files;
  target.value = "";
  if (chosen) go((video) => file(video, chosen));
});
$("stop").addEventListener("click", () => { end(); $("use-camera").focus(); });
$("toggle").addEventListener("click", () => speaker.toggle());
$("take").addEventListener("click", () => speaker.take());
$("skip").addEventListener("click", () => { const { now } = speaker; if (now) skip(now.track); });
$("seek").addEventListener("change", ({ target }) => speaker.seek(Number(target.value)));
$("volume").addEventListener("input", ({ target }) => {
  player.volume = Number(target.value);
  target.style.setProperty("--part", target.value);
});
$("auto").addEventListener("change", ({ target }) => {
  player.unlock();
  auto.began = target.checked && !speaker.elsewhere;
  if (session.open) session.turn(target.checked);
});
$("whip-address").textContent = new URL("/whip", location.href).href;
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("whip-address").textContent);
    $("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("whip-address")); // no clipboard here: at least it is selected
  }
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
});
$("toast-close").addEventListener("click", () => { $("toast").hidden = true; });

for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    $("stage").classList.add("dropping");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("stage").classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("dropping");
  const [chosen] = event.dataTransfer?.files ?? [];
  if (chosen) go((video) => file(video, chosen));
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("toast").hidden) $("toast").hidden = true;
});
addEventListener("pagehide", () => { input.whip?.stop(); });

const asked = new URLSearchParams(location.search).get("session");
$("volume").style.setProperty("--part", $("volume").value);
$("use-screen").hidden = window.isSecureContext && !navigator.mediaDevices?.getDisplayMedia; // telephones have none
show();
if (asked) watch({ id: asked, label: "A live stream", events: `/sessions/${encodeURIComponent(asked)}/events`, age_s: 0 });
else if (given) attendKey();
liveNow();
setInterval(liveNow, LIST_MS);
