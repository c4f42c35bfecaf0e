// The overlay: what is on air, asked of the server once a second, for ever. It shows nothing while nothing is heard.

const ASK_MS = 1000;
const ANSWER_MS = 4000;
const FADE_MS = 350;
const MISSES = 4; // answers that may fail to come before the card goes: a server that is started anew needs a moment
const PARTS = ["title", "artist", "attribution", "licence", "progress"];
const SAMPLE = {
  playing: true, track: "sample", title: "The title of a track", artist: "Its artist", licence: "CC-BY-4.0", since: "",
  attribution: "“The title of a track” by Its artist, CC BY 4.0", position_s: 61, duration_s: 181,
};

const given = new URLSearchParams(location.search);
const hidden = new URLSearchParams(location.hash.slice(1)); // a token there is seen by no log
const one = (name, words) => (words.includes(given.get(name)) ? given.get(name) : words[0]);
const number = (name, least, most, otherwise) => {
  const value = Number.parseFloat(given.get(name) ?? "");
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : otherwise;
};

const show = (given.get("show") ?? "title,artist,attribution").split(",").map((part) => part.trim());
const hideAfter_ms = 1000 * number("hide_after", 0, 86_400, 0);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const at = (id) => document.getElementById(id);
const card = at("card");

let shown = ""; // which airing the card tells of
let until_ms = Infinity; // when it has told long enough
let misses = 0;
let clock = null; // {position_s, duration_s, at_ms} of the newest answer
let turn = 0;

function dress() {
  const { documentElement: root } = document;
  root.dataset.theme = one("theme", ["dark", "light", "plain"]);
  root.dataset.position = one("position", ["bottom-left", "bottom-right", "top-left", "top-right", "bottom", "top"]);
  root.style.setProperty("--size", `${number("size", 10, 200, 32)}px`);
  for (const part of PARTS) at(part).hidden = !show.includes(part);
}

async function ask() {
  if (given.has("preview")) return SAMPLE;
  const query = new URLSearchParams();
  const key = given.get("key") ?? hidden.get("key");
  const token = hidden.get("token") ?? given.get("token");
  if (key) query.set("key", key);
  if (token) query.set("token", token);
  const answer = await fetch(`/now?${query}`, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

const see = (seen) => { card.dataset.seen = seen ? "yes" : "no"; };

function fill(now) {
  for (const part of ["title", "artist", "attribution", "licence"]) at(part).textContent = now[part] || "";
  if (!now.title && !now.artist) at("title").textContent = now.track;
}

async function change(now) {
  const mine = ++turn;
  if (card.dataset.seen === "yes") {
    see(false);
    if (!calm.matches) await new Promise((resolve) => { setTimeout(resolve, FADE_MS); });
    if (mine !== turn) return;
  }
  fill(now);
  until_ms = hideAfter_ms ? performance.now() + hideAfter_ms : Infinity;
  see(true);
}

function tell(now) {
  clock = now.playing && now.duration_s ? { ...now, at_ms: performance.now() } : null;
  at("progress").hidden = !show.includes("progress") || clock?.position_s == null;
  const airing = now.playing ? `${now.track} ${now.since}` : "";
  if (airing === shown) return;
  shown = airing;
  if (airing) change(now);
  else { turn += 1; see(false); }
}

function tick() {
  if (performance.now() > until_ms) see(false);
  if (clock?.position_s == null) return;
  const place_s = clock.position_s + (performance.now() - clock.at_ms) / 1000;
  at("bar").style.transform = `scaleX(${Math.min(1, place_s / clock.duration_s).toFixed(4)})`;
}

async function attend() {
  try {
    tell(await ask());
    misses = 0;
  } catch (error) {
    misses += 1;
    if (misses === 1) console.info(`Segue's overlay waits: ${error.message}`);
    if (misses === MISSES) tell({ playing: false });
  }
  setTimeout(attend, ASK_MS);
}

dress();
attend();
setInterval(tick, 250);
