// The dialog of what is this page's own.

import { Audition } from "./audition.js";
import { choose, chose, dock } from "./look.js";
import { button, furnish, input, make, when } from "./make.js";

const CHOICES = {
  theme: ["Colours", { "": "As the system", light: "Light", dark: "Dark" }],
  size: ["Size", { "": "Normal", large: "Large", compact: "Compact" }],
  fade: ["From track to track", { off: "Cut", gentle: "Fade", beat: "On the beat, where both are known" }],
};
const NO_OUTPUT = { "": "None: softly, off air only" };

export function fill(dialog) {
  const form = make("div", "form", ...Object.entries(CHOICES).map(([name, [label, options]]) => row(label, select(name, options))));
  form.append(row("Seconds of a fade", seconds()), headphones());
  if (!dock) form.append(flag("keys", "Single keys (Space, 1 to 9, …)"), flag("strip", "Movement of the picture"));
  furnish(dialog, "Settings", [make("p", "hint", "These are this page's own; all else is the session's, the same on every page."), form]);
}

function row(label, control) { return make("label", "row-of", make("span", "", label), control); }

function select(name, options) {
  const made = make("select", { id: `set-${name}` }, ...choices(options));
  const show = () => { made.value = chose(name); };
  show();
  addEventListener("segue-look", show);
  when(made, "change", () => choose(name, made.value));
  return made;
}

function choices(options) { return Object.entries(options).map(([value, text]) => new Option(text, value)); }

function seconds() {
  const made = input({ type: "number", min: "0.3", max: "10", step: "0.1", value: String(chose("fade_s")), id: "set-fade-s" });
  when(made, "change", () => {
    const value = Math.min(10, Math.max(0.3, Number(made.value) || 2.5));
    made.value = String(value);
    choose("fade_s", value);
  });
  return made;
}

function flag(name, text) {
  const made = input({ type: "checkbox", checked: chose(name), id: `set-${name}` });
  when(made, "change", () => choose(name, made.checked));
  return make("label", "flag", made, make("span", "", text));
}

function headphones() {
  const kept = chose("headphones");
  const list = select("headphones", { ...NO_OUTPUT, ...(kept && { [kept]: "The output that was chosen" }) });
  const said = make("p", { className: "hint", role: "status" });
  const ask = button("quiet", "Name outputs…", "", async () => {
    try {
      const found = await outputs();
      list.replaceChildren(...choices(NO_OUTPUT), ...found.map(({ id, name }) => new Option(name, id)));
      list.value = found.some(({ id }) => id === chose("headphones")) ? chose("headphones") : "";
      said.textContent = "";
    } catch (error) {
      said.textContent = error.message;
    }
  });
  if (!Audition.possible) {
    list.disabled = ask.disabled = true;
    said.textContent = "This browser plays to one output only.";
  }
  return make("div", "headphones", row("Headphones", list), ask, said);
}

/** The outputs that the browser names; throws in words. */
async function outputs() {
  const { mediaDevices } = navigator;
  if (!mediaDevices) throw new Error(window.isSecureContext ? "This browser names no outputs." : "Outputs are named on https or localhost only.");
  if (mediaDevices.selectAudioOutput) { // its own list
    const { deviceId, label } = await mediaDevices.selectAudioOutput().catch(() => { throw new Error("No output was chosen."); });
    choose("headphones", deviceId);
    return [{ id: deviceId, name: label || "The chosen output" }];
  }
  const named = async () => (await mediaDevices.enumerateDevices()).filter(({ kind, deviceId }) => kind === "audiooutput" && deviceId);
  let found = await named();
  if (!found.some(({ label }) => label)) {
    const stream = await mediaDevices.getUserMedia({ audio: true }).catch(() => null); // browsers name outputs only then
    for (const track of stream?.getTracks() ?? []) track.stop(); // nothing is recorded
    found = await named();
  }
  if (!found.length) throw new Error("The browser names no outputs: allow the microphone once (nothing is recorded), and connect headphones.");
  return found.map(({ deviceId, label }, place) => ({ id: deviceId, name: label || `Output ${place + 1}` }));
}
