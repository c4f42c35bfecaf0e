// Publishing where WebRTC does not get through: over a websocket, which any network lets pass.

import { make, sleep } from "./make.js";
import { small } from "./sources.js";
import { socketAddress } from "./ask.js";
import { publish as publishByWhip, WhipError, WORDS } from "./whip.js";

const CONNECT_MS = 5000; // what WebRTC may take, from the server's answer to a connection
const READY_MS = 10_000;
const SLICE_MS = 200;
const BITRATE = 900_000;
const MOVES = 3; // from one of a server's processes to another
const FPS = 8; // of single pictures: as many as the server looks at
const QUALITY = 0.7;
const BACKLOG = 512 * 1024; // bytes that wait; a recording cannot leave any out: beyond it the way is too slow
const KINDS = ["video/webm;codecs=vp8", "video/webm;codecs=h264", "video/webm;codecs=vp9", "video/webm"];

/** As in whip.js: by WebRTC, or by the socket if that does not connect. */
export async function publish(stream, label, key, onState) {
  if (window.RTCPeerConnection) {
    let settled = false;
    let decide;
    const connected = new Promise((resolve) => { decide = resolve; });
    const whip = await publishByWhip(stream, label, key, (word) => {
      if (settled) onState(word);
      else if (word !== "lost") decide(word === "connected");
    });
    const works = await Promise.race([connected, sleep(CONNECT_MS)]);
    settled = true;
    if (works) onState("connected");
    if (works) return whip;
    await whip.stop();
  }
  return publishBySocket(stream, label, key, onState);
}

export async function publishBySocket(stream, label, key, onState) {
  const [track] = stream.getVideoTracks();
  if (!track) throw new WhipError(...WORDS.empty);
  const kind = window.MediaRecorder && KINDS.find((type) => MediaRecorder.isTypeSupported(type));
  let socket = null;
  let sending = null;
  let over = false;

  const stop = async () => {
    over = true;
    sending?.();
    socket?.close(1000);
  };
  try {
    const said = { v: 1, type: "hello", kind: kind ? "webm" : "frames", label, key };
    let ready = { type: "moved", ingest: "/ingest" };
    for (let moves = 0; ready.type === "moved" && moves <= MOVES; moves += 1) {
      const there = new URL(ready.ingest, location.href); // another port of this host, at most
      socket = new WebSocket(socketAddress("/ingest", "publish", there.hostname === location.hostname && there.href));
      ready = await hello(socket, said);
    }
    const fail = () => { if (!over) { stop(); onState("failed"); } };
    socket.onclose = fail;
    sending = kind ? record(track, kind, socket, fail) : await draw(track, socket);
    onState("connected");
    return { events: ready.events, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function hello(socket, message) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new WhipError("The server does not answer. Try again in a moment.", false)), READY_MS);
    socket.onopen = () => socket.send(JSON.stringify(message));
    socket.onmessage = ({ data }) => {
      clearTimeout(timer);
      const ready = JSON.parse(data);
      if (["ready", "moved"].includes(ready.type)) {
        socket.onclose = null;
        resolve(ready);
      } else reject(new WhipError("The server speaks another version. Reload the page."));
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(timer);
      const known = { 4401: WORDS.token, 4503: WORDS.busy }[code];
      reject(new WhipError(...(known ?? (reason ? [`The server did not take the stream: ${reason}`] : WORDS.gone))));
    };
  });
}

/** Send the track as WebM, a chunk a fifth of a second. Returns what stops it. */
function record(track, mimeType, socket, fail) {
  const recorder = new MediaRecorder(new MediaStream([track]), { mimeType, videoBitsPerSecond: BITRATE });
  let stopped = false;
  recorder.ondataavailable = ({ data }) => {
    if (stopped || !data.size || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > BACKLOG) fail();
    else socket.send(data);
  };
  recorder.onerror = fail;
  recorder.start(SLICE_MS);
  return () => {
    stopped = true;
    if (recorder.state !== "inactive") recorder.stop();
  };
}

/** Send the track as single JPEG pictures; one that would have to wait is left out. Returns what stops it. */
async function draw(track, socket) {
  const video = make("video", { muted: true, playsInline: true, srcObject: new MediaStream([track]) });
  await video.play();
  const began = performance.now();
  let busy = false;
  const open = () => socket.readyState === WebSocket.OPEN;
  const { stop } = small(video, FPS, (canvas) => {
    if (busy || !open() || socket.bufferedAmount > 0) return;
    busy = true;
    const time = performance.now() - began;
    canvas.toBlob(async (image) => {
      if (image && open()) socket.send(message(time, await image.arrayBuffer()));
      busy = false;
    }, "image/jpeg", QUALITY);
  });
  return () => { stop(); video.srcObject = null; };
}

/** Version, codec (1 = JPEG), reserved, microseconds in network order; then the image. */
function message(timeMs, image) {
  const bytes = new Uint8Array(12 + image.byteLength);
  bytes.set([1, 1]);
  new DataView(bytes.buffer).setBigUint64(4, BigInt(Math.round(timeMs * 1000)));
  bytes.set(new Uint8Array(image), 12);
  return bytes;
}
