"""From a file to lines: the whole path with a real bundle, catalogue and decoder, all of it small."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segue
from catalog.catalog import Catalog
from engines import choose
from engines.bundle import Bundle
from engines.errors import EngineFailed
from engines.onnx_engine import OnnxEngine
from stream.core.events import End, Item, Notice, Reasons, Suggestions, Warned
from stream.core.sampler import Discontinuity, Sampler
from stream.core.session import SessionOptions
from stream.driver.runtime import Runtime
from stream.driver.stopwatch import Stopwatch
from stream.live_table import row
from stream.messages import KINDS
from stream.sinks.base import FunctionSink
from stream.sources.pull.playback_clock import PlaybackClock
from stream.sources.pull.pull import Pull
from stream.watch import watch_fast, watch_paced

Video = Callable[..., Path]
Watch = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def watch(small_catalog: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> Watch:
    """``watch(source, *arguments)`` -> exit code, the lines as objects, standard error."""

    def run(source: object, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        given = ["watch", str(source), "-c", str(small_catalog), "--bundle", str(tiny_bundle), "--json", *arguments]
        code = segue.main(given)
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    return run


def test_an_engine_by_name(tmp_path: Path, write_video: Video, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be had is an error; one that dies on the way is replaced by the CPU, and no list is missing."""
    film = write_video(tmp_path / "v.mp4", frames=36, fps=12)
    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", lambda bundle, options: Dying(bundle, 1_000_000))  # type: ignore
    code, lines, err = watch(film, "--fast", "--engine", "onnx-cuda")
    assert code == 0 and err == "segue watch: engine onnx-cuda: taken, as asked for\n"
    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", lambda bundle, options: Dying(bundle, 12))  # type: ignore[arg-type]
    code, others, _ = watch(film, "--fast", "--engine", "onnx-cuda")
    assert code == 0 and others == lines and lines[-1]["suggestions"] == 3
    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", lambda bundle, options: Dying(bundle, 0))  # type: ignore[arg-type]
    code, lines, err = watch(film, "--fast", "--engine", "onnx-cuda")
    assert code == 2 and lines == [] and err == "segue watch: the GPU was lost\n"
    code, _, err = watch(film, "--engine", "triton")
    assert code == 2 and "--triton URL names one" in err


class Dying(OnnxEngine):
    """The CPU's numbers for so many requests, and then none."""

    def __init__(self, bundle: Bundle, requests: int) -> None:
        super().__init__(bundle)
        self.left = requests

    def run(self, graph: str, inputs: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise EngineFailed("the GPU was lost")
        return super().run(graph, inputs)


def test_lines_for_a_file(tmp_path: Path, write_video: Video, watch: Watch, small_catalog: Path) -> None:
    code, lines, err = watch(write_video(tmp_path / "v.mp4", frames=72, fps=12), "--fast")
    assert code == 0 and err == ""
    lists = [line for line in lines if line["type"] == "suggestions"]
    assert [line["pts_s"] for line in lists] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    with Catalog.open(small_catalog, None) as catalog:
        beats = {track.id: catalog.beats(track.id) for track in catalog.tracks()}
        for line in lists:
            assert line["late_ms"] is None and line["advice"] in ("stay", "switch")
            assert len({item["track"] for item in line["items"]}) == len(line["items"]) == 5
            for item in line["items"]:
                assert 0 <= item["start_s"] < item["duration_s"]
                assert np.abs(beats[item["track"]] - item["start_s"]).min() < 0.001
                assert set(item["reasons"]) == {"content", "rhythm", "mood"}
                assert all(0 <= part <= 1 for part in (item["score"], *item["reasons"].values()))
    expected = {"v": 1, "type": "end", "frames": 72, "sampled": 48, "dropped": 0, "suggestions": 6, "skipped_hops": 0}
    assert lines[-1] == expected
    assert all(line["v"] == 1 and line["type"] in KINDS.values() for line in lines)


def test_the_same_file_gives_the_same_lines(tmp_path: Path, write_video: Video, watch: Watch) -> None:
    path = write_video(tmp_path / "v.mkv", frames=60)
    assert watch(path, "--fast") == watch(path, "--fast", "--threads", "2")


def test_in_its_own_time(tmp_path: Path, write_video: Video, watch: Watch) -> None:
    begun = time.monotonic()
    code, lines, _ = watch(write_video(tmp_path / "v.mp4", frames=30, fps=12))
    assert code == 0 and time.monotonic() - begun > 2.3
    lists = [line for line in lines if line["type"] == "suggestions"]
    assert [line["pts_s"] for line in lists][:2] == [1.0, 2.0]
    assert all(0 < line["late_ms"] < 1000 for line in lists)
    assert lines[-1]["type"] == "end" and lines[-1]["frames"] == 30


def test_the_table_ends_with_what_was_found(
    tmp_path: Path, write_video: Video, small_catalog: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / "v.mp4", frames=24)
    given = ["watch", str(path), "-c", str(small_catalog), "--bundle", str(tiny_bundle), "--fast"]
    assert segue.main(given) == 0
    out = capsys.readouterr().out
    assert "0:02 of 0:02" in out and "24 frames, 16 looked at, 0 dropped, 2 lists of suggestions" in out
    assert all(word in out for word in ("from", "bpm", "fits", "why"))


def test_the_table_warns_of_what_is_not_allowed() -> None:
    item = Item(1, "a", "Tïtle", "Ann", 0.0, 60.0, 0.5, Reasons(0.5, 0.5, 0.5), 120.0, "CC-BY-NC-4.0")
    warned = row(replace(item, marks=("NC",), live_ok=True, vod_ok=False))[1]
    assert str(warned) == "Tïtle · Ann [NC, no VOD]" and str(row(item)[1]) == "Tïtle · Ann"


def test_a_truncated_file_ends_normally_with_a_warning(tmp_path: Path, write_video: Video, watch: Watch) -> None:
    path = write_video(tmp_path / "v.mkv", frames=120, fps=12)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    code, lines, err = watch(path, "--fast")
    kinds = [line["type"] for line in lines if line["type"] != "cut"]
    assert code == 0 and err == ""
    assert kinds[-2:] == ["warning", "end"] and kinds.count("suggestions") == len(kinds) - 2 >= 2
    assert "cut short" in lines[-2]["reason"]


def test_timestamps_that_jump_are_told(tmp_path: Path, write_video: Video, watch: Watch) -> None:
    pts_ms = [i * 1000 // 12 + (7_200_000 if i >= 24 else 0) for i in range(48)]
    code, lines, _ = watch(write_video(tmp_path / "v.mkv", frames=48, pts_ms=pts_ms), "--fast")
    told = [(line["type"], line.get("pts_s")) for line in lines if line["type"] in ("suggestions", "reset")]
    assert code == 0
    assert told == [
        ("suggestions", 1.0),
        ("suggestions", 2.0),
        ("reset", None),
        ("suggestions", 1.0),
        ("suggestions", 2.0),
    ]


@pytest.mark.parametrize(
    ("width", "height", "codec", "pix_fmt"), [(1, 1, "ffv1", "yuv444p"), (7680, 4320, "mjpeg", "yuvj420p")]
)
def test_any_size(
    tmp_path: Path, write_video: Video, watch: Watch, width: int, height: int, codec: str, pix_fmt: str
) -> None:
    path = write_video(tmp_path / "v.mkv", 1, fps=2, width=width, height=height, codec=codec, pix_fmt=pix_fmt)
    code, lines, _ = watch(path, "--fast")
    assert code == 0 and [line["pts_s"] for line in lines if line["type"] == "suggestions"] == [0.125]


@pytest.mark.parametrize("paced", [True, False])
def test_bad_input_is_one_line_and_exit_code_two(tmp_path: Path, watch: Watch, write_video: Video, paced: bool) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 100)
    raw = write_video(tmp_path / "raw.h264", frames=12)
    for source in (tmp_path / "absent.mp4", text, raw, "gopher://x/y"):
        code, lines, err = watch(source, *([] if paced else ["--fast"]))
        assert code == 2 and not [line for line in lines if line["type"] != "end"]
        assert err.startswith("segue watch: ") and err.count("\n") == 1


def test_a_catalogue_of_another_bundle_is_refused(
    tmp_path: Path, write_video: Video, small_catalog: Path, write_tiny_bundle: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_tiny_bundle(tmp_path / "other", seed=3)
    path = write_video(tmp_path / "v.mp4", frames=12)
    assert segue.main(["watch", str(path), "-c", str(small_catalog), "--bundle", str(other), "--fast"]) == 2
    assert "bundle" in capsys.readouterr().err


def test_every_stage_is_timed_when_asked(tmp_path: Path, write_video: Video, runtime: Runtime) -> None:
    times: dict[str, int] = {}

    def probe(stage: str, seconds: float) -> None:
        assert seconds >= 0
        times[stage] = times.get(stage, 0) + 1

    notices: list[Notice] = []
    with Pull(str(write_video(tmp_path / "v.mp4", frames=24, fps=12))) as pull:
        watch_fast(pull, runtime, SessionOptions(), FunctionSink(notices.append), Stopwatch(probe))
    looked = {"decode": 24, "convert": 16, "flow": 16, "appearance": 16}
    hops = dict.fromkeys(("clip tower", "sequence tower", "mood", "search", "re-rank", "rank"), 2)
    assert times == looked | hops | {"publish": len(notices)}


def test_pace_follows_the_timestamps_and_starts_anew_after_a_jump() -> None:
    pace = PlaybackClock(100.0)
    assert pace.wait_s(Fraction(5), 101.0) == 0.0
    assert pace.wait_s(Fraction(6), 101.25) == pytest.approx(0.75)
    assert pace.wait_s(Fraction(6), 103.0) == 0.0  # behind: no wait
    assert pace.wait_s(Fraction(26), 103.0) == pytest.approx(19.0)  # a picture is held for 20 s
    assert pace.wait_s(Fraction(3627), 121.0) == 0.0  # a jump: from here on anew
    assert pace.wait_s(Fraction(3628), 121.0) == pytest.approx(1.0)
    assert pace.wait_s(Fraction(36275, 10), 121.0) == pytest.approx(0.5)  # a little out of order
    assert pace.wait_s(Fraction(3626), 121.0) == 0.0  # a step back: anew, as the sampler does
    assert pace.wait_s(Fraction(3627), 121.0) == pytest.approx(1.0)
    assert pace.wait_s(Fraction(3628), 133.5) == 0.0  # more than 10 s behind: anew
    assert pace.wait_s(Fraction(3629), 133.5) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "step_ms", [-9_000, -1_500, -1_000, -500, 0, 40, 5_000, 20_000, 3_600_000, 3_600_040, 9_000_000]
)
def test_pace_and_sampler_begin_anew_at_the_same_frames(step_ms: int) -> None:
    pace, sampler, ms = PlaybackClock(0.0), Sampler(), Fraction(1, 1000)
    for pts in (10_000, 10_040):
        pace.wait_s(pts * ms, 0.0)
        sampler.offer(pts, ms)
    anew = isinstance(sampler.offer(10_040 + step_ms, ms), Discontinuity)
    assert pace.wait_s((10_040 + step_ms) * ms, 0.0) == pytest.approx(0.0 if anew else max(0.0, 0.04 + step_ms / 1000))


def test_a_failing_engine_ends_the_paced_watch(tmp_path: Path, write_video: Video, fake_runtime: Any) -> None:
    runtime = fake_runtime()
    runtime.answer = lambda question: 1 / 0
    notices: list[Notice] = []
    path = write_video(tmp_path / "v.mp4", frames=36, fps=12)
    with Pull(str(path)) as pull, pytest.raises(RuntimeError, match="division by zero"):
        asyncio.run(watch_paced(pull, str(path), runtime, SessionOptions(), FunctionSink(notices.append)))
    assert isinstance(notices[-1], End)
    assert not any(isinstance(notice, Suggestions | Warned) for notice in notices)


BUNNY = Path(__file__).parents[2].parent / "shared/data/video/big_buck_bunny_480p_30s.mp4"


@pytest.mark.skipif(not BUNNY.exists(), reason="needs shared/data/video beside the repository")
def test_a_real_film(watch: Watch) -> None:
    code, lines, _ = watch(BUNNY, "--fast")
    assert code == 0
    assert sum(line["type"] == "suggestions" for line in lines) == 30
    assert 1 <= sum(line["type"] == "cut" for line in lines) <= 10
