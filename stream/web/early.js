// Before the first paint: which view this is, and how it looks. A plain script, so that nothing flashes or moves.
// ?theme= and ?size= are for docks, which lose what they keep.
(() => {
  const root = document.documentElement;
  const light = matchMedia("(prefers-color-scheme: light)");
  const address = new URLSearchParams(location.search);
  root.dataset.view = /\/dock$/.test(location.pathname) || address.has("dock") ? "dock" : "page";
  const apply = () => {
    let kept = {};
    try { kept = JSON.parse(localStorage.getItem("segue-look")) ?? {}; } catch { /* nothing is kept here */ }
    const theme = kept.theme || address.get("theme");
    root.dataset.theme = ["light", "dark"].includes(theme) ? theme : light.matches ? "light" : "dark";
    root.dataset.size = kept.size || address.get("size") || "";
  };
  light.addEventListener("change", apply);
  addEventListener("segue-look", apply);
  apply();
})();
