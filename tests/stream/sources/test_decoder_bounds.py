"""Pictures over the bound are refused before memory is taken for them, and by name. The bounds are lowered here."""

import asyncio
import io
import struct
import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av
import av1
import cv2
import numpy as np
import pytest
from av.error import FFmpegError
from hypothesis import given
from hypothesis import strategies as st

from stream.close_codes import Close
from stream.errors import StreamError
from stream.sources.decoder_bounds import bound, check_refused, size_of
from stream.sources.feed import MAX_SIDE, FeedError
from stream.sources.pull.pull import Pull
from stream.sources.sandbox.addresses import networks
from stream.sources.sandbox.guarded import guarded
from stream.sources.websocket.pictures import PictureDecoder, pack_picture, parse_picture
from stream.sources.websocket.webm import BytePipe, WebmFeed

SMALL, LARGE = (64, 48), (640, 480)
SIDE = 200  # between them
ENCODERS: dict[str, dict[str, str]] = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "av1": {},
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
}
codecs = pytest.mark.parametrize("encoder", ENCODERS)


def packets(encoder: str, size: tuple[int, int], count: int, begin: int) -> tuple[list[Any], bytes | None]:
    """Encoded pictures at 15 a second from picture ``begin`` on, and the decoder's extra data."""
    if encoder == "av1":
        shades = [5 * index % 256 for index in range(begin, begin + count)]
        ready = av1.Encoded([np.full((size[1], size[0], 3), shade, np.uint8) for shade in shades], 15)
        for index, packet in enumerate(ready.packets, start=begin):
            packet.time_base = Fraction(1, 15)
            packet.pts = packet.dts = index
        return ready.packets, ready.extradata
    context: Any = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base, context.framerate, context.options = Fraction(1, 15), Fraction(15), ENCODERS[encoder]
    context.open()
    made = []
    for index in range(begin, begin + count):
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 5 * index % 256, np.uint8), "rgb24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 15)
        made += context.encode(frame)
    return made + context.encode(None), context.extradata


def growing(encoder: str, before: int = 20) -> bytes:
    """A Matroska file whose header, and whose first pictures, are of another size than those that follow."""
    out = io.BytesIO()
    container: Any = av.open(out, "w", format="matroska")
    first, extra = packets(encoder, SMALL, before, 0)
    if encoder == "av1":
        stream = container.add_stream_from_template(first[0].stream, opaque=True)
    else:
        stream = container.add_stream(encoder, rate=15, options=ENCODERS[encoder])
        stream.width, stream.height, stream.pix_fmt = *SMALL, "yuv420p"
    if extra:
        stream.codec_context.extradata = extra
    for packet in [*first, *packets(encoder, LARGE, 20, before)[0]]:
        packet.stream, packet.time_base = stream, Fraction(1, 15)
        container.mux(packet)
    container.close()
    return out.getvalue()


def shape(frame: av.VideoFrame) -> tuple[int, int]:
    return frame.width, frame.height


async def put(feed: WebmFeed, message: bytes) -> None:
    """Put it, and wait while the thread is behind."""
    while True:
        try:
            return feed.put(message)
        except FeedError:
            await asyncio.sleep(0.005)


def fed(data: bytes, **options: Any) -> tuple[list[tuple[int, int]], list[FeedError]]:
    """The sizes of the pictures that a feed makes of a stream, and how it ends."""
    sizes: list[tuple[int, int]] = []
    errors: list[FeedError] = []

    async def scene() -> None:
        feed = WebmFeed(
            lambda one: sizes.append((one.frame.width, one.frame.height)), lambda _: None, errors.append, **options
        )
        step = 500  # many wait, so none is held back
        for begin in range(0, len(data), step):
            await put(feed, data[begin : begin + step])
        await feed.finish(60)
        await feed.close()

    asyncio.run(scene())
    return sizes, errors


@codecs
def test_a_picture_that_grows_in_the_middle_of_a_webm_is_refused_by_its_size(encoder: str) -> None:
    data = growing(encoder)
    sizes, errors = fed(data, max_side=SIDE)
    assert set(sizes) <= {SMALL} and len(errors) == 1
    assert errors[0].code == Close.TOO_LARGE and "640x480: sides of at most 200" in str(errors[0])
    sizes, errors = fed(data)
    assert errors == [] and sizes[-1] == LARGE  # a change of size within the bound is none of our business


@codecs
def test_the_decoder_itself_refuses_before_it_has_a_frame(encoder: str) -> None:
    """Whatever we look at before and after: no frame of that size ever comes to be."""
    with av.open(io.BytesIO(growing(encoder)), format="matroska") as container:
        video = container.streams.video[0]
        bound(video.codec_context, SIDE**2)
        refused = 0
        for packet in container.demux(video):
            try:
                assert all(shape(frame) == SMALL for frame in packet.decode())
            except FFmpegError:
                refused += 1
        assert refused >= 1


@codecs
def test_the_size_is_read_from_what_was_refused(encoder: str) -> None:
    made, extra = packets(encoder, LARGE, 3, 0)
    name = {"libvpx": "vp8", "libvpx-vp9": "vp9", "av1": "libdav1d", "libx264": "h264"}[encoder]
    context: Any = av.CodecContext.create(name, "r")
    context.extradata = extra
    assert size_of(context, bytes(made[0])) == LARGE
    with pytest.raises(FeedError, match="640x480"):
        check_refused(context, bytes(made[0]), SIDE**2)
    check_refused(context, bytes(made[0]))  # then there were other reasons


@pytest.mark.parametrize(("codec", "extension"), [(1, ".jpg"), (2, ".webp")])
def test_an_image_over_the_bound_in_pixels_is_told_its_size(codec: int, extension: str) -> None:
    done, data = cv2.imencode(extension, np.zeros((MAX_SIDE + 8, MAX_SIDE + 8, 3), np.uint8))
    assert done
    decoder = PictureDecoder()
    for _ in range(2):
        with pytest.raises(FeedError, match="4104x4104: sides of at most 4096") as told:
            decoder.decode(parse_picture(pack_picture(codec, 0, data.tobytes())))
        assert told.value.code == Close.TOO_LARGE


@pytest.mark.parametrize("quality", [80, 101])
@pytest.mark.parametrize("alpha", [3, 4])
def test_sizes_of_webp_are_read_in_all_its_forms(quality: int, alpha: int) -> None:
    """Lossy, lossless and extended."""
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, alpha), np.uint8)
    done, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
    context: Any = av.CodecContext.create("webp", "r")
    assert done and size_of(context, data.tobytes()) == SMALL


@given(
    st.sampled_from(["mjpeg", "webp", "vp9", "vp8", "h264", "av1", "libdav1d", "hevc", "flv", "wmv3"]),
    st.binary(max_size=60),
)
def test_of_any_bytes_a_size_is_read_or_none(codec: str, data: bytes) -> None:
    context: Any = av.CodecContext.create(codec, "r")
    for start in (b"", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X", b"\xa2\x49\x83\x42"):
        size = size_of(context, start + data)
        assert size is None or min(size) > 0


class Page(BaseHTTPRequestHandler):
    data: bytes

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[Any]:
    """``pages(data)``: the URL of a server that answers everything with it."""
    servers: list[ThreadingHTTPServer] = []

    def serve(data: bytes) -> str:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Page,), {"data": data})))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/v.mkv"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@codecs
def test_a_url_s_picture_over_the_bound_is_refused_by_its_size(pages: Any, encoder: str) -> None:
    url, here = pages(growing(encoder)), networks(["127.0.0.1/32"])
    sizes = []
    with (
        Pull(url, 1, guarded(here, SIDE**2)) as pull,
        pytest.raises(StreamError, match="640x480: sides of at most 200"),
    ):
        sizes += [shape(frame) for frame in pull.frames()]
    assert set(sizes) <= {SMALL}
    with Pull(url, 1, guarded(here)) as pull:
        assert LARGE in {shape(frame) for frame in pull.frames()}


# ---- what a container may make its reader keep ----------------------------------------------------------------------


def element(identifier: str, size: int, body: bytes = b"") -> bytes:
    """The beginning of an element of EBML that says it has ``size`` bytes."""
    return bytes.fromhex(identifier) + (1 << 56 | size).to_bytes(8, "big") + body


@pytest.mark.parametrize("kind", ["a block", "a file", "tags"])
def test_an_element_that_never_ends_is_refused_at_the_bound(kind: str) -> None:
    data = growing("libvpx", 5)
    cluster = data.index(bytes.fromhex("1f43b675"))
    declared = 200 * 1024**2
    if kind == "a block":
        head = (
            data + element("1f43b675", declared + 100, b"\xe7\x81\x00") + element("a3", declared, b"\x81\x00\x00\x80")
        )
    elif kind == "a file":
        head = data[:cluster] + element("1941a469", declared + 100) + element("61a7", declared + 50)
        head += element("465c", declared)
    else:
        head = data[:cluster] + element("1254c367", declared)
    tag = element("45a3", 1, b"A") + element("4487", 1000, bytes(1000))
    filling = element("7373", len(tag) + 10, element("67c8", len(tag), tag)) if kind == "tags" else bytes(1000)
    errors: list[FeedError] = []
    sent = 0

    async def scene() -> None:
        nonlocal sent
        feed = WebmFeed(lambda _: None, lambda _: None, errors.append, backlog_bytes=200_000)
        feed.put(head)
        while not errors and sent < 2_000_000:
            await put(feed, filling * 20)
            sent += len(filling * 20)
            await asyncio.sleep(0.01)
        await feed.close()

    asyncio.run(scene())
    assert sent < 1_000_000 and len(errors) == 1, sent
    assert errors[0].code == Close.TOO_LARGE and "more than 200000 bytes without a packet" in str(errors[0])


def test_a_reader_may_keep_as_much_as_may_wait_between_two_packets() -> None:
    pipe = BytePipe(100)
    for _ in range(10):
        assert pipe.write(bytes(60)) and len(pipe.read(60)) == 60
        pipe.confirm()
    for _ in range(2):
        assert pipe.write(bytes(60)) and len(pipe.read(60)) == 60
    with pytest.raises(FeedError, match="more than 100 bytes"):
        pipe.read(60)
    assert pipe.read(60) == b""


def test_a_long_stream_is_no_large_element() -> None:
    made = growing("libvpx", 400)
    assert len(made) > 10_000
    _, errors = fed(made, backlog_bytes=5000)
    assert errors == []


def test_headers_of_a_picture_are_not_believed_beyond_their_end() -> None:
    context: Any = av.CodecContext.create("mjpeg", "r")
    good = b"\xff\xd8\xff\xe0" + struct.pack(">H", 4) + b"xx" + b"\xff\xff\xc0" + struct.pack(">HBHH", 11, 8, 48, 64)
    assert size_of(context, good) == SMALL and size_of(context, good[:-1]) is None
