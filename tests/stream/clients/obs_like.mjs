// A WHIP publisher that does what OBS does, on the library that OBS uses (libdatachannel): an offer without candidates
// and no trickling after it, Opus and one layer of H.264 from random SSRCs, 201 and a Location expected, RTP with
// sender reports and answers to NACKs, DELETE with 200 expected at the end.
//
//   node obs_like.mjs URL FILE FPS SECONDS [again] [units] [TOKEN]
//
// FILE holds one access unit (Annex B) after another, each behind its length in four bytes, big-endian; it is sent round
// and round. With "again" the first connection falls silent after SECONDS without a goodbye, a second one posts to the
// same URL at once, and only then the first one deletes its resource, as OBS does when it reconnects. With "units" each
// NAL unit is given to the library by itself, as those do who take an encoder's output as it comes: it then marks the
// end of every unit. What happened is printed as one JSON object.

import { randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import nodeDataChannel from "node-datachannel";

const AUDIO = { mid: "0", payloadType: 111, clock: 48000, everyMs: 20 };
const VIDEO = { mid: "1", payloadType: 96, clock: 90000 };
const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]); // 20 ms of Opus
const FRAGMENT = 1200; // bytes of payload in an RTP packet
const KEPT = 4000; // packets for NACKs
const CONNECT_MS = 15000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function readUnits(file) {
  const bytes = readFileSync(file);
  const units = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    units.push(bytes.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return units;
}

function* splitUnit(unit) {
  const START = Buffer.from([0, 0, 1]);
  for (let at = unit.indexOf(START); at >= 0; ) {
    const next = unit.indexOf(START, at + 3);
    const end = next < 0 ? unit.length : unit[next - 1] === 0 ? next - 1 : next;
    yield Buffer.concat([Buffer.from([0]), unit.subarray(at, end)]);
    at = next;
  }
}

class Publisher {
  constructor(url, token, apart) {
    this.url = url;
    this.apart = apart;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.timers = [];
    this.states = [];
    this.sent = 0;
  }

  async connect() {
    const cname = randomBytes(8).toString("hex");
    const msid = randomBytes(8).toString("hex");
    this.peer = new nodeDataChannel.PeerConnection("obs", { iceServers: [] });
    this.peer.onStateChange((state) => this.states.push(state));
    const described = new Promise((resolve) => this.peer.onLocalDescription((sdp) => resolve(sdp)));

    const audioSsrc = randomInt(1, 2 ** 31);
    const audio = new nodeDataChannel.Audio(AUDIO.mid, "SendOnly");
    audio.addOpusCodec(AUDIO.payloadType);
    audio.addSSRC(audioSsrc, cname, msid, `${msid}-audio`);
    this.audio = this.peer.addTrack(audio);
    this.audioRtp = new nodeDataChannel.RtpPacketizationConfig(audioSsrc, cname, AUDIO.payloadType, AUDIO.clock);
    this.keep(this.audio, new nodeDataChannel.RtpPacketizer(this.audioRtp), this.audioRtp);

    const videoSsrc = audioSsrc + 1;
    const video = new nodeDataChannel.Video(VIDEO.mid, "SendOnly");
    video.addH264Codec(VIDEO.payloadType);
    video.addSSRC(videoSsrc, cname, msid, `${msid}-video`);
    this.video = this.peer.addTrack(video);
    this.videoRtp = new nodeDataChannel.RtpPacketizationConfig(videoSsrc, cname, VIDEO.payloadType, VIDEO.clock);
    this.keep(
      this.video,
      new nodeDataChannel.H264RtpPacketizer("StartSequence", this.videoRtp, FRAGMENT),
      this.videoRtp,
    );
    const open = new Promise((resolve) => this.video.onOpen(resolve));

    this.peer.setLocalDescription();
    this.offer = (await described).replace(/^a=(candidate:|end-of-candidates).*\r\n/gm, "");
    const answer = await fetch(this.url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...this.headers },
      body: this.offer,
    });
    this.status = answer.status;
    const text = await answer.text();
    if (answer.status !== 201) throw new Error(`${answer.status} ${text}`);
    this.type = answer.headers.get("content-type");
    this.location = answer.headers.get("location");
    this.events = answer.headers.get("segue-events");
    this.peer.setRemoteDescription(text, "answer");
    await Promise.race([
      open,
      sleep(CONNECT_MS).then(() => {
        throw new Error(`not connected after ${CONNECT_MS} ms: ${this.states}`);
      }),
    ]);
  }

  // Handlers belong to the track, but not their JavaScript halves: they would be collected.
  keep(track, packetizer, rtp) {
    const reports = new nodeDataChannel.RtcpSrReporter(rtp);
    const nacks = new nodeDataChannel.RtcpNackResponder(KEPT);
    packetizer.addToChain(reports);
    packetizer.addToChain(nacks);
    track.setMediaHandler(packetizer);
    (this.kept ??= []).push(packetizer, reports, nacks);
  }

  send(units, fps) {
    const began = performance.now();
    const first = { audio: randomInt(2 ** 31), video: randomInt(2 ** 31) };
    let sounds = 0;
    const due = () => {
      const elapsed = performance.now() - began;
      for (; this.sent * (1000 / fps) <= elapsed; this.sent += 1) {
        this.videoRtp.timestamp = (first.video + Math.round((this.sent * VIDEO.clock) / fps)) >>> 0;
        const unit = units[this.sent % units.length];
        for (const part of this.apart ? splitUnit(unit) : [unit]) this.video.sendMessageBinary(part);
      }
      for (; sounds * AUDIO.everyMs <= elapsed; sounds += 1) {
        this.audioRtp.timestamp = (first.audio + (sounds * AUDIO.clock * AUDIO.everyMs) / 1000) >>> 0;
        this.audio.sendMessageBinary(SILENCE);
      }
    };
    this.timers.push(setInterval(due, 5));
  }

  // Nothing is sent any more, no goodbye either.
  fallSilent() {
    this.timers.splice(0).forEach(clearInterval);
  }

  async stop() {
    this.fallSilent();
    const answer = await fetch(new URL(this.location, this.url), { method: "DELETE", headers: this.headers });
    this.deleted = answer.status;
    this.peer.close();
  }

  told() {
    const { status, type, location, events, offer, deleted, sent, states } = this;
    return { status, type, location, events, offer, deleted, sent, states };
  }
}

const [url, file, fps, seconds, ...words] = process.argv.slice(2);
const again = words.includes("again");
const apart = words.includes("units");
const token = words.find((word) => word !== "again" && word !== "units");
const units = readUnits(file);
const publishers = [];
try {
  for (let turn = 0; turn < (again ? 2 : 1); turn += 1) {
    const publisher = new Publisher(url, token, apart);
    publishers.push(publisher);
    await publisher.connect();
    publisher.send(units, Number(fps));
    if (turn === 1) await publishers[0].stop();
    await sleep(1000 * Number(seconds));
    if (turn === 0 && again) publisher.fallSilent();
  }
  await publishers.at(-1).stop();
  process.stdout.write(`${JSON.stringify(publishers.map((one) => one.told()))}\n`);
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exitCode = 1;
}
nodeDataChannel.cleanup();
process.exit();
