// What is this page's own and not the session's: looks, fades, headphones, the camera. Kept by the browser.

const KEPT = "segue-look";
const USUAL = { theme: "", size: "", fade: "gentle", fade_s: 2.5, keys: true, strip: true, headphones: "", camera: "", tool: "" };

let chosen = USUAL;
chosen = kept();

/** What is kept now: another tab may have chosen meanwhile. */
function kept() {
  try { return { ...USUAL, ...JSON.parse(localStorage.getItem(KEPT)) }; } catch { return chosen; } // nothing is kept here
}

/** Whether this page is a dock: small, without video, without single-letter keys. */
export const dock = document.documentElement.dataset.view === "dock";

export function chose(name) { return chosen[name]; }

export function choose(name, value) {
  const now = { ...kept(), [name]: value };
  try { localStorage.setItem(KEPT, JSON.stringify(now)); } catch { /* then it is forgotten with the page */ }
  told(now);
}

addEventListener("storage", ({ key }) => {
  if (key === KEPT) told(kept());
});

function told(now) {
  chosen = now;
  dispatchEvent(new Event("segue-look"));
}

/** In a dock a click keeps the focus, and the program's own hotkeys do nothing: give it back. */
export function giveFocusBack() {
  if (!dock) return;
  addEventListener("click", ({ detail, target }) => {
    const writes = target.closest?.("dialog, select, input:not([type=range]):not([type=checkbox])");
    if (detail > 0 && !writes && !document.activeElement?.closest("dialog")) document.activeElement?.blur?.();
  });
  addEventListener("change", ({ target }) => { if (target.matches("[type=range], [type=checkbox], select") && !target.matches(":focus-visible")) target.blur(); });
}
