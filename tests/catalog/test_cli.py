"""The two commands as somebody types them."""

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import mutagen
import numpy as np
import pytest

import segue
from catalog import cli, printing
from catalog.catalog import Catalog
from catalog.records import Filters, Track
from catalog.report import FileNote, IndexReport
from catalog.worker import AnalysedFile, EngineSpec, Job, RejectedFile, own_engine
from engines import choose
from engines.bundle import Bundle
from engines.choose import EngineOptions
from engines.errors import EngineUnavailable
from engines.onnx_engine import OnnxEngine

Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, write_music: Writer, tiny_bundle: Path) -> Path:
    """A folder with music/ (three tracks and a bad one) and its catalogue."""
    folder = tmp_path_factory.mktemp("made")
    for i, bpm in enumerate((90, 120, 150)):
        write_music(folder / "music" / f"[bold]{bpm}.ogg", duration_s=12, bpm=bpm, seed=i)
    (folder / "music" / "bad.mp3").write_text("text")
    words = [str(folder / "music"), "-c", str(folder / "catalogue"), "--bundle", str(tiny_bundle), "--jobs", "1"]
    assert segue.main(["index", *words]) == 0
    return folder


def test_index_prints_one_object(made: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(made / "music"), "-c", str(made / "catalogue"), "--bundle", str(tiny_bundle), "--jobs", "1", "--json"]
    assert segue.main(["index", *words]) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert {key: said[key] for key in ("v", "type", "added", "unchanged", "tracks")} == {
        "v": 1, "type": "index", "added": 0, "unchanged": 3, "tracks": 3,
    }  # fmt: skip
    assert said["failed"] == [{"path": str(made / "music" / "bad.mp3"), "text": "is not audio that FFmpeg knows"}]
    assert "1/1 bad.mp3" in err


def test_index_shows_a_table_and_the_failed_files(
    made: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = [str(made / "music"), "-c", str(made / "catalogue"), "--bundle", str(tiny_bundle), "--jobs", "1"]
    assert segue.main(["index", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("unchanged" in line and "3" in line for line in lines)
    assert lines[-1] == f"failed: {made / 'music' / 'bad.mp3'}: is not audio that FFmpeg knows"


def test_index_says_what_the_user_has_to_mend(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["-c", str(tmp_path / "c"), "--bundle", str(tiny_bundle), "--jobs", "1"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mp3").write_text("text")
    for music, word in (("nowhere", "no such folder"), ("empty", "holds no music"), ("bad", "no file could be used")):
        assert segue.main(["index", str(tmp_path / music), *common]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("segue index: ") and word in error
    assert segue.main(["index", str(tmp_path / "bad"), "-c", str(tmp_path / "c"), "--bundle", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_index_with_an_engine_by_name(
    made: Path,
    tmp_path: Path,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One that cannot be had is an error, and nothing is made; one that can is named, and hears the same music."""

    def none(bundle: Bundle, options: EngineOptions) -> OnnxEngine:
        raise EngineUnavailable(f"engine onnx-cuda-{options.device}: no NVIDIA driver; install one")

    words = ["index", str(made / "music"), "-c", str(tmp_path / "c"), "--bundle", str(tiny_bundle), "--jobs", "1"]
    words += ["--engine", "onnx-cuda", "--device", "1"]
    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", none)  # type: ignore[arg-type]
    assert segue.main(words) == 2
    assert capsys.readouterr().err == "segue index: engine onnx-cuda-1: no NVIDIA driver; install one\n"
    assert not (tmp_path / "c").exists()
    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", lambda bundle, options: OnnxEngine(bundle))  # type: ignore[arg-type]
    assert segue.main(words) == 0
    assert "segue index: engine onnx-cuda: taken, as asked for\n" in capsys.readouterr().err
    with Catalog.open(tmp_path / "c", None) as one, Catalog.open(made / "catalogue", None) as other:
        assert len(one) == 3
        for track in one.tracks():
            np.testing.assert_array_equal(one.vector(track.id), other.vector(track.id))


@pytest.mark.parametrize(("engine", "named"), [("auto", "onnx-cpu"), ("onnx-cuda", "onnx-cuda")])
def test_a_cluster_is_told_which_engine_to_open_and_none_is_opened_here(
    made: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, engine: str, named: str
) -> None:
    def opened(bundle: Bundle, options: EngineOptions) -> OnnxEngine:
        raise AssertionError("an engine is opened where nothing is analysed")

    asked: list[EngineSpec] = []

    def analyse(
        jobs: Iterator[Job], spec: EngineSpec, catalog: Path
    ) -> Generator[tuple[Path, AnalysedFile | RejectedFile]]:
        asked.append(spec)
        yield from ((job.path, RejectedFile("not here")) for job in jobs)

    for name in choose.OPENERS:
        monkeypatch.setitem(choose.OPENERS, name, opened)  # type: ignore[arg-type]
    monkeypatch.setattr(cli, "_elsewhere", lambda scheduler: analyse)
    words = ["index", str(made / "music"), "-c", str(tmp_path / "c"), "--bundle", str(tiny_bundle), "--jobs", "1"]
    assert segue.main([*words, "--dask", "tcp://there:8786", "--engine", engine]) == 2
    assert [spec.engine for spec in asked] == [named]


def test_a_process_opens_the_engine_that_it_is_told(tiny_bundle: Path) -> None:
    told = (("device", 0), ("precision", "float32"), ("triton", None), ("plans", "/nowhere"))
    assert own_engine(EngineSpec(str(tiny_bundle), "onnx-cpu", told)).name == "onnx-cpu-1"
    with pytest.raises(EngineUnavailable):
        own_engine(EngineSpec(str(tiny_bundle), "triton", told))


def test_search_finds_what_is_like_a_track(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["-c", str(made / "catalogue")]
    assert segue.main(["search", *place, "--json"]) == 0
    tracks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [round(track["tempo_bpm"]) for track in tracks] == [120, 150, 90]  # by title
    assert segue.main(["search", *place, "--like", tracks[0]["track"], "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [item["rank"] for item in found] == [1, 2]
    assert {item["track"] for item in found} == {track["track"] for track in tracks[1:]}
    assert found[0]["similarity"] >= found[1]["similarity"]
    assert segue.main(["search", *place, "--like", tracks[0]["track"], "--min-bpm", "140", "--json"]) == 0
    (only,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert only["track"] == tracks[1]["track"]
    assert segue.main(["search", *place, "--like", tracks[0]["track"], "-n", "1"]) == 0
    assert found[0]["track"] in capsys.readouterr().out


def test_a_title_is_no_markup(made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert segue.main(["search", "-c", str(made / "catalogue")]) == 0
    assert "[bold]120" in capsys.readouterr().out


def test_search_by_words_and_by_a_part_of_a_track(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def found(*words: str) -> list[dict[str, object]]:
        assert segue.main(["search", "-c", str(made / "catalogue"), "--json", *words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    every = found()
    title = str(every[0]["title"])
    assert every[0] in found("--text", title.upper()) and found("--text", "nothing has this") == []
    whole, part = (found("--like", str(every[0]["track"]), *span) for span in ((), ("--from", "0", "--to", "5")))
    assert {one["track"] for one in whole} == {one["track"] for one in part}
    for bad, says in ((("--like", "x", "--text", "y"), "two searches"), (("--from", "9", "--to", "2"), "and rise")):
        assert segue.main(["search", "-c", str(made / "catalogue"), *bad]) == 2
        assert says in capsys.readouterr().err


def test_search_lists_as_many_as_asked_for(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["search", "-c", str(made / "catalogue"), "-n", "2", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_search_by_licence_family(
    tmp_path: Path, write_music: Writer, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, licence in (("a", "https://creativecommons.org/publicdomain/zero/1.0/"), ("b", "CC BY-NC 4.0")):
        file = mutagen.File(write_music(tmp_path / "music" / f"{name}.ogg", duration_s=2, seed=ord(name)))
        file["license"] = [licence]
        file.save()
    place = ["-c", str(tmp_path / "catalogue")]
    words = [str(tmp_path / "music"), *place, "--bundle", str(tiny_bundle), "--jobs", "1"]
    assert segue.main(["index", *words]) == 0
    capsys.readouterr()
    assert segue.main(["search", *place, "--licence", "CC0", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["licence"] for line in out.splitlines()] == ["CC0-1.0"] and err == ""
    assert segue.main(["search", *place, "--licence", "CC-BY", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "Licences here: CC0-1.0 (1), CC-BY-NC-4.0 (1)" in err


def test_search_says_what_the_user_has_to_mend(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["search", "-c", str(made / "catalogue"), "--like", "beef"]) == 2
    assert "'beef': no such track" in capsys.readouterr().err
    assert segue.main(["search", "-c", str(made), "--like", "beef"]) == 2
    assert "not a catalogue" in capsys.readouterr().err


def test_a_long_list_of_failures_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    failed = tuple(FileNote(Path(f"/m/{i}.mp3"), "is empty") for i in range(25))
    printing.show_report(Path("/c"), IndexReport(0, 0, 0, 0, failed))
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("failed: /m/") for line in lines) == 20
    assert lines[-1] == "failed: and 5 more; --json lists them all"


def test_search_by_playlist_writes_one(
    tmp_path: Path, write_music: Writer, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, name in enumerate(("a.wav", "b.wav")):
        write_music(tmp_path / "music" / name, duration_s=4, seed=20 + i)
    (tmp_path / "music" / "Friday.m3u8").write_text("b.wav\n")
    library = tmp_path / "r.xml"
    library.write_text(
        '<DJ_PLAYLISTS><COLLECTION><TRACK TrackID="1" Location="file://localhost/music/b.wav" Rating="102" '
        'Tonality="4A"/></COLLECTION></DJ_PLAYLISTS>'
    )
    catalog = ["-c", str(tmp_path / "catalogue")]
    words = [str(tmp_path / "music"), *catalog, "--bundle", str(tiny_bundle), "--jobs", "1", "--json"]
    assert segue.main(["index", *words, "--library", str(library)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["playlists"], said["prepared"]) == (1, 1)
    out = tmp_path / "music" / "out.m3u8"
    assert segue.main(["search", *catalog, "--playlist", "friday", "--m3u8", str(out), "--json"]) == 0
    [found] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["title"], found["key"], found["rating"], found["playlists"]) == ("b", "Fm", 2, ["Friday"])
    assert out.read_text() == "#EXTM3U\n#EXTINF:4,b\nb.wav\n"
    assert segue.main(["search", *catalog, "--playlist", "Saturday"]) == 0
    assert "none of 2 tracks passes the filters. Playlists here: Friday (1)" in capsys.readouterr().err
    assert segue.main(["index", *words, "--no-libraries"]) == 0
    capsys.readouterr()
    assert segue.main(["search", *catalog, "--playlist", "Friday", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == ""


def test_a_list_has_no_empty_column_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def track(id: str, title: str, key: str = "") -> Track:
        return Track(id, title, "", Path("/a.mp3"), 61.0, 120.0, "", (), key=key)

    assert printing.list_tracks([track("0" * 16, "neverball waterworks"), track("1" * 16, "open", "Am")], False) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["track", "title", "length", "tempo", "key", "rights"]
    assert "neverball waterworks" in "\n".join(lines) and "Am" in lines[2] and "…" not in "".join(lines)
    assert printing.list_tracks([], False) == 0
    assert capsys.readouterr().out == ""


def test_why_nothing_is_found_names_what_there_is() -> None:
    moody = Track("a", "one", "", Path("/a.mp3"), 61.0, 120.0, "", (), moods=("calm",), key="Am")
    text = printing.no_match_text([moody], Filters(moods=frozenset({"x"}), keys=frozenset({"G"})), "one")
    assert text == "none of 1 tracks passes the filters. Moods here: calm (1). Keys here: Am (1)"
    assert printing.no_match_text([], Filters(), "no such") == (
        "no track has all the words of 'no such' in its names, tags, moods, playlists or file name"
    )
