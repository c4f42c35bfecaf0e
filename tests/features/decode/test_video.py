"""Stretches of a file as motion slots: the right pictures, whatever the frame rate, wherever the stretch begins."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from features.decode.video import VideoFile
from features.errors import PictureError


def write(path: Path, fps: int, seconds: int, gop: int = 25, begin_s: int = 0) -> Path:
    """Grey pictures whose level is 10 times the second, plus its eighths."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps, options={"g": str(gop), "crf": "1", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for at in range(fps * seconds):
            frame = av.VideoFrame.from_ndarray(np.full((90, 160, 3), level(at / fps), np.uint8), "rgb24")
            frame.pts, frame.time_base = at + begin_s * fps, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def level(time_s: float) -> int:
    return 20 + int(time_s * 8)


@pytest.mark.parametrize(("fps", "gop"), [(25, 25), (30, 300), (8, 1)])
@pytest.mark.parametrize("start_s", [0.0, 3.0, 5.5])
@pytest.mark.parametrize("begin_s", [0, 7])
def test_each_slot_has_the_first_frame_that_begins_in_it(
    tmp_path: Path, fps: int, gop: int, start_s: float, begin_s: int
) -> None:
    with VideoFile(write(tmp_path / "v.mkv", fps, 10, gop, begin_s)) as video:
        slots = video.slots(start_s, 4.0)
        assert sorted(slots) == list(range(32))
        for slot, picture in slots.items():
            first = np.ceil((start_s + slot / 8) * fps - 1e-6) / fps
            assert abs(float(picture.mean()) - level(first)) < 2.5
        again = video.slots(start_s, 4.0)
        assert all((again[slot] == slots[slot]).all() for slot in slots)


def test_a_slow_video_leaves_slots_empty_and_begins_with_what_is_on_screen(tmp_path: Path) -> None:
    with VideoFile(write(tmp_path / "slow.mkv", 1, 10)) as video:
        slots = video.slots(2.5, 4.0)
    assert sorted(slots) == [0, 4, 12, 20, 28]
    assert abs(float(slots[0].mean()) - level(2)) < 2.5


def test_the_end_of_the_file_ends_the_slots(tmp_path: Path) -> None:
    with VideoFile(write(tmp_path / "short.mp4", 25, 5)) as video:
        assert sorted(video.slots(4.0, 4.0)) == list(range(8))
        assert video.duration_s == pytest.approx(5.0, abs=0.1)
        assert video.slots(60.0, 4.0).keys() <= {0}


def test_damage_inside_is_stepped_over(tmp_path: Path) -> None:
    path = write(tmp_path / "hurt.mkv", 25, 10)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    with VideoFile(path) as video:
        assert len(video.slots(0.0, 9.0)) > 40


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    for name, words in (("text.mp4", "no video"), ("list.mp4", "no video"), ("gone.mp4", "No such file")):
        with pytest.raises(PictureError, match=words), VideoFile(tmp_path / name):
            pass


def test_sound_alone_is_no_video(tmp_path: Path, write_music) -> None:
    with pytest.raises(PictureError, match="no video stream"), VideoFile(write_music(tmp_path / "song.mp3")):
        pass
