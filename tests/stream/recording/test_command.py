"""``watch --record`` and ``segue replay`` as commands: with a real bundle, catalogue and decoder, all of it small."""

import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import segue
from catalog.catalog import Catalog
from catalog.errors import SearchIndexError
from catalog.indexer import index_folder
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES

Command = Callable[..., tuple[int, str, str]]
Video = Callable[..., Path]


@pytest.fixture
def command(small_catalog: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("watch" or "replay", what, *arguments, catalog=, bundle=)`` -> exit code, standard output and error."""

    def run(name: str, what: Path, *words: object, catalog: Path = small_catalog, bundle: Path = tiny_bundle) -> Any:
        code = segue.main([name, str(what), "-c", str(catalog), "--bundle", str(bundle), *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def recording(
    tmp_path_factory: pytest.TempPathFactory, write_video: Video, small_catalog: Path, tiny_bundle: Path
) -> Path:
    """Six seconds."""
    folder = tmp_path_factory.mktemp("recording")
    film = write_video(folder / "v.mp4", frames=72)
    given_ = ["-c", str(small_catalog), "--bundle", str(tiny_bundle), "--fast", "--record", str(folder / "r")]
    assert segue.main(["watch", str(film), *given_]) == 0
    return folder / "r"


def test_the_same_lines_come_out(tmp_path: Path, write_video: Video, command: Command) -> None:
    film = write_video(tmp_path / "v.mkv", frames=90, pts_ms=[i * 1000 // 12 + 7_200_000 * (i > 40) for i in range(90)])
    data = film.read_bytes()
    film.write_bytes(data[: len(data) * 4 // 5])  # jumps, and is cut short
    code, out, err = command("watch", film, "--fast", "--json", "--record", tmp_path / "r", "--record-pictures")
    assert (code, err) == (0, "") and '"reset"' in out and '"warning"' in out
    code, again, err = command("replay", tmp_path / "r", "--json")
    assert (code, again) == (0, out)
    assert err.endswith("all the same, bit for bit\n") and err.count("\n") == 1


def test_recording_changes_no_line(tmp_path: Path, write_video: Video, command: Command) -> None:
    film = write_video(tmp_path / "v.mp4", frames=40)
    assert command("watch", film, "--fast", "--json") == command(
        "watch", film, "--fast", "--json", "--record", tmp_path / "r"
    )


def test_a_live_watch_is_replayed_without_its_lateness(tmp_path: Path, write_video: Video, command: Command) -> None:
    film = write_video(tmp_path / "v.mp4", frames=30)
    code, out, _ = command("watch", film, "--json", "--record", tmp_path / "r")
    assert code == 0
    code, again, err = command("replay", tmp_path / "r", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert any(line.get("late_ms") for line in lines)
    assert [json.loads(line) for line in again.splitlines()] == [
        {**line, "late_ms": None} if line["type"] == "suggestions" else line for line in lines
    ]
    assert code == 0 and "bit for bit" in err


def away(monkeypatch: pytest.MonkeyPatch, times: Collection[int]) -> None:
    """Let the index of the music be away at these searches, the first is 1."""
    searched, search = [], Catalog.search

    def searching(self: Catalog, *given: Any) -> Any:
        searched.append(given)
        if len(searched) in times:
            raise SearchIndexError("index milvus://host: gone; start it")
        return search(self, *given)

    monkeypatch.setattr(Catalog, "search", searching)


def test_an_index_that_is_away_costs_lists_and_the_recording_has_it(
    tmp_path: Path, write_video: Video, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a live session: told once, and once that it is back; a replay gives the same lines."""
    film = write_video(tmp_path / "v.mp4", frames=96)
    away(monkeypatch, (2, 3))
    code, out, err = command("watch", film, "--fast", "--json", "--record", tmp_path / "r")
    lines = [json.loads(line) for line in out.splitlines()]
    told = [line["reason"] for line in lines if line["type"] == "warning"]
    assert code == 0 and "cannot be searched now" in told[0] and "answers again" in told[1] and len(told) == 2
    lists = [line["pts_s"] for line in lines if line["type"] == "suggestions"]
    assert lists == [1.0, *(float(at) for at in range(4, 4 + len(lists) - 1))] and len(lists) > 3
    assert "milvus" not in out
    monkeypatch.undo()
    code, again, err = command("replay", tmp_path / "r", "--json")
    assert (code, again) == (0, out) and err.endswith("bit for bit\n")


def test_a_replay_that_cannot_search_says_how_far_it_came(
    recording: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(monkeypatch, range(3, 100))
    code, _, err = command("replay", recording, "--json")
    assert code == 2 and "replayed to 3 s (2 lists), not further" in err and "index milvus://host: gone" in err
    monkeypatch.undo()
    code, _, err = command("replay", recording, "--json", "--index", "milvus://localhost:1/x")
    assert code == 2 and "milvus://localhost:1" in err


def test_the_table_ends_with_what_was_found(recording: Path, command: Command) -> None:
    code, out, err = command("replay", recording)
    assert code == 0 and err == ""
    assert "6 lists of suggestions: all the same, bit for bit" in out and "why" in out


def test_another_bundle_is_refused_unless_asked_for(
    tmp_path: Path, recording: Path, command: Command, write_tiny_bundle: Any, small_catalog: Path
) -> None:
    other = write_tiny_bundle(tmp_path / "other", seed=3, name="another")
    code, out, err = command("replay", recording, bundle=other)
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "recorded with bundle tiny (" in err and "not with another (" in err and "--anyway" in err
    engine = OnnxEngine(load_bundle(other, FEATURES))
    index_folder(small_catalog.parent / "music", tmp_path / "catalogue", engine, 1, lambda *_: None)
    engine.close()
    code, out, err = command("replay", recording, "--json", "--anyway", bundle=other, catalog=tmp_path / "catalogue")
    assert code == 1 and out.count('"type":"suggestions"') == 6
    assert "first, at 0.875 s: question 1 (graph video_clip) was answered differently" in err
    assert "6 lists differ" in err and "the catalogue was" in err


def test_a_changed_catalogue_is_named(
    tmp_path: Path, recording: Path, command: Command, tiny_bundle: Path, small_catalog: Path, write_music: Any
) -> None:
    shutil.copytree(small_catalog.parent / "music", tmp_path / "music")
    write_music(tmp_path / "music" / "new.wav", duration_s=12, bpm=99, seed=9)
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    index_folder(tmp_path / "music", tmp_path / "catalogue", engine, 1, lambda *_: None)
    engine.close()
    code, _, err = command("replay", recording, "--json", catalog=tmp_path / "catalogue")
    assert code == 1
    assert "(search in the catalogue) was answered differently" in err
    assert "not as it was recorded: the catalogue was" in err and "processor" not in err
    shutil.rmtree(tmp_path / "catalogue")
    shutil.copytree(small_catalog, tmp_path / "catalogue")  # the same one elsewhere
    assert command("replay", recording, "--json", catalog=tmp_path / "catalogue")[0] == 0


def test_bad_input_is_one_line_and_exit_code_two(
    tmp_path: Path, recording: Path, command: Command, write_video: Video
) -> None:
    film = write_video(tmp_path / "v.mp4", frames=12)
    (tmp_path / "empty").touch()
    for path, words in (
        (tmp_path / "absent", "cannot be read"),
        (film, "not a recording"),
        (tmp_path, "cannot be read"),
    ):
        code, out, err = command("replay", path)
        assert code == 2 and out == "" and err.startswith(f"segue replay: {path}: ") and words in err
        assert err.count("\n") == 1
    for path, words in ((recording, "never overwritten"), (tmp_path / "no" / "r", "cannot be written")):
        code, out, err = command("watch", film, "--fast", "--record", path)
        assert code == 2 and words in err and err.count("\n") == 1
    assert command("watch", tmp_path / "empty", "--fast", "--record", tmp_path / "r")[0] == 2
    assert not (tmp_path / "r").exists()


def test_a_recording_that_reached_its_limit_says_so(
    tmp_path: Path, write_video: Video, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.recording.writer.CHUNK_BYTES", 100_000)
    film = write_video(tmp_path / "v.mp4", frames=240, width=320, height=240, codec="mpeg4")
    words = ("--fast", "--json", "--record", tmp_path / "r", "--record-pictures", "--record-limit", 1)
    code, out, _ = command("watch", film, *words)
    size = (tmp_path / "r").stat().st_size
    assert code == 0 and out.count("\n") >= 21 and size < 1024**2
    code, again, err = command("replay", tmp_path / "r", "--json")
    assert code == 0
    if "limit" in err:  # how far pictures shrink is the coder's affair
        assert out.startswith("".join(again.splitlines(keepends=True)[:-1]))
        assert "it would grow beyond 1048576 bytes, the limit" in again
    else:
        assert again == out


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_recording_never_ends_in_a_traceback(
    tmp_path_factory: Any, recording: Path, command: Command, data: st.DataObject
) -> None:
    whole = recording.read_bytes()
    path = tmp_path_factory.mktemp("d") / "r"
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 3)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    code, out, err = command("replay", path, "--json")
    assert code in (0, 2) and "Traceback" not in err
    assert err.startswith("segue replay: ") and err.count("\n") in (1, 2)
    if damaged == whole:
        assert code == 0 and "warning" not in out
    elif code == 0:
        assert "warning" in out
