// How loud it is what this page plays: the level of the moment and its newest peak, below the volume.

const FLOOR_DB = -60;
const HOLD_MS = 1200;

export class Meter {
  constructor(element, player) {
    Object.assign(this, { bar: element.querySelector("i"), mark: element.querySelector("b"), player, peak: 0, peak_ms: 0, shown: -1 });
    this.samples = new Float32Array(1024);
    const step = () => { if (!document.hidden && (player.playing || this.shown > 0)) this.#draw(); };
    setInterval(step, 80);
  }

  #draw() {
    const { analyser, playing } = this.player;
    if (!analyser) return;
    analyser.getFloatTimeDomainData(this.samples);
    let [sum, top] = [0, 0];
    for (const sample of this.samples) { sum += sample * sample; top = Math.max(top, Math.abs(sample)); }
    const part = (level) => Math.max(0, Math.min(1, 1 - (20 * Math.log10(Math.max(level, 1e-6))) / FLOOR_DB));
    const now = performance.now();
    if (top >= this.peak || now - this.peak_ms > HOLD_MS) [this.peak, this.peak_ms] = [top, now];
    this.shown = playing ? part(Math.sqrt(sum / this.samples.length)) : 0;
    this.bar.style.transform = `scaleX(${this.shown.toFixed(3)})`;
    this.mark.style.transform = `translateX(${((playing ? part(this.peak) : 0) * 100).toFixed(1)}%)`;
    this.mark.dataset.over = String(playing && this.peak > 0.985);
  }
}
