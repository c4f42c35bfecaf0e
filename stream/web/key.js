// Names: the stream's key, and by what the server knows this page again.

import { given as asked } from "./ask.js";

const KEPT = "segue-key";

/** The key that the page was opened with, ?key=studio or #key=studio. */
export const given = asked("key", location.search) || asked("key");

/** This page's own word, as long as it is open. */
export const page = random();

/** The key to publish with: the one that was given, else one that this tab keeps. */
export async function streamKey() {
  if (given) return given;
  let key = null;
  try { key = sessionStorage.getItem(KEPT); } catch { /* none is kept here */ }
  if (!key || !(await alone(key))) {
    key = random();
    await alone(key);
    try { sessionStorage.setItem(KEPT, key); } catch { /* then it is another one after a reload */ }
  }
  return key;
}

let mine = "";

/** Whether no other tab has that key: a duplicate of a tab does. */
function alone(key) {
  if (!navigator.locks || mine === key) return true;
  return new Promise((resolve) => {
    navigator.locks.request(`segue-${key}`, { ifAvailable: true }, (lock) => {
      resolve(Boolean(lock));
      if (!lock) return;
      mine = key;
      return new Promise(() => {}); // as long as the page is open
    }).catch(() => resolve(true));
  });
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
