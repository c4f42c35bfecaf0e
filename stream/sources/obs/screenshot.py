"""OBS's answer to ``GetSourceScreenshot`` -> a frame.

PPM, since it needs no decoder and keeps the colours: of 320x180, eight a second, BMP costs as much here and in OBS, PNG
twice as much in both, and JPEG saves a third in Segue but halves the chroma. 320x180 rather than the 160x90 that is
measured, since OBS scales by picking pixels (bilinear) and the pipeline averages.
"""

import binascii
import re
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from stream.errors import SourceError

WIDTH, HEIGHT = 320, 180
FORMAT: Final = "ppm"
TIME_BASE: Final = Fraction(1, 1_000_000)
HEADER: Final = re.compile(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s")
PIXELS: Final = WIDTH * HEIGHT


def request_for(scene: str) -> dict[str, Any]:
    """The data of a request for a picture of a scene; its shape is squeezed into ours, as every other input's is."""
    return {"sourceName": scene, "imageFormat": FORMAT, "imageWidth": WIDTH, "imageHeight": HEIGHT}


def read_screenshot(answer: object, pts_us: int) -> av.VideoFrame:
    """The frame in an answer's ``imageData``, with this time. Raises SourceError for anything else."""
    if not isinstance(answer, str):
        raise SourceError("OBS's screenshot has no picture in it; is its obs-websocket of version 5?")
    try:
        data = binascii.a2b_base64(answer[answer.find(",") + 1 :])
    except (binascii.Error, ValueError) as error:
        raise SourceError("OBS's screenshot is no base64; is its obs-websocket of version 5?") from error
    header = HEADER.match(data)
    width, height = (int(header[1]), int(header[2])) if header is not None else (0, 0)
    if header is None or not 0 < width * height <= PIXELS or len(data) - header.end() != 3 * width * height:
        raise SourceError(f"OBS's screenshot is no PPM of at most {WIDTH}x{HEIGHT}; is its obs-websocket of version 5?")
    picture = np.frombuffer(data, np.uint8, offset=header.end()).reshape(height, width, 3)
    frame = av.VideoFrame.from_ndarray(picture, "rgb24")
    frame.pts, frame.time_base = pts_us, TIME_BASE
    return frame
