// Where the picture comes from. Each source resolves to {stream, label, stop} and shows itself in the <video> given.

import { choose, chose } from "./look.js";
import { button, furnish, make, when } from "./make.js";

const CAMERA_WORDS = {
  NotAllowedError: "The camera was not allowed. Allow it beside the address bar, then try again.",
  NotFoundError: "No camera was found. Share the screen or choose a video file instead.",
  NotReadableError: "The camera is in use by another program. Close that, then try again.",
  OverconstrainedError: "This camera cannot deliver a usable picture.",
};

export async function camera(video) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(insecure("camera"));
  let stream = await opened({});
  const current = stream.getVideoTracks()[0].getSettings().deviceId;
  const wanted = await chosen(current).catch((error) => { halt(stream); throw error; });
  if (wanted !== current) halt(stream);
  if (wanted === null) throw new Error("No camera was chosen.");
  if (wanted !== current) stream = await opened({ deviceId: { exact: wanted } });
  return show(video, stream, "Camera");
}

/** Of several cameras (a webcam and OBS's virtual one, say) the chosen one's id, or null; `current` is the browser's. Their
 * names are known once one was allowed. */
async function chosen(current) {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  if (all.length < 2) return current;
  const proposed = all.some(({ deviceId }) => deviceId === chose("camera")) ? chose("camera") : current;
  const dialog = make("dialog", { id: "cameras" });
  furnish(dialog, "Which camera?", all.map(({ deviceId, label }, place) => {
    const camera = button("", label || `Camera ${place + 1}`, "", () => dialog.close(deviceId));
    return Object.assign(camera, { dir: "auto", autofocus: deviceId === proposed });
  }), "Cancel");
  document.body.append(dialog);
  return new Promise((resolve) => {
    when(dialog, "close", () => {
      dialog.remove();
      if (dialog.returnValue) choose("camera", dialog.returnValue);
      resolve(dialog.returnValue || null);
    });
    dialog.showModal();
  });
}

async function opened(which) {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24 } }, audio: false,
    });
  } catch ({ name, message }) {
    throw new Error(CAMERA_WORDS[name] ?? `The camera cannot be used (${message}).`);
  }
}

export async function screen(video) {
  if (!navigator.mediaDevices?.getDisplayMedia) throw new Error(insecure("screen"));
  let stream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: false });
  } catch ({ name, message }) {
    throw new Error(name === "NotAllowedError" ? "The screen was not shared. Choose a window to go on." : `The screen cannot be shared (${message}).`);
  }
  return show(video, stream, "Screen");
}

export async function file(video, given) {
  const address = URL.createObjectURL(given);
  Object.assign(video, { srcObject: null, src: address, loop: true, muted: true });
  const forget = () => { video.pause(); video.removeAttribute("src"); video.load(); URL.revokeObjectURL(address); };
  try {
    await video.play();
    if (!video.videoWidth) throw new Error("there is no picture in it");
  } catch (error) {
    forget();
    throw new Error(`This browser cannot play ${given.name}: ${plain(error)}. MP4 (H.264) and WebM work.`);
  }
  const copy = capture(video);
  return { stream: copy.stream, label: given.name, stop: () => { copy.stop(); forget(); } };
}

function show(video, stream, label) {
  video.removeAttribute("src");
  video.loop = false;
  video.srcObject = stream;
  video.play().catch(() => {}); // shown as soon as it can be; sending does not depend on it
  return { stream, label, stop: () => { halt(stream); video.srcObject = null; } };
}

// Chromium copies what the element plays. Elsewhere the copying is missing, or ends when the video loops: draw it.
function capture(video) {
  const copy = video.captureStream?.();
  if (copy?.getVideoTracks().length) return { stream: copy, stop: () => halt(copy) };
  const drawn = small(video, 15);
  const stream = drawn.canvas.captureStream(15);
  return { stream, stop: () => { drawn.stop(); halt(stream); } };
}

/** A small copy of a video, for the server looks at 160x90; `drawn(canvas)` hears of each picture. */
export function small(video, fps, drawn = () => {}) {
  const canvas = make("canvas");
  const pen = canvas.getContext("2d", { alpha: false });
  const draw = () => {
    if (!video.videoWidth) return;
    canvas.height = Math.min(360, video.videoHeight);
    canvas.width = Math.max(2, Math.round((canvas.height * video.videoWidth) / video.videoHeight));
    pen.drawImage(video, 0, 0, canvas.width, canvas.height);
    drawn(canvas);
  };
  draw();
  const timer = setInterval(draw, 1000 / fps);
  return { canvas, stop: () => clearInterval(timer) };
}

function halt(stream) { for (const track of stream.getTracks()) track.stop(); }

function insecure(what) {
  return window.isSecureContext
    ? `This browser cannot use the ${what} here. Choose a video file instead.`
    : `Browsers give the ${what} to secure pages only. Open this page as http://localhost or over HTTPS.`;
}

function plain(error) {
  return error.name === "NotSupportedError" ? "it does not know the format" : error.message;
}
