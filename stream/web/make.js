// Small helpers to find, build and fill elements.

export const $ = (id) => document.getElementById(id);

/** An element with a class, and texts or elements in it; texts are never markup. */
export function make(tag, kind = "", ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

/** A button that does something. `label`: what it is called where its text does not say it. */
export function button(kind, text, label, act) {
  const made = Object.assign(make("button", kind, text), { type: "button", title: label });
  if (label) made.ariaLabel = label;
  made.addEventListener("click", act);
  return made;
}

/** An <input> with these properties. */
export function input(facts) { return Object.assign(make("input"), facts); }

/** The heading by which a dialog is called. */
export function heading(dialog, text) {
  const made = make("h2", "", text);
  made.id = `${dialog.id}-name`;
  return made;
}

/** Change a text only if it is another one: nothing is painted or read out again for nothing. */
export function set(element, text) { if (element.textContent !== text) element.textContent = text; }

export function sleep(ms) { return new Promise((resolve) => { setTimeout(resolve, Math.max(0, ms)); }); }

export function press(element, pressed) {
  const word = String(Boolean(pressed));
  if (element.ariaPressed !== word) element.ariaPressed = word;
}

/** Give an element other children only where `facts` are others than before. Returns whether it did. */
export function refill(element, facts, children) {
  const key = JSON.stringify(facts);
  if (element.dataset.key === key) return false;
  element.dataset.key = key;
  element.replaceChildren(...children());
  return true;
}
