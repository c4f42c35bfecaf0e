// Which camera, where there are several: a webcam and OBS's virtual camera, say. Names are known once one was allowed.

/** The chosen camera's id; null if none was. `current`: the one that the browser gave; it is proposed. */
export async function chosen(current) {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  if (all.length < 2) return current;
  return ask(all, all.some(({ deviceId }) => deviceId === remembered()) ? remembered() : current);
}

function ask(all, proposed) {
  const dialog = document.createElement("dialog");
  dialog.id = "cameras";
  dialog.setAttribute("aria-labelledby", "cameras-name");
  const name = document.createElement("h2");
  name.id = "cameras-name";
  name.textContent = "Which camera?";
  dialog.append(name);
  for (const [place, { deviceId, label }] of all.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.dir = "auto";
    button.textContent = label || `Camera ${place + 1}`;
    button.autofocus = deviceId === proposed;
    button.addEventListener("click", () => dialog.close(deviceId));
    dialog.append(button);
  }
  const none = document.createElement("button");
  none.type = "button";
  none.className = "quiet";
  none.textContent = "Cancel";
  none.addEventListener("click", () => dialog.close());
  dialog.append(none);
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
  try { return localStorage.getItem("segue camera"); } catch { return null; } // storage may be forbidden
}

function remember(id) {
  try { localStorage.setItem("segue camera", id); } catch { /* then it is asked anew */ }
}
