"""Real pairs: videos with their own music, asked by the live path; and that a difference would show."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import real_pairs, retrieval_real
from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.footage import lists_of
from benchmarks.real_queries import CachingRuntime, cuts_in, footage, lists, ranking
from benchmarks.real_table import markdown
from benchmarks.sound_measures import course_of, tag_moods
from benchmarks.steering import BOTH, NEUTRAL, SETTINGS, ListMeasures, class_rows, steering_rows
from catalog.catalog import Catalog
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES, MUSIC_RATE_HZ
from stream.core.events import Item, Reasons
from stream.driver.runtime import Runtime

SECONDS = 5


def film(path: Path, sound: NDArray[np.float32] | None, seed: int) -> Path:
    """Blocks that move, for 5 s at 8 a second, with a cut in the middle; ``sound`` mono at 16 kHz."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        picture = out.add_stream("mpeg4", rate=8)
        picture.width, picture.height, picture.pix_fmt, picture.bit_rate = 160, 90, "yuv420p", 400_000
        heard = None if sound is None else out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        scenes = [np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((10, 10, 1))).astype(np.uint8) for _ in range(2)]
        for number in range(8 * SECONDS):
            shown = np.roll(scenes[number >= 4 * SECONDS], seed * number, axis=1)
            frame = av.VideoFrame.from_ndarray(shown, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 8)
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        if heard is not None and sound is not None:
            samples = (32_000 * np.clip(sound, -1, 1)).astype(np.int16)[None]
            piece = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            piece.sample_rate, piece.pts, piece.time_base = 16_000, 0, Fraction(1, 16_000)
            out.mux(heard.encode(piece))
            out.mux(heard.encode(None))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_music: Callable[..., Path]) -> Path:
    """Three with music, one in a folder of its own, and one without sound."""
    from features.decode.sound import decode

    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(("a.mkv", "b.mkv", "deep/c.mkv"), 1):
        music = write_music(folder / "x.wav", SECONDS, 90 + 30 * number, number, 16_000, 1)
        film(folder / name, decode(music).samples, number)
        music.unlink()
    film(folder / "mute.mkv", None, 4)
    (folder / "groups.csv").write_text("video,group\na.mkv,dance\nb,dance\nc.mkv,other\n")
    (folder / "notes.txt").write_text("not a video")
    return folder


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory, write_music: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("more")
    for number, name in enumerate(("boss.wav", "calm.wav", "walk.wav", "menu.wav")):
        write_music(folder / name, 21, 70 + 30 * number, 20 + number, 16_000, 1)
    return folder


@pytest.fixture(scope="module")
def engine(tiny_bundle: Path) -> OnnxEngine:
    return OnnxEngine(load_bundle(tiny_bundle, FEATURES), 1)


@pytest.fixture(scope="module")
def work(videos: Path, music: Path, engine: OnnxEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gallery was indexed already."""
    folder = tmp_path_factory.mktemp("work")
    real_pairs.gallery(real_pairs.videos_of(videos), music, folder, engine, 1, lambda _: None)
    return folder


@pytest.fixture
def runtime(work: Path, engine: OnnxEngine) -> Iterator[Runtime]:
    with Catalog.open(next(work.glob("catalog-*")), engine.bundle) as catalog:
        yield Runtime(engine, catalog)


def test_the_whole_bench(
    videos: Path, music: Path, work: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, text, drawn = tmp_path / "rows.json", tmp_path / "tables.md", tmp_path / "drawn.png"
    words = ["--corpus", "real", "--data", str(videos), "--distractors", str(music), "--work", str(work)]
    more = [
        "--bundle",
        str(tiny_bundle),
        "--class",
        "BOSS*",
        "--jobs",
        "1",
        "--json",
        str(out),
        "--markdown",
        str(text),
        "--picture",
        str(drawn),
        "--lists",
        str(tmp_path / "lists.md"),
    ]
    assert main("bench", ["retrieval", *words, *more]) == 0
    told = capsys.readouterr()
    assert "mute.mkv: has no audio stream; it is no pair" in told.err
    report = json.loads(out.read_text())
    env, rows = report["env"], report["rows"]
    assert (env["pairs"], env["videos"], env["tracks"], env["shown"]) == (3, 4, 7, 4)
    own = {row["metric"]: row for row in rows if row.get("score") == "score"}
    assert own["auc"]["n"] == 3 and 0 <= own["auc"]["low"] <= own["auc"]["value"] <= own["auc"]["high"] <= 1
    assert own["median_rank"]["of"] == 7 and {"r1"} == {name for name in own if name.startswith("r") and name != "rank"}
    assert own["auc_within_groups"]["n"] == 2, "of three groups one has another video"
    hubs = {row["metric"]: row for row in rows if row["metric"].startswith("hub_") and "place" not in row}
    assert hubs["hub_shown"]["n"] == 4, "the video without sound is asked with"
    assert hubs["hub_shown"]["value"] == 4 and hubs["hub_overlap"]["value"] == 1.0, "four tracks of 20 s for all"
    lists = (tmp_path / "lists.md").read_text().splitlines()
    assert len(lists) == 2 + 3 * 4 and [line.startswith("| a.mkv: moves ") for line in lists[2:5]] == [
        True,
        False,
        False,
    ]
    counts = [row["value"] for row in rows if row["metric"] == "hub_count"]
    assert counts == [4, 4, 4, 4], "every track in every list"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    classes = {row["asked"]: row for row in rows if row["metric"] == "class_share"}
    assert classes[BOTH]["of_all"] == 0.25 and classes[NEUTRAL]["value"] == 0.25
    assert {row["dial"] for row in rows if row["metric"] == "steered_change"} == {
        "energy",
        "valence",
        "tension",
        "tempo",
    }
    shown = text.read_text()
    assert shown in told.out and "3 pairs only: the intervals are wide" in shown
    assert "R@1 |" in shown and "R@5" not in shown and "| chance |" in shown and "different tracks shown" in shown


@pytest.mark.needs("ffmpeg")
def test_the_same_pictures_in_another_form_on_request_and_no_dials_if_so_wished(
    videos: Path, music: Path, engine: OnnxEngine, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.mkv").symlink_to(videos / "a.mkv")
    options = retrieval_real.RealOptions(
        tmp_path / "work", music, jobs=1, steer=False, variants=("grey",), variant_s=2.0, seconds=2.0
    )
    report = retrieval_real.measure(tmp_path / "one", engine, options, lambda _: None)
    found = {row.metric: row for row in report.rows if row.labels.get("variant") == "grey"}
    assert found["cosine_least"].n == 2 and found["cosine_least"].value <= found["cosine_median"].value <= 1.00001
    assert not [row for row in report.rows if "dial" in row.labels]
    text = markdown(report.rows)
    assert "| grey | 2 | " in text and "| dial |" not in text
    assert "AUC among own tracks" not in text, "there is no other video"


def test_a_second_run_indexes_nothing_and_finds_who_owns_what(
    videos: Path, music: Path, work: Path, engine: Any
) -> None:
    said: list[str] = []
    owned, folder = real_pairs.gallery(real_pairs.videos_of(videos), music, work, engine, 1, said.append)
    assert not [line for line in said if line.startswith("index")]
    assert [len(video.own) for video in owned] == [1, 1, 1, 0]
    assert [video.group for video in owned] == ["dance", "dance", "other", ""]
    with Catalog.open(folder, engine.bundle) as catalog:
        for video in owned[:3]:
            assert catalog.track(video.own[0]).path.resolve() == video.path.resolve()


def test_what_has_no_music(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert real_pairs.why_no_track(videos / "mute.mkv") == "has no audio stream"
    assert real_pairs.why_no_track(videos / "a.mkv") == ""
    monkeypatch.setattr(real_pairs, "judge", lambda samples: ("speech", 0.9))
    assert real_pairs.why_no_track(videos / "a.mkv") == "holds no music (speech)"


def test_bad_folders_are_told(videos: Path, tmp_path: Path, engine: Any) -> None:
    with pytest.raises(BenchError, match="no such folder"):
        real_pairs.videos_of(tmp_path / "none")
    with pytest.raises(BenchError, match="holds no video"):
        real_pairs.videos_of(tmp_path)
    mute = [video for video in real_pairs.videos_of(videos) if video.name == "mute.mkv"]
    with pytest.raises(BenchError, match="no video has music of its own"):
        real_pairs.gallery(mute, None, tmp_path / "work", engine, 1, lambda _: None)
    with pytest.raises(BenchError, match="holds no music; leave --distractors out"):
        real_pairs.gallery(mute, tmp_path / "none", tmp_path / "work", engine, 1, lambda _: None)
    with pytest.raises(BenchError, match="which is searched for videos and music"):
        main("bench", ["retrieval", "--corpus", "real", "--data", str(videos), "--work", str(videos / "kept")])
    for corpus, option, value, taken in (
        ("mgsv", "--picture", str(tmp_path / "x.png"), "synth, emomv, real"),
        ("real", "--seeds", "2", "synth, emomv, mgsv"),
        ("synth", "--seconds", "5", "real"),
        ("emomv", "--class", "*boss*", "real"),
    ):
        with pytest.raises(BenchError, match=f"{option}: means nothing with --corpus {corpus}, only with {taken}"):
            main("bench", ["retrieval", "--corpus", corpus, "--data", str(videos), option, value])
    (tmp_path / "groups.csv").write_text("file,kind\na.mkv,dance\n")
    with pytest.raises(BenchError, match="must name the columns video and group"):
        real_pairs.groups_of(tmp_path / "groups.csv")


def test_footage_says_what_the_file_itself_does(videos: Path, runtime: Runtime) -> None:
    """The bench judges the live path: measured once and told again, a video gets the very lists it got before."""
    shot = footage(videos / "a.mkv", runtime)
    plain = lists_of(runtime, [videos / "a.mkv"])
    assert [told.items for told in lists(shot, CachingRuntime(runtime))] == [told.items for told in plain]
    assert len(plain) == SECONDS and cuts_in(shot.analyses) == 1 and shot.cuts_per_s == pytest.approx(1 / SECONDS)
    assert len(footage(videos / "a.mkv", runtime, 2.0).analyses) == 16


def test_a_ranking_holds_all_tracks_and_nothing_is_worked_out_twice(videos: Path, runtime: Runtime) -> None:
    shot, remembering = footage(videos / "b.mkv", runtime), CachingRuntime(runtime)
    asked: list[str] = []
    run = runtime.engine.run
    remembering.engine = SimpleNamespace(run=lambda graph, inputs: asked.append(graph) or run(graph, inputs))  # type: ignore[func-returns-value]
    ranked = ranking(shot, remembering, 7)
    assert len({each.candidate.track.id for each in ranked}) == 7, "also those under 20 s"
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)
    first = lists(shot, remembering)
    count = len(asked)
    assert [told.items for told in lists(shot, remembering)] == [told.items for told in first] and len(asked) == count
    lists(shot, remembering, [{"type": "steer", "energy": 1.0}])
    assert "video_clip" not in asked[count:], "a dial changes what is ranked, not what is seen"
    for wish in ({"type": "steer", "tempo": 1.0}, {"type": "filters", "min_bpm": 100.0}):
        alone = [told.items for told in lists(shot, runtime, [wish])]
        assert [told.items for told in lists(shot, remembering, [wish])] == alone, "what was asked before is no answer"
        assert alone != [told.items for told in first]
    with pytest.raises(ValueError, match="energy must be a number"):
        lists(shot, remembering, [{"type": "steer", "energy": 2.0}])


def asked_with(name: str, group: str, scores: dict[str, float]) -> retrieval_real.VideoResult:
    video = real_pairs.Video(Path(name), name, group, (name,))
    every = dict.fromkeys(retrieval_real.SCORES, scores)
    heard = {NEUTRAL: ListMeasures({"onsets_per_s": scores[name]}, {})}
    pictures = {"speed": scores[name], "brightness": 0.5, "cuts_per_s": 1 - scores[name]}
    return retrieval_real.VideoResult(video, pictures, every, "x", tuple(item(track) for track in ("x", name)), heard)


def item(track: str) -> Item:
    return Item(1, track, track, "", 0.0, 9.0, 0.5, Reasons(0.5, 0.5, 0.5), 100.0, "")


def test_own_tracks_are_found_among_all_and_within_their_group() -> None:
    pairs = [
        asked_with("a", "dance", {"a": 0.9, "b": 0.95, "c": 0.1, "x": 0.2}),
        asked_with("b", "dance", {"a": 0.9, "b": 0.8, "c": 0.1, "x": 0.2}),
        asked_with("c", "alone", {"a": 0.1, "b": 0.2, "c": 0.3, "x": 0.0}),
    ]
    rows = {row.metric: row for row in retrieval_real.own_rows(pairs) if row.labels["score"] == "mood"}
    assert rows["auc"].value == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert rows["auc_among_own"].value == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert rows["auc_within_groups"].value == 0.0 and rows["auc_within_groups"].n == 2
    assert rows["auc_of_group"].labels["group"] == "dance"
    assert rows["median_rank"].value == 2.0 and rows["r1"].value == pytest.approx(100 / 3)
    hubs = {row.metric: row for row in retrieval_real.hub_rows(pairs, 10)}
    assert hubs["hub_largest"].value == 3 and hubs["hub_largest"].labels["fair"] == pytest.approx(0.6)
    assert hubs["first_stays"].value == 1.0
    agreement = {row.labels["pictures"]: row for row in retrieval_real.agreement_rows(pairs)}
    assert agreement["speed"].value == pytest.approx(1.0) and agreement["cuts_per_s"].value == pytest.approx(-1.0)
    assert "brightness" not in agreement, "it does not differ"


def test_what_a_dial_moves_is_told_with_its_direction() -> None:
    def video(shift: float) -> dict[str, ListMeasures]:
        quick = {name: 3.0 + shift + dials.get("tempo", 0.0) for name, dials in SETTINGS.items()}
        boss = {name: 0.2 + 0.4 * (len(dials) == 2) for name, dials in SETTINGS.items()}
        return {name: ListMeasures({"tempo_bpm": quick[name]}, {"*boss*": boss[name]}) for name in SETTINGS}

    found = [video(0.0), video(0.1), video(0.3)]
    rows = list(steering_rows(found))
    change = {row.labels["dial"]: row.value for row in rows if row.metric == "steered_change"}
    assert change == {"tempo": pytest.approx(2.0), "energy": 0.0, "valence": 0.0, "tension": 0.0}
    rho = {row.labels["dial"]: row.value for row in rows if row.metric == "steered_spearman"}
    assert rho["tempo"] > 0.9 and rho["energy"] == pytest.approx(0.0, abs=1e-12)
    shares = {row.labels["asked"]: row.value for row in class_rows(found, {"*boss*": 0.1})}
    assert shares == {NEUTRAL: pytest.approx(0.2), "energy +1": pytest.approx(0.2), BOTH: pytest.approx(0.6)}
    assert "| tempo | tempo_bpm | 3 | 2.13 | 3.13 | 4.13 | +2 [+2, +2] | +0.9" in markdown(rows)


def test_onsets_and_brightness_are_those_of_the_sound() -> None:
    t = np.arange(10 * MUSIC_RATE_HZ) / MUSIC_RATE_HZ
    hits = (np.sin(2 * np.pi * 1500 * t) * np.exp(-40 * (t % 0.25))).astype(np.float32)
    found = course_of(hits)
    assert len(found.onsets) == 10 and found.onsets[1:-1].mean() == pytest.approx(4, abs=0.2)
    low, high = (course_of(np.sin(2 * np.pi * hz * t).astype(np.float32)) for hz in (400, 2000))
    for course, hz in ((low, 400), (high, 2000)):
        assert course.weighted.sum() / course.size.sum() == pytest.approx(hz, rel=0.1)


def test_tags_name_moods() -> None:
    assert tag_moods(("Cheerful", "Electronic")) == {"valence": 1.0}
    assert tag_moods(("dark-ambient",)) == {"energy": -1.0, "valence": -1.0, "tension": 1.0}
    assert tag_moods(("Rock", "2019")) == {}
