// What a screen reader is told: changes only, and at most one every few seconds; of several the newest.

const APART_MS = 5000;

export class Announcer {
  constructor(element) {
    Object.assign(this, { element, text: "", told_ms: -APART_MS, timer: 0 });
  }

  say(text) {
    if (text === this.text) return;
    this.text = text;
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.told_ms = performance.now();
      if (this.element.textContent !== this.text) this.element.textContent = this.text;
    }, Math.max(0, this.told_ms + APART_MS - performance.now()));
  }
}
