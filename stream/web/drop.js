// A video that is chosen, or dropped on the page.

import { $, when } from "./make.js";

export function takeFiles(take) {
  const still = () => $("stage").classList.remove("dropping");
  when("use-file", "click", () => $("file").click());
  when("file", "change", ({ target }) => {
    const [chosen] = target.files;
    target.value = "";
    if (chosen) take(chosen);
  });
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      $("stage").classList.add("dropping");
    });
  }
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) still(); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    still();
    const [chosen] = event.dataTransfer?.files ?? [];
    if (chosen) take(chosen);
  });
}
