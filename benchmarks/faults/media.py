"""Streams that are well sent and strange: sizes that change, codecs that change, too few and too many pictures, clocks
that jump."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from unittest import mock

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.load import read_packets
from stream.sources.websocket.pictures import pack_picture

from . import mutate
from .material import JPEG, picture
from .outcome import Outcome
from .scene import Scene
from .shots import CLOCK, Heard, Shot, ShotTrack, hear, published, silence, steady
from .target import Target, unspoilt_log, without_sessions

IDLE_S: Final = 5
WORDS: Final = ("--idle-s", str(IDLE_S), "--grace", "10", "--max-late-ms", "0", "--max-sessions", "16")
SIZES: Final = ((320, 180), (640, 360), (180, 320), (64, 64), (1280, 720), (320, 180))
SIZE_S: Final = 2.5
FPS: Final = 15
RATE_S: Final = 12.0
HOUR_S: Final = 3600.0
# seconds that the clock is moved by; each way a jump of this kind is to be answered, from the sampler's bounds
JUMPS_S: Final = (3.0, -0.5, -5.0, 30.0, 3 * HOUR_S, -2 * HOUR_S, -0.9, 9.0, -60.0)
BETWEEN_S: Final = 2.0
WILD_S: Final = 10
WILD_FPS: Final = 200


async def media(scene: Scene, out: Outcome) -> None:
    """The streams in two groups, side by side, since what is looked at is the server."""
    with scene.server(WORDS) as server:
        await asyncio.gather(sizes(server, out), clocks(server, out), sound_only(server, out))
        await asyncio.gather(rates(server, 1, out), rates(server, 120, out), codecs(server, out))
        await asyncio.gather(rtp_clocks(server, out), codec_within(server, out))
        await wild(server, scene.stream, out)
        unspoilt_log(server, len(out.rows), out)


def resized() -> Iterator[Shot]:
    for number, (width, height) in enumerate(SIZES):
        for shot in steady(FPS, SIZE_S, width, height):
            yield Shot(number * SIZE_S + shot.sent_s, number * SIZE_S + shot.pts_s, width, height)


async def sizes(server: Target, out: Outcome) -> None:
    """The size changes every few seconds; suggestions go on as if it did not."""
    lasting_s = SIZE_S * len(SIZES)
    async with published(server.url, [ShotTrack(resized())]) as heard:
        await asyncio.sleep(lasting_s + 1)
    told(out, "sizes", heard, lasting_s)
    out.expect(not heard.kinds["reset"] and not heard.kinds["error"], f"sizes that change gave {dict(heard.kinds)}")


async def codecs(server: Target, out: Outcome) -> None:
    """VP8 after H.264, by the same key: one session."""
    async with published(server.url, [ShotTrack(steady(FPS, 20))], "H264", "switch") as first:
        await asyncio.sleep(6)
        async with published(server.url, [ShotTrack(steady(FPS, 20))], "VP8", "switch") as second:
            await asyncio.sleep(6)
    told(out, "codec, H264", first, 12.0)
    told(out, "codec, then VP8", second, 6.0)
    out.expect(first.session == second.session != "", "another codec by the same key was another session")


async def codec_within(server: Target, out: Outcome) -> None:
    """The other codec that was agreed on, in the middle of one connection."""
    async with published(server.url, [ShotTrack(steady(FPS, 20))], "") as heard:
        await asyncio.sleep(5)
        assert heard.connection is not None
        (transceiver,) = heard.connection.getTransceivers()
        switched = switch_codec(transceiver)
        await asyncio.sleep(1)
        names = " to ".join(switched)
        before = heard.kinds["suggestions"]
        await asyncio.sleep(5)
    told(out, f"codec, {names} in one connection", heard, 11.0)
    n = heard.kinds["suggestions"] - before
    out.expect(n >= 3 and len(switched) == 2, f"{names} in one connection: {n} suggestions in 5 s afterwards")


def switch_codec(transceiver: RTCRtpTransceiver) -> list[str]:
    """Let a sender go on with the other codec of those agreed on, from its next frame; both names are in the list from
    then on. aiortc has no way for this: its sender asks for each frame with the codec that it has, which is changed
    here."""
    sender: Any = transceiver.sender
    encoded = sender._next_encoded_frame
    names: list[str] = []

    async def switching(codec: RTCRtpCodecParameters) -> Any:
        if not names:
            agreed = [c for c in transceiver._codecs if c.name in ("H264", "VP8") and c.name != codec.name]
            names.extend((codec.name, agreed[0].name))
            codec.mimeType, codec.payloadType, codec.parameters = (
                agreed[0].mimeType,
                agreed[0].payloadType,
                agreed[0].parameters,
            )
            sender._RTCRtpSender__encoder = None
        return await encoded(codec)

    sender._next_encoded_frame = switching
    return names


async def sound_only(server: Target, out: Outcome) -> None:
    """No video at all is refused; video that never comes ends the session in the time for that."""
    async with published(server.url, [silence()]) as heard:
        out.count("media", heard.status, 1, "status", what="sound alone")
        out.expect(heard.status == 422, f"sound alone was answered {heard.status} {heard.reason}")
    async with published(server.url, [silence(), ShotTrack(())]) as heard:
        await asyncio.sleep(IDLE_S + 4)
    reasons = heard.reasons("warning")
    out.count("media", len(reasons), 1, "warnings", what="video that never comes")
    silent = heard.kinds["end"] == 1 and any("no video" in reason for reason in reasons)
    out.expect(silent, f"video that never comes: {reasons} {dict(heard.kinds)}")


async def rates(server: Target, fps: int, out: Outcome) -> None:
    """One picture a second is enough for suggestions, 120 are no load: at most eight of them are looked at."""
    small = (160, 90) if fps > 30 else (320, 180)
    async with published(server.url, [ShotTrack(steady(fps, RATE_S, *small))]) as heard:
        await asyncio.sleep(RATE_S + 1)
    told(out, f"{fps} a second", heard, RATE_S)


async def clocks(server: Target, out: Outcome) -> None:
    """Times of single pictures that jump; those beyond the sampler's bounds are told as a reset, the others are not."""
    heard = Heard()
    async with connect(f"ws{server.url.removeprefix('http')}/ingest", close_timeout=1) as socket:
        await socket.send(json.dumps(mutate.HELLOS[0]))
        events = json.loads(await socket.recv())["events"]
        viewer = asyncio.create_task(hear(server.url, events, heard))
        at_us = int(4 * HOUR_S * 1e6)
        try:
            for jump_s in (0.0, *JUMPS_S):
                at_us += int(1e6 * jump_s)
                for number in range(int(8 * BETWEEN_S)):
                    await socket.send(pack_picture(JPEG, at_us, picture(number)))
                    at_us += 125_000
                    await asyncio.sleep(0.125)
        except ConnectionClosed as closed:
            out.expect(False, f"a clock that jumps closed the connection: {closed}")
    await asyncio.sleep(1)
    viewer.cancel()
    await asyncio.gather(viewer, return_exceptions=True)
    expected = resets(JUMPS_S)
    told(out, "clock of pictures", heard, BETWEEN_S * len(JUMPS_S), 0.3)
    out.count("resets", heard.kinds["reset"], expected, "", what="clock of pictures")
    out.expect(heard.kinds["reset"] == expected, f"{expected} jumps gave {heard.reasons('reset')}")


def resets(jumps_s: Sequence[float]) -> int:
    """Of which jumps a stream cannot go on: back by more than 1 s, or forward by more than 10 s."""
    return sum(jump_s < -1 or jump_s > 10 for jump_s in jumps_s)


async def rtp_clocks(server: Target, out: Outcome) -> None:
    """The same by WebRTC, whose 32 bits of time the receiver unfolds: any step back looks like 13 hours forward."""

    def jumping() -> Iterator[Shot]:
        at_s = 100.0
        for number, jump_s in enumerate((0.0, 3.0, -5.0, 30.0, HOUR_S)):
            at_s += jump_s
            for shot in steady(FPS, BETWEEN_S):
                yield Shot(number * BETWEEN_S + shot.sent_s, at_s + shot.pts_s)
            at_s += BETWEEN_S

    async with published(server.url, [ShotTrack(jumping())]) as heard:
        await asyncio.sleep(5 * BETWEEN_S + 2)
    told(out, "clock of WebRTC", heard, 5 * BETWEEN_S, 0.3)
    out.count("resets", heard.kinds["reset"], 3, "", what="clock of WebRTC")
    out.expect(not heard.kinds["error"], f"a clock that jumps: {heard.reasons('error')}")


class Wild(MediaStreamTrack):
    """Packets whose times go half of RTP's 32 bits forward and back, each time: 6.6 hours."""

    kind = "video"

    def __init__(self, packets: Sequence[bytes]) -> None:
        super().__init__()
        self._packets, self._sent = packets, 0

    async def recv(self) -> av.Packet:  # type: ignore[type-arg]
        await asyncio.sleep(1 / WILD_FPS)
        packet = av.Packet(self._packets[self._sent % len(self._packets)])
        packet.pts = packet.dts = (self._sent % 2) * (2**31 - 1)
        packet.time_base = Fraction(1, CLOCK)
        self._sent += 1
        return packet


async def wild(server: Target, stream: Path, out: Outcome) -> None:
    """Timestamps without any sense. aiortc's reports of jitter end over them, and with them its way to close."""
    packets, _ = await asyncio.to_thread(read_packets, stream)
    with mock.patch("aiortc.rtcrtpsender.random32", return_value=0):  # where a sender's times begin
        async with published(server.url, [Wild(packets)]) as heard:
            await asyncio.sleep(WILD_S)
    out.count("resets", heard.kinds["reset"], WILD_S * WILD_FPS, "", what="times without sense")
    out.expect(heard.kinds["reset"] > 0, f"times without sense were not told of: {heard.status} {dict(heard.kinds)}")
    begun_s = time.monotonic()
    gone = await without_sessions(server, 30.0)
    out.count("gone_after_s", time.monotonic() - begun_s, 1, "s", what="times without sense")
    out.expect(gone, "the session of times without sense never ends")


def told(out: Outcome, what: str, heard: Heard, seconds: float, least: float = 0.6) -> None:
    """The suggestions of one stream: at least ``least`` a second, after two seconds to connect."""
    n = heard.kinds["suggestions"]
    out.count("suggestions_a_second", n / seconds, n, "1/s", what=what)
    if heard.late_ms:
        out.count("freshness_p95_ms", float(np.percentile(heard.late_ms, 95)), len(heard.late_ms), "ms", what=what)
    out.expect(n >= least * (seconds - 2), f"{what}: {n} suggestions in {seconds:g} s ({heard.status} {heard.reason})")
