"""Streams that are well sent and strange: sizes that change, codecs that change, too few and too many pictures, clocks
that jump."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import urljoin

import av
import numpy as np
from aiortc import RTCRtpTransceiver
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.load import Packets, read_packets, sending
from stream.sources.websocket.pictures import pack_picture

from . import mutate
from .material import JPEG, picture
from .outcome import Outcome
from .scripted_publisher import ScriptedTrack, Step, Viewer, published, schedule, scripted
from .target import Scene, Target
from .waiting import together, until

IDLE_S: Final = 5
WORDS: Final = ("--idle-s", str(IDLE_S), "--grace", "10", "--max-late-ms", "0", "--max-sessions", "16")
SIZES: Final = ((320, 180), (640, 360), (180, 320), (64, 64), (1280, 720), (320, 180))
SIZE_S: Final = 2.5
RATE_S: Final = 12.0
HOUR_S: Final = 3600.0
# seconds that the clock is moved by; each way a jump of this kind is to be answered, from the sampler's bounds
JUMPS_S: Final = (3.0, -0.5, -5.0, 30.0, 3 * HOUR_S, -2 * HOUR_S, -0.9, 9.0, -60.0)
RTP_JUMPS_S: Final = (3.0, -5.0, 30.0, HOUR_S)
BETWEEN_S: Final = 2.0
WILD_S: Final = 10
GONE_S: Final = 30.0  # within which their session ends
WILD_FPS: Final = 200


async def media(scene: Scene, out: Outcome) -> None:
    """The streams in groups, side by side, since what is looked at is the server."""
    with scene.server(WORDS) as server:
        sizes = [Step(SIZE_S, width=width, height=height) for width, height in SIZES]
        resized = stream(server, out, "sizes", ScriptedTrack(*sizes), SIZE_S * len(SIZES))
        await asyncio.gather(resized, clocks(server, out), sound_only(server, out))
        # one picture a second is enough for suggestions, 120 are no load: at most eight of them are looked at
        few = stream(server, out, "1 a second", ScriptedTrack(Step(RATE_S, 1)), RATE_S)
        many = stream(server, out, "120 a second", ScriptedTrack(Step(RATE_S, 120, 160, 90)), RATE_S)
        await asyncio.gather(few, many, codecs(server, out))
        # 32 bits of time, which the receiver unfolds: any step back looks like 13 hours forward
        jumps = ScriptedTrack(*jumping(RTP_JUMPS_S, 15), begin_s=100)
        jumped = stream(server, out, "clock of WebRTC", jumps, BETWEEN_S * (1 + len(RTP_JUMPS_S)), 0.3, RTP_JUMPS_S)
        await asyncio.gather(jumped, codec_within(server, out))
        await wild(server, scene.stream, out)
        server.expect_unspoilt_log(len(out.rows), out)


async def stream(
    server: Target,
    out: Outcome,
    what: str,
    track: ScriptedTrack,
    seconds: float,
    least: float = 0.6,
    jumps_s: Sequence[float] = (),
) -> None:
    """A stream of so many seconds, which goes on whatever it holds, with a reset for each jump that calls for one."""
    async with published(server.url, sending(track)) as viewer:
        await asyncio.sleep(seconds + 2)
    expect_suggestions(out, what, viewer, seconds, least)
    expect_resets(out, what, viewer, jumps_s)
    out.expect(not viewer.kinds["error"], f"{what}: {viewer.reasons('error')}")


async def codecs(server: Target, out: Outcome) -> None:
    """VP8 after H.264, by the same key: one session."""
    async with published(server.url, scripted(Step(20)), "switch") as first:
        await asyncio.sleep(6)
        async with published(server.url, sending(ScriptedTrack(Step(20)), codec="VP8"), "switch") as second:
            await asyncio.sleep(6)
    expect_suggestions(out, "codec, H264", first, 12.0)
    expect_suggestions(out, "codec, then VP8", second, 6.0)
    out.expect(first.session == second.session != "", "another codec by the same key was another session")


async def codec_within(server: Target, out: Outcome) -> None:
    """The other codec that was agreed on, in the middle of one connection."""
    connection = sending(ScriptedTrack(Step(20)), codec="")
    async with published(server.url, connection) as viewer:
        await asyncio.sleep(5)
        (transceiver,) = connection.getTransceivers()
        switched = switch_codec(transceiver)
        await asyncio.sleep(1)
        names = " to ".join(switched)
        before = viewer.kinds["suggestions"]
        await asyncio.sleep(5)
    expect_suggestions(out, f"codec, {names} in one connection", viewer, 11.0)
    n = viewer.kinds["suggestions"] - before
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
            for name in ("mimeType", "payloadType", "parameters"):
                setattr(codec, name, getattr(agreed[0], name))
            sender._RTCRtpSender__encoder = None
        return await encoded(codec)

    sender._next_encoded_frame = switching
    return names


async def sound_only(server: Target, out: Outcome) -> None:
    """No video at all is refused; video that never comes ends the session in the time for that."""
    async with published(server.url, sending(AudioStreamTrack())) as viewer:
        out.count("media", viewer.status, 1, "status", what="sound alone")
        out.expect(viewer.status == 422, f"sound alone was answered {viewer.status} {viewer.reason}")
    async with published(server.url, sending(AudioStreamTrack(), ScriptedTrack())) as viewer:
        await asyncio.sleep(IDLE_S + 4)
    reasons = viewer.reasons("warning")
    out.count("media", len(reasons), 1, "warnings", what="video that never comes")
    silent = viewer.kinds["end"] == 1 and any("no video" in reason for reason in reasons)
    out.expect(silent, f"video that never comes: {reasons} {dict(viewer.kinds)}")


async def clocks(server: Target, out: Outcome) -> None:
    """Times of single pictures that jump; those beyond the sampler's bounds are told as a reset, the others are not."""
    async with connect(f"{server.ws}/ingest", close_timeout=1) as socket:
        await socket.send(json.dumps(mutate.HELLOS[0]))
        viewer = Viewer(urljoin(server.url, json.loads(await socket.recv())["events"]))
        async with together(viewer.watch()):
            begun_s = time.monotonic()
            try:
                for number, (sent_s, pts_s, _) in enumerate(schedule(*jumping(JUMPS_S, 8), begin_s=4 * HOUR_S)):
                    await asyncio.sleep(max(0.0, begun_s + sent_s - time.monotonic()))
                    await socket.send(pack_picture(JPEG, round(1e6 * pts_s), picture(number)))
            except ConnectionClosed as closed:
                out.expect(False, f"a clock that jumps closed the connection: {closed}")
            await asyncio.sleep(1)
    expect_suggestions(out, "clock of pictures", viewer, BETWEEN_S * len(JUMPS_S), 0.3)
    expect_resets(out, "clock of pictures", viewer, JUMPS_S)


def jumping(jumps_s: Sequence[float], fps: float) -> list[Step]:
    """A while without a jump, then one after each."""
    return [Step(BETWEEN_S, fps, jump_s=jump_s) for jump_s in (0.0, *jumps_s)]


def resets(jumps_s: Sequence[float]) -> int:
    """Of which jumps a stream cannot go on: back by more than 1 s, or forward by more than 10 s."""
    return sum(jump_s < -1 or jump_s > 10 for jump_s in jumps_s)


class Wild(Packets):
    """Packets whose times go half of RTP's 32 bits forward and back, each time: 6.6 hours."""

    async def recv(self) -> av.Packet:  # type: ignore[type-arg]
        packet = await super().recv()
        packet.pts = packet.dts = (self.sent - 1) % 2 * (2**31 - 1)
        return packet


def expect_resets(out: Outcome, what: str, viewer: Viewer, jumps_s: Sequence[float]) -> None:
    expected = resets(jumps_s)
    out.count("resets", viewer.kinds["reset"], expected, at_least=expected, at_most=expected, what=what)


async def wild(server: Target, stream: Path, out: Outcome) -> None:
    """Timestamps without any sense. aiortc's reports of jitter end over them, and with them its way to close."""
    packets, _ = await asyncio.to_thread(read_packets, stream)
    with mock.patch("aiortc.rtcrtpsender.random32", return_value=0):  # where a sender's times begin
        async with published(server.url, sending(Wild(packets, WILD_FPS))) as viewer:
            await asyncio.sleep(WILD_S)
    out.count("resets", viewer.kinds["reset"], WILD_S * WILD_FPS, at_least=1, what="times without sense")
    begun_s = time.monotonic()
    await until(lambda: not server.sessions(), GONE_S + 1)
    out.count("gone_after_s", time.monotonic() - begun_s, 1, "s", at_most=GONE_S, what="times without sense")


def expect_suggestions(out: Outcome, what: str, viewer: Viewer, seconds: float, least: float = 0.6) -> None:
    """The suggestions of one stream: at least ``least`` a second, after two seconds to connect."""
    n, late_ms = viewer.kinds["suggestions"], viewer.late_ms()
    out.count("suggestions_a_second", n / seconds, n, "1/s", what=what)
    if late_ms:
        out.count("freshness_p95_ms", float(np.percentile(late_ms, 95)), len(late_ms), "ms", what=what)
    out.expect(
        n >= least * (seconds - 2), f"{what}: {n} suggestions in {seconds:g} s ({viewer.status} {viewer.reason})"
    )
