// Small helps to build and fill elements.

/** An element with a class and a text; texts are never markup. */
export function make(tag, kind = "", text = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  return element;
}

/** A button that does something. */
export function button(kind, text, label, act) {
  const made = make("button", kind, text);
  made.type = "button";
  if (label) { made.setAttribute("aria-label", label); made.title = label; }
  made.addEventListener("click", act);
  return made;
}

/** Change a text only if it is another one: nothing is painted or read out again for nothing. */
export function set(element, text) { if (element.textContent !== text) element.textContent = text; }

export function press(element, pressed) {
  const word = String(Boolean(pressed));
  if (element.getAttribute("aria-pressed") !== word) element.setAttribute("aria-pressed", word);
}

/** Keep only these children, in this order, without touching those that stand right. */
export function arrange(parent, children) {
  children.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}
