// Which camera, where there are several: a webcam and OBS's virtual camera, say. Names are known once one was allowed.

import { button, heading, make } from "./make.js";

const KEPT = "segue camera";

/** The chosen camera's id; null if none was. `current`: the one that the browser gave; it is proposed. */
export async function chosen(current) {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  if (all.length < 2) return current;
  return ask(all, all.some(({ deviceId }) => deviceId === remembered()) ? remembered() : current);
}

function ask(all, proposed) {
  const dialog = Object.assign(make("dialog"), { id: "cameras" });
  dialog.setAttribute("aria-labelledby", "cameras-name");
  const cameras = all.map(({ deviceId, label }, place) => {
    const camera = button("", label || `Camera ${place + 1}`, "", () => dialog.close(deviceId));
    return Object.assign(camera, { dir: "auto", autofocus: deviceId === proposed });
  });
  dialog.append(heading(dialog, "Which camera?"), ...cameras, button("quiet", "Cancel", "", () => dialog.close()));
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue) remember(dialog.returnValue);
      resolve(dialog.returnValue || null);
    });
    dialog.showModal();
  });
}

function remembered() {
  try { return localStorage.getItem(KEPT); } catch { return null; } // storage may be forbidden
}

function remember(id) {
  try { localStorage.setItem(KEPT, id); } catch { /* then it is asked anew */ }
}
