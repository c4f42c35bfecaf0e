// A WHIP publisher (RFC 9725): one offer with all candidates in it, one answer, DELETE to stop.

import { authorised, UNREACHED } from "./ask.js";
import { sleep, when } from "./make.js";

const GATHER_MS = 1500;
const GOODBYE_MS = 500;
const MAX_HEIGHT = 360; // the server looks at 160x90; more would only cost decoding
const MAX_FPS = 15;
const MAX_BITRATE = 900_000;

/** `final`: no second try mends it. */
export class WhipError extends Error {
  constructor(text, final = true) {
    super(text);
    this.final = final;
  }
}

export const WORDS = {
  token: ["This server asks for a token: open the page with #publish=TOKEN behind its address."],
  busy: ["The server is busy with other streams. Try again in a moment.", false],
  gone: [UNREACHED, false],
  empty: ["There is no picture in this source."],
};

/** Publish the first video track; with the same `key` a session goes on. Resolves to {events, stop}; `onState` hears
 * "connected", "lost", "failed". */
export async function publish(stream, label, key, onState) {
  const peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  let resource = null;
  let stopped = false;

  const stop = async () => {
    if (stopped) return;
    stopped = true;
    // First the request: once the peer has said goodbye, the session and its address are gone.
    const asked = resource ? fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {}) : null;
    await Promise.race([asked, sleep(GOODBYE_MS)]);
    peer.close();
  };

  when(peer, "connectionstatechange", () => {
    const word = { connected: "connected", disconnected: "lost", failed: "failed" }[peer.connectionState];
    if (word && !stopped) onState(word);
  });

  try {
    const track = stream.getVideoTracks()[0];
    if (!track) throw new WhipError(...WORDS.empty);
    const sender = peer.addTransceiver(track, { direction: "sendonly", streams: [stream] }).sender;
    await limit(sender, track);
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const answer = await post(peer.localDescription.sdp, label, key);
    resource = answer.resource;
    if (stopped) { // stopped while the offer was under way
      await fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
      throw new WhipError("Stopped.");
    }
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    return { events: answer.events, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function limit(sender, track) {
  const { height = 720 } = track.getSettings();
  const parameters = sender.getParameters();
  if (!parameters.encodings?.length) parameters.encodings = [{}];
  Object.assign(parameters.encodings[0], {
    maxBitrate: MAX_BITRATE,
    maxFramerate: MAX_FPS,
    scaleResolutionDownBy: Math.max(1, height / MAX_HEIGHT),
  });
  await sender.setParameters(parameters).catch(() => {}); // a wish; the stream works without
}

function gathered(peer) {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); peer.removeEventListener("icegatheringstatechange", look); resolve(); };
    const look = () => { if (peer.iceGatheringState === "complete") done(); };
    const timer = setTimeout(done, GATHER_MS);
    when(peer, "icegatheringstatechange", look);
    look();
  });
}

async function post(sdp, label, key) {
  const response = await fetch(`/whip?${new URLSearchParams({ label, key })}`, {
    method: "POST", headers: authorised("publish", { "Content-Type": "application/sdp" }), body: sdp,
  }).catch(() => { throw new WhipError(...WORDS.gone); });
  const text = await response.text();
  if (response.status === 401) throw new WhipError(...WORDS.token);
  if (response.status === 503) throw new WhipError(...WORDS.busy);
  if (!response.ok) throw new WhipError(`The server did not take the stream: ${text}`);
  return { sdp: text, resource: response.headers.get("Location"), events: response.headers.get("Segue-Events") };
}
