// Wiring: a source is published, its session listened to, suggestions shown and played.

import { listen } from "./events.js";
import { Player } from "./player.js";
import { publish } from "./socket.js";
import { camera, file, screen } from "./sources.js";
import { Strip } from "./strip.js";
import { Suggestions } from "./suggestions.js";
import { authorised } from "./token.js";
import { advice, clock, movement, pulse } from "./words.js";

const $ = (id) => document.getElementById(id);
const LIST_MS = 3000;
const LEAVE_S = 3; // before its end, a track makes way in auto mode

const state = { source: null, whip: null, events: null, began: 0, newest: null, skipped: new Set(), turn: 0, starting: null };

const strip = new Strip($("strip"));
const list = new Suggestions($("list"), {
  play: (item) => start(item, false),
  skip: (item) => skip(item),
});
const player = new Player({
  change: onPlayer,
  ended: onEnded,
  error: complain,
});

// ---- showing -------------------------------------------------------------------------------------------------------

function status(kind, text) {
  $("status").dataset.state = kind;
  if ($("status-text").textContent !== text) $("status-text").textContent = text;
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

function showAdvice() {
  const waiting = Boolean(state.events);
  const words = state.newest
    ? advice(state.newest.advice, top(), player.now)
    : {
      word: waiting ? "Looking" : "Suggestions",
      text: waiting ? "The first suggestions come after a second or two of picture." : "They appear here once a picture comes in.",
      from: "",
    };
  const kinds = { Looking: "wait", Suggestions: "none", "Switch to": "switch" };
  $("advice").dataset.advice = kinds[words.word] ?? "stay";
  const said = state.newest ? `${words.word} ${words.text}` : ""; // without the place, which moves from second to second
  for (const [id, text] of [["word", words.word], ["text", words.text], ["from", words.from], ["said", said]]) {
    if ($(`advice-${id}`).textContent !== text) $(`advice-${id}`).textContent = text;
  }
  $("advice-text").title = words.text;
}

function onPlayer(now, playing) {
  $("player").dataset.state = now ? (playing ? "playing" : "paused") : "empty";
  $("toggle").disabled = $("skip").disabled = $("seek").disabled = !now;
  $("toggle").setAttribute("aria-label", playing ? "Pause" : "Play");
  $("now-title").textContent = now?.title || (now ? "Untitled" : "Nothing playing");
  $("now-sub").textContent = now
    ? [now.artist, `started at ${clock(now.start_s)}`, now.licence].filter(Boolean).join(" · ")
    : "Choose a suggestion to hear it from its best place.";
  list.mark(now?.track, playing);
  showPlace();
  showAdvice();
}

/** Where in the track the sound is, and how long the track is. */
function showPlace() {
  const length = player.now ? player.length_s : 0;
  $("at").textContent = clock(player.now ? player.position_s : 0);
  $("length").textContent = clock(length);
  const seek = $("seek");
  seek.max = String(length || 1);
  if (!seek.matches(":active")) seek.value = String(player.now ? player.position_s : 0);
  seek.style.setProperty("--part", String(length ? seek.value / length : 0));
  seek.setAttribute("aria-valuetext", `${$("at").textContent} of ${$("length").textContent}`);
}

setInterval(() => {
  if (state.began) $("clock").textContent = clock((performance.now() - state.began) / 1000);
  showPlace();
  const length = player.now ? player.length_s : 0;
  if (player.playing && $("auto").checked && length && length - player.position_s < LEAVE_S) {
    const next = top(player.now.track);
    if (next && !state.starting) start(next, true);
  }
}, 250);

// ---- playing -------------------------------------------------------------------------------------------------------

/** The best suggestion, skipped ones and `besides` left out. */
function top(besides = null) {
  return state.newest?.items.find((item) => item.track !== besides && !state.skipped.has(item.track)) ?? null;
}

/** A track came to its end: in auto mode another one follows, else it is quiet and the session knows. */
function onEnded(ended) {
  const next = top(ended.track);
  if ($("auto").checked && next) start(next, false);
  else silence();
}

function silence() {
  player.stop();
  state.events?.send({ type: "playing", track: null });
}

async function start(item, slowly) {
  if (state.starting === item.track) return; // its file is still coming
  state.starting = item.track;
  const plays = await player.play({ ...item }, slowly);
  if (state.starting === item.track) state.starting = null;
  if (plays) state.events?.send({ type: "playing", track: item.track });
  else if (!player.now && !state.starting) $("auto").checked = false; // it would try, and say so, each second
}

function skip(item) {
  state.skipped.add(item.track);
  state.events?.send({ type: "skip", track: item.track });
  if (player.now?.track !== item.track) return show();
  const next = top();
  if (next) start(next, false);
  else silence();
  return show();
}

function show() {
  const items = (state.newest?.items ?? []).filter((item) => !state.skipped.has(item.track));
  list.show(items, state.newest?.seen);
  list.mark(player.now?.track, player.playing);
  $("ghosts").hidden = items.length > 0;
  showAdvice();
}

function follow() {
  if (!$("auto").checked || !state.newest) return;
  const first = top();
  if (!first) return;
  if (!player.now) start(first, false);
  else if (state.newest.advice === "switch" && first.track !== player.now.track && player.playing) start(first, true);
}

// ---- the session ---------------------------------------------------------------------------------------------------

const heard = {
  suggestions: (message) => {
    state.newest = message;
    const beat = pulse(message.seen);
    $("facts").textContent = [
      movement(message.seen),
      beat ? `pulse about ${beat} bpm` : "",
      `last ${Math.round(message.window_s)} s`,
      message.late_ms === null ? "" : `${Math.round(message.late_ms)} ms behind`,
    ].filter(Boolean).join(" · ");
    status("live", "Live");
    show();
    follow();
  },
  cut: (message) => strip.cut(message.strength),
  reset: () => { state.newest = null; show(); },
  refused: (message) => complain(`The server did not ${message.command}: ${message.reason}.`),
  warning: (message) => complain(`${message.reason[0].toUpperCase()}${message.reason.slice(1)}.`),
  error: (message) => complain(`The session ended: ${message.reason}.`),
};

function attend(path) {
  state.events = listen(path, {
    open: () => { status("live", state.newest ? "Live" : "Connected"); if (player.now) state.events.send({ type: "playing", track: player.now.track }); },
    message: (message) => heard[message.type]?.(message),
    waiting: () => status("wait", "Reconnecting…"),
    closed: (reason) => { end(); complain(`The stream ended: ${reason.replace(/\.$/, "")}.`); },
  });
}

/** Open a source and publish it. A second choice while one is being opened replaces it. */
async function go(open) {
  player.unlock(); // the click that started this is the gesture that sound needs
  const ending = end();
  const turn = state.turn;
  await ending;
  if (turn !== state.turn) return undefined;
  $("toast").hidden = true;
  try {
    status("wait", "Waiting for the picture…");
    const source = await open($("picture"));
    if (turn !== state.turn) return source.stop();
    state.source = source;
    mode("live");
    strip.start($("picture"));
    for (const track of source.stream.getVideoTracks()) {
      track.addEventListener("ended", () => { if (state.source === source) end(); });
    }
    status("wait", "Connecting…");
    const whip = await publish(source.stream, source.label, (word) => { if (turn === state.turn) onLink(word); });
    if (turn !== state.turn) return whip.stop();
    state.whip = whip;
    state.began = performance.now();
    attend(whip.events);
    show();
  } catch (error) {
    if (turn !== state.turn) return undefined;
    await end();
    complain(error.message);
  }
  return undefined;
}

function onLink(word) {
  if (word === "failed") { end(); complain("The connection to the server was lost."); }
  else if (word === "lost") status("wait", "The connection is shaky…");
  else if (state.newest) status("live", "Live");
}

async function end() {
  state.turn += 1;
  const { source, whip, events } = state;
  Object.assign(state, { source: null, whip: null, events: null, began: 0, newest: null });
  state.skipped.clear();
  events?.close();
  source?.stop();
  strip.clear();
  $("facts").textContent = "";
  $("clock").textContent = "0:00";
  mode("idle");
  status("idle", "Ready");
  show();
  await whip?.stop();
}

function watch(session) {
  end();
  $("remote-name").textContent = session.label;
  mode("remote");
  state.began = performance.now() - session.age_s * 1000;
  player.unlock();
  attend(session.events);
  show();
}

async function liveNow() {
  if (document.hidden || $("stage").dataset.mode !== "idle") return;
  const response = await fetch("/api/sessions", { headers: authorised("view") }).catch(() => null);
  if (!response?.ok) return status("lost", "The server cannot be reached");
  if ($("status").dataset.state === "lost") status("idle", "Ready");
  const sessions = (await response.json()).sessions.filter((session) => session.connected);
  $("live-now").hidden = sessions.length === 0;
  const key = sessions.map((session) => session.id).join();
  if ($("live-list").dataset.key === key) return undefined;
  $("live-list").dataset.key = key;
  $("live-list").replaceChildren(...sessions.map((session) => {
    const entry = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = session.label;
    button.addEventListener("click", () => watch(session));
    entry.append(button);
    return entry;
  }));
  return undefined;
}

// ---- controls ------------------------------------------------------------------------------------------------------

$("use-camera").addEventListener("click", () => go(camera));
$("use-screen").addEventListener("click", () => go(screen));
$("use-file").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
  const [chosen] = target.files;
  target.value = "";
  if (chosen) go((video) => file(video, chosen));
});
$("stop").addEventListener("click", () => { end(); $("use-camera").focus(); });
$("toggle").addEventListener("click", () => player.toggle());
$("skip").addEventListener("click", () => { if (player.now) skip(player.now); });
$("seek").addEventListener("change", ({ target }) => player.seek(Number(target.value)));
$("volume").addEventListener("input", ({ target }) => {
  player.volume = Number(target.value);
  target.style.setProperty("--part", target.value);
});
$("auto").addEventListener("change", () => { player.unlock(); follow(); });
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
addEventListener("pagehide", () => { state.whip?.stop(); });

const asked = new URLSearchParams(location.search).get("session");
if (asked) watch({ id: asked, label: "A live stream", events: `/sessions/${encodeURIComponent(asked)}/events`, age_s: 0 });
$("volume").style.setProperty("--part", $("volume").value);
$("use-screen").hidden = window.isSecureContext && !navigator.mediaDevices?.getDisplayMedia; // telephones have none
show();
liveNow();
setInterval(liveNow, LIST_MS);
