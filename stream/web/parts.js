// What few need at once is loaded when it is wanted: the tools behind the tabs, and the dialogs.

import { $ } from "./make.js";

export class Parts {
  constructor(session, say) { Object.assign(this, { session, say, loaded: {} }); }

  /** A tool that is open is filled the first time, and shown anew. */
  async tool(name) {
    if (name !== "filters" && name !== "kits") return;
    const { session } = this;
    const send = (command) => session.send(command);
    const part = await this.#get(name, ({ Filters, Kits }) => (Filters ? new Filters($("tool-filters"), send) : new Kits($("tool-kits"), send, () => session.asked, this.say)));
    this.show();
    await part?.load?.();
  }

  /** Open a dialog, filled the first time. */
  async dialog(name) {
    const dialog = $(name);
    if (await this.#get(name, ({ fill }) => fill(dialog) ?? dialog) && !dialog.open) dialog.showModal();
  }

  /** What is asked, where a part shows it. */
  show() {
    const { asked, role } = this.session;
    this.loaded.filters?.show(asked?.filters, role.may);
    this.loaded.kits?.show(role.may);
  }

  /** The part of that name; null, and said, where it cannot be fetched. */
  async #get(name, made) {
    try {
      const part = await import(`./${name}.js`);
      return this.loaded[name] ??= made(part);
    } catch {
      this.say("The server cannot be reached. Is it still running?");
      return null;
    }
  }
}
