"""Edits, as somebody types them: kept apart, through re-indexing, renaming, copies; and taken away as a sidecar."""

import errno
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mutagen
import pytest
from older_catalog import to_schema

import segue
from catalog import beside, catalog_command
from catalog.catalog import Catalog
from catalog.database import DATABASE, exclusive
from catalog.notes import Notes
from catalog.records import Track
from catalog.sidecar import read_table
from engines.bundle import load_bundle
from features.spec import FEATURES

Writer = Callable[..., Path]
Run = Callable[..., str]


@pytest.fixture
def music(tmp_path: Path, write_music: Writer) -> Path:
    for number, bpm in enumerate((90, 120, 150)):
        write_music(tmp_path / "music" / "sub" / f"-{bpm}.ogg", duration_s=6, bpm=bpm, seed=number)
    return tmp_path / "music"


@pytest.fixture
def run(tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(words, code=0)`` -> what was printed, errors after it."""

    def go(*words: str, code: int = 0) -> str:
        more = ["-c", str(tmp_path / "c")]
        more += ["--bundle", str(tiny_bundle), "--jobs", "1"] if words[0] == "index" else []
        assert segue.main([*words, *more]) == code
        out, err = capsys.readouterr()
        return out + err

    return go


@pytest.fixture
def tracks(tmp_path: Path) -> Callable[[], dict[str, Track]]:
    """Tracks by their files' names."""

    def read() -> dict[str, Track]:
        with Catalog.open(tmp_path / "c", None) as catalog:
            return {track.path.name: track for track in catalog.tracks()}

    return read


def test_an_edit_counts_before_all_and_survives(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]], write_music: Writer
) -> None:
    (music / "segue.csv").write_text("file,licence,vod_ok,moods\n*,CC BY 4.0,yes,calm\n")
    assert "described by sidecars" in run("index", str(music))
    before = tracks()
    assert {(track.licence, track.rights.vod_ok, track.moods) for track in before.values()} == {
        ("CC-BY-4.0", True, ("calm",))
    }
    one = before["-90.ogg"]
    said = run("catalog", "edit", one.id, "--set", "vod_ok=no", "--set", "artist=Ann")
    assert "1 track edited" in said
    assert (tracks()["-90.ogg"].rights.vod_ok, tracks()["-90.ogg"].artist) == (False, "Ann")

    # tagged anew, moved, copied in another container, indexed, the sidecar changed: it stays
    file = mutagen.File(music / "sub" / "-90.ogg")
    file["title"], file["mood"] = ["Other"], ["dark", "slow"]
    file.save()
    (music / "sub" / "-90.ogg").rename(music / "moved.ogg")
    (music / "segue.csv").write_text("file,licence,vod_ok\n*,CC0,yes\n")
    report = json.loads(run("index", str(music), "--json").splitlines()[0])
    assert (report["renamed"], report["unchanged"], report["described"]) == (1, 2, 3)
    moved = tracks()["moved.ogg"]
    assert (moved.id, moved.title, moved.artist, moved.rights.vod_ok) == (one.id, "Other", "Ann", False)
    assert (moved.licence, moved.moods) == ("CC0-1.0", ("dark", "slow"))  # the tags' moods, since nobody else says

    shown = json.loads(run("catalog", "show", one.id, "--json").splitlines()[0])["said"]
    assert shown["vod_ok"] == {"value": "no", "origin": "edit", "others": {"sidecar": "yes"}}
    assert shown["moods"] == {"value": "dark; slow", "origin": "tags", "others": {}}
    assert shown["title"] == {"value": "Other", "origin": "file", "others": {}}
    assert shown["attribution"]["origin"] == "built"

    run("catalog", "edit", one.id, "--unset", "vod_ok", "--unset", "artist")
    assert (tracks()["moved.ogg"].rights.vod_ok, tracks()["moved.ogg"].artist) == (True, "")
    (music / "segue.csv").unlink()
    run("index", str(music))
    assert tracks()["moved.ogg"].rights.vod_ok is None


def test_a_catalogue_of_the_schema_before_is_not_analysed_again(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]], tmp_path: Path
) -> None:
    file = mutagen.File(music / "sub" / "-90.ogg")
    file["mood"] = ["dark"]
    file.save()
    run("index", str(music))
    with closing(sqlite3.connect(tmp_path / "c" / DATABASE)) as db:
        to_schema(5, db)
    clips = sorted(path.name for path in (tmp_path / "c" / "clips").iterdir())
    assert tracks()["-90.ogg"].moods == ()  # a reader does without
    report = json.loads(run("index", str(music), "--json").splitlines()[0])
    assert (report["unchanged"], report["retagged"], report["added"], report["healed"]) == (2, 1, 0, 0)
    assert clips == sorted(path.name for path in (tmp_path / "c" / "clips").iterdir())
    assert tracks()["-90.ogg"].moods == ("dark",)
    report = json.loads(run("index", str(music), "--json").splitlines()[0])
    assert (report["unchanged"], report["retagged"]) == (3, 0)


def test_what_is_removed_is_left_out_until_it_is_restored(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]]
) -> None:
    run("index", str(music))
    every = tracks()
    name, one = next(iter(every.items()))
    assert "1 track is left out" in run("catalog", "remove", one.id)
    run("index", str(music))  # which does not bring it back
    assert tracks().keys() == every.keys() - {name}
    assert json.loads(run("catalog", "show", one.id, "--json").splitlines()[0])["said"]["hidden"]["value"] == "yes"
    assert "1 track is suggested again" in run("catalog", "restore", "--where", "hidden=yes")
    assert tracks() == every
    run("catalog", "remove", one.id, "--where", "path=*", code=2)


def test_edits_are_taken_away_as_a_sidecar(music: Path, run: Run, tracks: Callable[[], dict[str, Track]]) -> None:
    run("index", str(music))
    run("catalog", "edit", "--where", "path=*/sub/*", "--where", "licence=", "--set", "licence=CC BY-NC 4.0",
        "--set", "moods=calm, dark", "--set", 'attribution="Hi"; Ann, Bob', "--set", "live_ok=yes")  # fmt: skip
    edited = tracks()
    said = run("catalog", "export", str(music), "-o", str(music / "segue.csv"))
    assert "segue catalog: 3 tracks" in said
    assert "cannot be made (File exists)" in run(
        "catalog", "export", str(music), "-o", str(music / "segue.csv"), code=2
    )
    text = (music / "segue.csv").read_bytes().decode()
    assert text.startswith("file,licence,attribution,live_ok,moods\r\nsub/-120.ogg,CC-BY-NC-4.0,")
    names = ["licence", "attribution", "live_ok", "moods"]
    run("catalog", "edit", "--where", "path=*", *[word for name in names for word in ("--unset", name)])
    assert {track.rights.live_ok for track in tracks().values()} == {None}
    run("index", str(music))
    assert tracks() == edited
    assert run("catalog", "export", str(music)).startswith("file\r\n")  # nothing is edited any more


def test_search_by_rights_and_moods(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (music / "segue.csv").write_text(
        "file,vod_ok,live_ok,moods,licence\nsub/-90.ogg,yes,no,calm,CC BY-NC 4.0\nsub/-120.ogg,no,yes,dark,\n"
    )
    run("index", str(music))

    def found(*words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in run("search", "--json", *words).splitlines() if line.startswith("{")]

    [one] = found("--vod-ok")
    assert (one["vod_ok"], one["live_ok"], one["marks"], one["moods"]) == (True, False, ["NC"], ["calm"])
    assert [track["live_ok"] for track in found("--live-ok")] == [True]
    assert len(found("--mood", "Calm", "--mood", "DARK")) == 2
    assert len(found("--like", tracks()["-150.ogg"].id, "--vod-ok", "--jingles")) == 1
    said = run("search", "--vod-ok", "--live-ok")
    assert "none of 3 tracks passes the filters (1 are marked live_ok, 1 are marked vod_ok" in said
    monkeypatch.setenv("COLUMNS", "150")
    assert "NC, not live" in run("search", "--vod-ok")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["edit"], "name tracks by their ids"),
        (["edit", "x", "--where", "title=a", "--set", "vod_ok=no"], "name tracks by their ids"),
        (["edit", "x"], "nothing to say"),
        (["edit", "x", "--set", "vod_ok=no"], "'x': no such track"),
        (["edit", "x", "--set", "vod_ok"], "give FIELD=VALUE"),
        (["edit", "x", "--set", "vod_ok=perhaps"], "vod_ok is 'perhaps'; give yes, no or unknown"),
        (["edit", "x", "--set", "vod_ok="], "--unset vod_ok takes an edit back"),
        (["edit", "x", "--set", "colour=red"], "there are licence"),
        (["edit", "x", "--unset", "colour"], "there is no such field"),
        (["edit", "x", "--set", "vod_ok=no", "--unset", "vod_ok"], "both set and unset"),
        (["edit", "x", "--set", "vod_ok=no", "--set", "vod_ok=yes"], "vod_ok is set twice"),
        (["edit", "--where", "colour=red", "--set", "vod_ok=no"], "there are licence, title"),
        (["edit", "--where", "vod_ok=perhaps", "--set", "vod_ok=no"], "give yes, no or unknown"),
        (["edit", "x", "--set", "vodok=no"], "--set 'vodok': there is no such field; there are licence, "),
        (["show", "x"], "'x': no such track"),
    ],
)
def test_what_the_user_has_to_mend(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    Catalog.create(tmp_path / "c", load_bundle(tiny_bundle, FEATURES)).close()
    assert segue.main(["catalog", words[0], "-c", str(tmp_path / "c"), *words[1:]]) == 2
    error = capsys.readouterr().err
    assert error.startswith("segue catalog: ") and says in error


@pytest.mark.parametrize("named", ["a", "z"])  # before the file that is suggested, or behind it
def test_what_one_copy_forbids_is_forbidden_of_all(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]], named: str
) -> None:
    other = music / named
    other.mkdir()
    (other / "copy.ogg").write_bytes((music / "sub" / "-90.ogg").read_bytes())
    (music / "sub" / "segue.csv").write_text("file,vod_ok,live_ok,licence\n*,yes,yes,CC0\n")
    (other / "segue.csv").write_text("file,vod_ok,live_ok\n*,no,unknown\n")
    notes = json.loads(run("index", str(music), "--json").splitlines()[0])["notes"]
    [told] = [note for note in notes if "vod_ok" in note["text"]]
    assert told["path"].endswith("sub/-90.ogg") and f"no for {other / 'copy.ogg'}, which is" in told["text"]
    first = min(music / "sub" / "-90.ogg", other / "copy.ogg")
    track = tracks()[first.name]
    assert (track.rights.vod_ok, tracks()["-120.ogg"].rights.vod_ok) == (False, True)
    shown = json.loads(run("catalog", "show", track.id, "--json").splitlines()[0])["said"]["vod_ok"]
    assert (shown["value"], shown["origin"]) == ("no", "sidecar")
    run("catalog", "edit", track.id, "--set", "vod_ok=yes")  # who looks at it goes before both tables
    assert tracks()[first.name].rights.vod_ok is True
    run("catalog", "edit", track.id, "--unset", "vod_ok")
    (other / "segue.csv").write_text("file,vod_ok\n*,yes\n")
    notes = json.loads(run("index", str(music), "--json").splitlines()[0])["notes"]
    assert not any("vod_ok" in note["text"] for note in notes)
    assert tracks()[first.name].rights.vod_ok is True


def test_a_table_that_cannot_be_read_takes_nothing_back(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (music / "sub" / "segue.csv").write_text("file,vod_ok\n*,no\n")
    run("index", str(music))
    with monkeypatch.context() as patched:
        patched.setattr(beside, "read_table", lambda path: read_table(path.with_name("none")))
        assert "what tables said of the files in it before counts" in run("index", str(music))
    assert {track.rights.vod_ok for track in tracks().values()} == {False}
    (music / "sub" / "segue.csv").unlink()
    run("index", str(music))
    assert {track.rights.vod_ok for track in tracks().values()} == {None}


def test_an_index_of_a_playlist_leaves_what_the_tables_of_its_files_said(
    music: Path, run: Run, tracks: Callable[[], dict[str, Track]]
) -> None:
    (music / "segue.csv").write_text("file,licence\n*,CC BY 4.0\n")
    (music / "sub" / "segue.csv").write_text("file,licence\n*,CC0\n")
    (music / "list.m3u8").write_text("sub/-90.ogg\nsub/-120.ogg\n")
    run("index", str(music))
    before = tracks()
    assert {track.licence for track in before.values()} == {"CC0-1.0"}
    run("index", str(music / "list.m3u8"))
    assert tracks() == before


def test_a_pattern_chooses_by_licence(music: Path, run: Run) -> None:
    (music / "segue.csv").write_text("file,licence\n*,CC BY 4.0\n*-90.ogg,CC BY-SA 4.0\n")
    run("index", str(music))
    for wanted, found in (("CC-BY", 2), ("CC-BY*", 3), ("cc-by-?a-4.0", 1), ("CC-BY-N*", 0)):
        said = run("catalog", "edit", "--where", f"licence={wanted}", "--dry-run", "--json")
        listed = [line for line in said.splitlines() if line.startswith("{")]
        assert len(listed) == found, wanted
        assert ("holds of none" in said) is (found == 0), wanted


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (["licence=CC BY-ND"], "--where 'licence=CC BY-ND' holds of none of 3 tracks; there are CC-BY-4.0 (1), "),
        (["licence=CC0"], "no licence (2)"),
        (["vod_ok=yes"], "there are vod_ok=unknown (2), vod_ok=no (1)"),
        (["mood=clam*"], "there are Calm (1), dark (1)"),
        (["tag=x"], "--where 'tag=x' holds of none of 3 tracks: none has a tag"),
        (["path=*/sub/-91.ogg"], "/sub/-90.ogg (1)"),
        (["vod_ok=no", "licence="], "each of vod_ok=no, licence= holds of some tracks, but of none all of them do"),
        (["vod_ok=no", "source=shop"], "--where 'source=shop' holds of none of 3 tracks: none has a source"),
    ],
)
def test_what_holds_of_no_track_is_told_with_what_there_is(music: Path, run: Run, where: list[str], says: str) -> None:
    (music / "segue.csv").write_text("file,licence,vod_ok,moods\nsub/-90.ogg,CC BY 4.0,no,Calm;dark\n")
    run("index", str(music))
    words = [word for text in where for word in ("--where", text)]
    said = run("catalog", "edit", *words, "--set", "vod_ok=no", code=2)
    assert said.startswith("segue catalog: ") and says in said
    assert says in run("catalog", "edit", *words, "--dry-run")


def test_an_edit_waits_for_no_indexer(music: Path, run: Run, tmp_path: Path) -> None:
    run("index", str(music))
    with exclusive(tmp_path / "c"):
        assert "another segue index" in run("catalog", "edit", "--where", "path=*", "--set", "vod_ok=no", code=2)
    assert "1 track edited" in run("catalog", "edit", "--where", "path=*-90.ogg", "--set", "vod_ok=no")


def test_an_edit_is_kept_whole_or_not_at_all(music: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", str(music))
    run("catalog", "edit", "--where", "path=*", "--set", "vod_ok=no")
    put = Notes._put

    def full(*given: Any) -> None:
        put(*given)
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Notes, "_put", full)
        said = run("catalog", "edit", "--where", "path=*", "--unset", "vod_ok", "--set", "live_ok=no", code=2)
    assert "cannot be written (database or disk is full); free some space" in said
    for line in run("search", "--json").splitlines():
        assert json.loads(line)["vod_ok"] is False and json.loads(line)["live_ok"] is None


def test_an_export_that_fails_leaves_no_file(
    music: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", str(music))
    run("catalog", "edit", "--where", "path=*", "--set", "vod_ok=no")
    out = tmp_path / "out.csv"

    def full(catalog: Path, folder: Path, write: Callable[[str], object]) -> None:
        write("file\r\n")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(catalog_command, "export", full)
        said = run("catalog", "export", str(music), "-o", str(out), code=2)
    assert "cannot be made (No space left on device)" in said and not out.exists()
    run("catalog", "export", str(music), "-o", str(out))
    assert "cannot be made (File exists)" in run("catalog", "export", str(music), "-o", str(out), code=2)
    assert out.read_text().count("no") == 3


def test_show_and_search_read_a_catalogue_that_cannot_be_written(music: Path, run: Run, tmp_path: Path) -> None:
    run("index", str(music))
    data = (tmp_path / "c" / DATABASE).read_bytes()
    [first, *_] = [json.loads(line) for line in run("search", "--json").splitlines()]
    table = run("catalog", "show", first["track"])
    assert "licence unknown" in table
    assert len(run("catalog", "edit", "--where", "path=*", "--dry-run", "--json").splitlines()) == 3
    assert (tmp_path / "c" / DATABASE).read_bytes() == data
