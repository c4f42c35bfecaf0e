"""Which rows of which sidecars are of a file, and which of them count."""

import unicodedata
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import beside
from catalog.beside import MAX_LOST, MAX_PATTERNS, read_beside
from catalog.notes import EDIT, ORIGINS, SIDECAR, counting
from catalog.sidecar import read_table

Tell = Callable[..., dict[str, dict[str, str]]]
HEAD = "file,source,list_at\n"


def told(root: Path, tables: dict[str, str], files: list[str], begins: tuple[float, ...] = (0.0,)) -> tuple[
    dict[str, dict[str, str]], list[str]
]:  # fmt: skip
    """What is said of each file (``name@begin`` for later tracks), and the complaints."""
    for name, text in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    places = [(root / file, begin_s) for file in files for begin_s in begins]
    said = read_beside(root, [root / name for name in tables], places)
    found: dict[str, dict[str, str]] = {}
    for note in said.notes:
        key = note.path.relative_to(root).as_posix() + (f"@{note.begin_s:g}" if note.begin_s else "")
        found.setdefault(key, {})[note.field] = note.value
    return found, [f"{path.relative_to(root).as_posix()}: {text}" for path, text in said.complaints]


def test_each_field_comes_from_the_nearest_and_most_exact_row(tmp_path: Path) -> None:
    tables = {
        "segue.csv": HEAD
        + "a.mp3,named above,\n*.mp3,pattern above,all mp3\n*,all above,everything\nsub/a.mp3,far,far\n",
        "sub/segue.csv": HEAD + "*,all below,\n*.mp3,pattern below,\n",
        "sub/deep/segue.csv": HEAD + "b.ogg,exact,\n",
    }
    found, complaints = told(tmp_path, tables, ["a.mp3", "b.ogg", "sub/a.mp3", "sub/c.wav", "sub/deep/b.ogg"])
    assert found == {
        "a.mp3": {"source": "named above", "list_at": "all mp3"},
        "b.ogg": {"source": "all above", "list_at": "everything"},
        "sub/a.mp3": {"source": "pattern below", "list_at": "far"},
        "sub/c.wav": {"source": "all below", "list_at": "everything"},
        "sub/deep/b.ogg": {"source": "exact", "list_at": "everything"},
    }
    assert complaints == []


def test_what_cannot_be_read_says_nothing_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = beside.read_table
    refused = tmp_path / "sub" / "segue.csv"
    monkeypatch.setattr(beside, "read_table", lambda path: real(path if path != refused else tmp_path / "none" / "x"))
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "segue.csv").write_text(HEAD + "*,all,\n")
    places = [(tmp_path / name, 0.0) for name in ("a.mp3", "sub/b.mp3", "sub/deep/c.mp3")]
    said = read_beside(tmp_path, [tmp_path / "segue.csv", refused], places)
    assert [note.path.name for note in said.notes] == ["a.mp3"] and said.closed == (tmp_path / "sub",)
    assert "cannot be read" in said.complaints[0][1]
    assert said.complaints[1] == (tmp_path / "sub", "what tables said of the files in it before counts")
    above = read_beside(tmp_path / "sub" / "deep", [], [(tmp_path / "sub" / "deep" / "c.mp3", 0.0)])
    assert [note.value for note in above.notes] == ["all"] and above.closed == ()  # not of this index


def test_many_rows_of_one_name_cost_no_more_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MAX_PATTERNS", 2)
    rows = 500 * ["*,all,\n", "a.mp3,a,\n", "b.mp3,b,\n"] + ["*,,last\n"] + 5 * ["b*,b*,\n"]
    places = [(tmp_path / name, 0.0) for name in ("a.mp3", "b.mp3", "c.mp3")]
    (tmp_path / "segue.csv").write_text(HEAD + "".join(rows))
    folder = beside._Folder(tmp_path, [read_table(tmp_path / "segue.csv")], [path.name for path, _ in places])
    assert [len(folder.rows_of(path)) for path, _ in places] == [2, 4, 1]
    found, _ = told(tmp_path, {"segue.csv": HEAD + "".join(rows)}, ["a.mp3", "b.mp3", "c.mp3"])
    assert {name: said["source"] for name, said in found.items()} == {"a.mp3": "a", "b.mp3": "b", "c.mp3": "all"}
    assert {said["list_at"] for said in found.values()} == {"last"}


def test_of_two_alike_the_later_counts_and_json_comes_last(tmp_path: Path) -> None:
    tables = {
        "segue.csv": HEAD + "a.mp3,first,first\na.mp3,second,\n*.ogg,x,\nb.*,y,\n",
        "segue.json": '[{"file": "a.mp3", "list_at": "json"}]',
    }
    assert told(tmp_path, tables, ["a.mp3", "b.ogg"])[0] == {
        "a.mp3": {"source": "second", "list_at": "json"}, "b.ogg": {"source": "y"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("*.mp3", {"a.mp3", "x/a.mp3", "x/y/a.mp3"}),
        ("x/*", {"x/a.mp3"}),
        ("x/**", {"x/a.mp3", "x/y/a.mp3", "x/y/[b].ogg"}),
        ("**/*.mp3", {"a.mp3", "x/a.mp3", "x/y/a.mp3"}),
        ("**/y/*.mp3", {"x/y/a.mp3"}),
        ("x/**/a.mp3", {"x/a.mp3", "x/y/a.mp3"}),
        (r"x\y\a.mp3", {"x/y/a.mp3"}),
        ("./a.mp3", {"a.mp3"}),
        (" a.mp3 ", {"a.mp3"}),
        ("x/y/[b].ogg", {"x/y/[b].ogg"}),  # a file that is called so, though it looks like a pattern
        ("[a-c].*", {"a.mp3", "x/a.mp3", "x/y/a.mp3"}),
        ("A.mp3", set()),
        ("y/*", set()),
    ],
)
def test_names_and_patterns(tmp_path: Path, pattern: str, matching: set[str]) -> None:
    files = ["a.mp3", "x/a.mp3", "x/y/a.mp3", "x/y/[b].ogg"]
    assert set(told(tmp_path, {"segue.csv": f'file,source\n"{pattern}",here\n'}, files)[0]) == matching


@pytest.mark.parametrize("table", ["NFC", "NFD"])
@pytest.mark.parametrize("disk", ["NFC", "NFD"])
def test_both_unicode_forms_of_a_name(tmp_path: Path, table: str, disk: str) -> None:
    name = "Größe – año/é.mp3"
    rows = f"file,source\n{unicodedata.normalize(table, name)},here\n"  # type: ignore[arg-type]
    found, complaints = told(tmp_path, {"segue.csv": rows}, [unicodedata.normalize(disk, name)])  # type: ignore[arg-type]
    assert list(found.values()) == [{"source": "here"}] and complaints == []


def test_names_without_a_track_are_told_with_the_nearest_one(tmp_path: Path) -> None:
    rows = "file,source\nNight bus.mp3,x\n" + "".join(f"other {n}.mp3,x\n" for n in range(MAX_LOST + 3))
    found, complaints = told(tmp_path, {"segue.csv": rows}, ["Night Bus.mp3"])
    assert found == {} and len(complaints) == MAX_LOST + 1
    assert complaints[0] == "segue.csv: line 2: 'Night bus.mp3' is no track here; did you mean Night Bus.mp3?"
    assert complaints[-1] == "segue.csv: and 4 more names that are no track here"


def test_patterns_have_a_bound(tmp_path: Path) -> None:
    rows = "file,source\n" + "".join(f"*a*a*a*a*{n}*,x\n" for n in range(MAX_PATTERNS + 50))
    found, complaints = told(tmp_path, {"segue.csv": rows}, [f"{'a' * 200}{n}b" for n in range(50)])
    assert len(found) == 50
    assert complaints == [f"segue.csv: line {MAX_PATTERNS + 2}: is not read: at most {MAX_PATTERNS} patterns; "
                          "name files, or use subfolders"]  # fmt: skip


def test_a_file_with_several_tracks(tmp_path: Path) -> None:
    rows = "file,begin_s,title,source\nalbum.flac,,The Album,shop\nalbum.flac,60.02,Second,\nalbum.flac,90,None,\n"
    assert told(tmp_path, {"segue.csv": rows}, ["album.flac"], (0.0, 60.0))[0] == {
        "album.flac": {"source": "shop"},  # the title of an album is no track's
        "album.flac@60": {"title": "Second", "source": "shop"},
    }
    assert told(tmp_path, {"segue.csv": rows}, ["album.flac"])[0] == {
        "album.flac": {"title": "The Album", "source": "shop"}
    }


def test_a_table_above_the_indexed_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "segue.csv").write_text("file,source\n*,above\nmusic/a.mp3,named\nlost.mp3,x\n")
    root = tmp_path / "music"
    root.mkdir()
    said = read_beside(root, [], [(root / "a.mp3", 0.0), (root / "b.mp3", 0.0)])
    assert [note.value for note in said.notes] == ["named", "above"]
    assert said.complaints == ()  # files elsewhere are not known here


# -- precedence, against what the words say, one step after another

FOLDERS = ["", "x/", "x/y/"]
FILES = [f"{folder}{name}" for folder in FOLDERS for name in ("a.mp3", "b.ogg")]
PATTERNS = ["*", "*.mp3", "b.*", "a.mp3", "b.ogg", "x/a.mp3", "x/*", "y/b.ogg"]


def plainly(file: str, tables: dict[str, list[tuple[str, str]]]) -> str | None:
    """The value that counts, found the slow way."""
    for folder in sorted(tables, key=len, reverse=True):
        if not file.startswith(folder):
            continue
        name = file.removeprefix(folder)
        rows = list(reversed(tables[folder]))
        named = [value for pattern, value in rows if pattern == name]
        matched = [
            value for pattern, value in rows
            if pattern not in ("*", name) and "*" in pattern
            and (fnmatch(name, pattern) and name.count("/") == 1 if "/" in pattern else
                 fnmatch(name.split("/")[-1], pattern))
        ]  # fmt: skip
        for value in [*named, *matched, *(value for pattern, value in rows if pattern == "*")]:
            return value
    return None


@given(
    st.dictionaries(
        st.sampled_from(FOLDERS),
        st.lists(st.tuples(st.sampled_from(PATTERNS), st.text("abc", min_size=1, max_size=3)), max_size=6),
    )
)
@settings(max_examples=60)
def test_precedence(tmp_path_factory: pytest.TempPathFactory, tables: dict[str, list[tuple[str, str]]]) -> None:
    texts = {
        f"{folder}segue.csv": "file,source\n" + "".join(f"{pattern},{value}\n" for pattern, value in rows)
        for folder, rows in tables.items()
    }
    found, _ = told(tmp_path_factory.mktemp("rows"), texts, FILES)
    assert {file: found.get(file, {}).get("source") for file in FILES} == {
        file: plainly(file, tables) for file in FILES
    }


@given(st.dictionaries(st.sampled_from(ORIGINS), st.dictionaries(st.sampled_from("abc"), st.text(max_size=2))))
def test_an_edit_goes_before_a_sidecar_and_that_before_all_others(said: dict[str, dict[str, str]]) -> None:
    chosen = counting(said)
    assert chosen.keys() == {field for fields in said.values() for field in fields}
    for field, (value, origin) in chosen.items():
        assert said[origin][field] == value
        assert all(field not in said.get(before, {}) for before in ORIGINS[: ORIGINS.index(origin)])
    assert ORIGINS[:2] == (EDIT, SIDECAR) and ORIGINS[-1] == "tags"
