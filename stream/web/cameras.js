// Which camera, where there are several: a webcam and OBS's virtual camera, say. Names are known once one was allowed.

import { choose, chose } from "./look.js";
import { button, furnish, make, when } from "./make.js";

/** The chosen camera's id; null if none was. `current`: the one that the browser gave; it is proposed. */
export async function chosen(current) {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  if (all.length < 2) return current;
  const proposed = all.some(({ deviceId }) => deviceId === chose("camera")) ? chose("camera") : current;
  const dialog = Object.assign(make("dialog"), { id: "cameras" });
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
