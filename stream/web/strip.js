// Movement in the shown video over the last minute, with the cuts that the server saw.

import { blank, make } from "./make.js";

const SPAN_S = 60;
const RATE = 8;
const WIDTH = 32;
const HEIGHT = 18;

export class Strip {
  constructor(canvas) {
    this.canvas = canvas;
    const small = make("canvas", { width: WIDTH, height: HEIGHT });
    this.reader = small.getContext("2d", { willReadFrequently: true });
    this.clear();
  }

  start(video) {
    this.clear();
    this.timer = setInterval(() => this.#look(video), 1000 / RATE);
  }

  stop() { clearInterval(this.timer); this.timer = 0; }

  clear() {
    this.stop();
    this.past = null;
    this.points = []; // [time in s, movement in 0..1]
    this.cuts = [];
    this.#draw();
  }

  /** Of a stream that is not shown here nothing is kept. */
  cut(strength) { if (this.timer) this.cuts.push([now(), strength]); }

  #look(video) {
    const time = now();
    if (video.readyState >= 2 && video.videoWidth) {
      this.reader.drawImage(video, 0, 0, WIDTH, HEIGHT);
      const { data } = this.reader.getImageData(0, 0, WIDTH, HEIGHT);
      let sum = 0;
      if (this.past) for (let i = 1; i < data.length; i += 4) sum += Math.abs(data[i] - this.past[i]);
      if (this.past) this.points.push([time, Math.min(1, Math.sqrt(sum / (WIDTH * HEIGHT) / 60))]);
      this.past = data;
    }
    while (this.points.length && this.points[0][0] < time - SPAN_S) this.points.shift();
    while (this.cuts.length && this.cuts[0][0] < time - SPAN_S) this.cuts.shift();
    if (!document.hidden) this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const { pen, colour, fill } = blank(this.canvas);
    const time = now();
    const across = (at) => width * (1 - (time - at) / SPAN_S);
    fill("--edge", 0, height - 1, width, 1);
    if (this.points.length > 1) {
      pen.beginPath();
      pen.moveTo(across(this.points[0][0]), height);
      for (const [at, value] of this.points) pen.lineTo(across(at), height - 1 - value * (height - 6));
      pen.lineTo(across(this.points.at(-1)[0]), height);
      pen.fillStyle = colour("--mint-wash");
      pen.fill();
      pen.beginPath();
      this.points.forEach(([at, value], index) => pen[index ? "lineTo" : "moveTo"](across(at), height - 1 - value * (height - 6)));
      pen.strokeStyle = colour("--mint");
      pen.lineWidth = 1.5;
      pen.stroke();
    }
    for (const [at, strength] of this.cuts) {
      pen.globalAlpha = 0.45 + 0.55 * Math.min(1, strength);
      fill("--amber", across(at) - 1, 2, 2, height - 3);
    }
  }
}

function now() { return performance.now() / 1000; }
