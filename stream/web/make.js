// Small helpers to find, build and fill elements.

export const $ = (id) => document.getElementById(id);

/** Act when that happens to an element, or to the one of that id. */
export function when(target, kind, act) { (target.addEventListener ? target : $(target)).addEventListener(kind, act); }

/** An element with a class, or with properties, and texts or elements in it; texts are never markup. */
export function make(tag, kind = "", ...children) {
  const element = document.createElement(tag);
  if (kind) Object.assign(element, kind.trim ? { className: kind } : kind);
  element.append(...children);
  return element;
}

/** `label`: what it is called where its text does not say it. */
export function button(kind, text, label, act) {
  const made = make("button", { className: kind, type: "button", title: label }, text);
  if (label) made.ariaLabel = label;
  when(made, "click", act);
  return made;
}

export const input = (facts) => make("input", facts);

/** Fill a dialog, with a button that closes it. */
export function furnish(dialog, name, children, close = "Close") {
  dialog.ariaLabel = name;
  dialog.append(make("h2", "", name), ...children, button("quiet", close, "", () => dialog.close()));
}

/** A sign as in the large button, of another path. */
export function sign(path) {
  const svg = $("go").firstElementChild.cloneNode(true);
  svg.firstElementChild.setAttribute("d", path);
  return svg;
}

/** A canvas anew, for as many pixels as the screen has: {pen, colour(name), fill(name, x, y, width, height)}. */
export function blank(canvas) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * scale);
  canvas.height = Math.round(canvas.clientHeight * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  const fill = (name, ...box) => { pen.fillStyle = colour(name); pen.fillRect(...box); };
  return { pen, colour, fill };
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
