"""Right things to send, which faults are made of."""

import io
from fractions import Fraction
from typing import Any, Final

import av
import cv2
import numpy as np
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from benchmarks.load import sending
from stream.sources.websocket.pictures import pack_picture

JPEG: Final = 1
WEBP: Final = 2
STEP_US: Final = 125_000


async def right_offers() -> list[str]:
    """Offers of video alone, and of video with sound, as SDP."""
    offers = []
    for connection in (
        sending(VideoStreamTrack(), codec=""),
        sending(AudioStreamTrack(), VideoStreamTrack(), codec=""),
    ):
        await connection.setLocalDescription()
        offers.append(str(connection.localDescription.sdp))
        await connection.close()
    return offers


def picture(number: int, extension: str = ".jpg", width: int = 320, height: int = 180) -> bytes:
    """A ramp that moves with ``number``, encoded."""
    ramp = np.add.outer(np.arange(height), np.arange(width)) + 7 * number
    done, data = cv2.imencode(extension, np.repeat((ramp % 256).astype(np.uint8)[..., None], 3, axis=2))
    assert done
    return bytes(data.tobytes())


def pictures(count: int = 12) -> list[bytes]:
    """Messages of the ingest socket, JPEG and WebP in turns, 1/8 s apart."""
    kinds = ((JPEG, ".jpg"), (WEBP, ".webp"))
    return [
        pack_picture(kinds[number % 2][0], number * STEP_US, picture(number, kinds[number % 2][1], 64, 48))
        for number in range(count)
    ]


def webm(frames: int = 20, fps: int = 10) -> bytes:
    """A short WebM (VP8), as a browser's recorder writes it."""
    out = io.BytesIO()
    container: Any = av.open(out, "w", format="webm", options={"live": "1"})
    with container:
        options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        stream = container.add_stream("libvpx", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9 * number % 256, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
