"""Tables beside the music: as spreadsheets, people and enemies write them."""

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.fields import FIELDS, FieldError, parse, shown
from catalog.sidecar import MAX_BYTES, MAX_COMPLAINTS, MAX_ROWS, Row, read_table, write_rows

PLAIN = "file,licence,vod_ok\na.mp3,CC0,yes\n*.ogg,CC BY 4.0,\n"
ROWS = [("a.mp3", {"licence": "CC0-1.0", "vod_ok": "yes"}), ("*.ogg", {"licence": "CC-BY-4.0"})]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[list[Row], str]]:
    """``read(text or bytes, name)`` -> rows, complaints in one text."""

    def run(data: str | bytes, name: str = "segue.csv") -> tuple[list[Row], str]:
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
        table = read_table(path)
        return list(table.rows), "\n".join(table.complaints)

    return run


def given_in(rows: list[Row]) -> list[tuple[str, dict[str, str]]]:
    return [(row.file, dict(row.values)) for row in rows]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        PLAIN.replace(",", "\t"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        "\n\n" + PLAIN + ",,\n\n",
        'File , LICENSE, "VOD ok"\n"a.mp3","CC0","TRUE"\n*.ogg,"CC BY 4.0"\n',
        PLAIN.replace("\n", ",,,\n"),
    ],
    ids=["plain", "crlf", "cr", "semicolons", "sep=", "tabs", "bom", "utf-16", "blank", "quoted", "wide"],
)
def test_csv_as_spreadsheets_write_it(read: Callable[..., tuple[list[Row], str]], data: str | bytes) -> None:
    rows, complaints = read(data)
    assert given_in(rows) == ROWS and complaints == ""


def test_windows_western_code_page(read: Callable[..., tuple[list[Row], str]]) -> None:
    assert given_in(read("file,artist\nGlück.mp3,Zoë\n".encode("cp1252"))[0]) == [("Glück.mp3", {"artist": "Zoë"})]


def test_json_has_the_same_fields(read: Callable[..., tuple[list[Row], str]]) -> None:
    entries = [
        {"file": "a.mp3", "License": "CC0", "vod ok": True, "moods": ["calm", "dark"], "title": None},
        {"file": "album.flac", "begin_s": 181.5, "vocals": False},
    ]
    rows, complaints = read(json.dumps(entries), "segue.json")
    assert complaints == ""
    assert rows == [
        Row("a.mp3", {"licence": "CC0-1.0", "vod_ok": "yes", "moods": '["calm", "dark"]'}, None, 1),
        Row("album.flac", {"vocals": "no"}, 181.5, 2),
    ]


def test_a_line_that_cannot_be_used_does_not_stop_the_others(read: Callable[..., tuple[list[Row], str]]) -> None:
    rows, complaints = read(
        "file,vod_ok,colour,bought,vod_ok\n"
        "a.mp3,perhaps,red,2026-01-02,\n"
        ",yes,,,\n"
        "b.mp3,yes,,gestern,\n"
        'c "live".mp3,no,,,,,surplus\n'
        '"d ""live"".mp3",no,,,\n'
    )
    assert given_in(rows) == [
        ("a.mp3", {"bought": "2026-01-02"}), ("b.mp3", {"vod_ok": "yes"}), ('d "live".mp3', {"vod_ok": "no"}),
    ]  # fmt: skip
    for words in (
        "line 1: column 'colour' is not read; there are file",
        "line 1: names the column vod_ok twice",
        "line 2: vod_ok is 'perhaps'; give yes, no or unknown",
        "line 3: names no file",
        "line 4: bought is 'gestern'; give a day as 2026-11-30",
        "line 5: has 7 cells for 5 columns",
    ):
        assert words in complaints
    assert len(complaints.splitlines()) == 6


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("segue.csv", "", "no line with names of columns"),
        ("segue.csv", "name,licence\na,CC0\n", "line 1: has no column file"),
        ("segue.csv", "\x00\x01\x02", "no column file"),
        ("segue.json", "", "is not JSON"),
        ("segue.json", '[{"file": "a"', "line 1 column 14"),
        ("segue.json", "[" * 100_000, "is not JSON"),
        ("segue.json", '{"a.mp3": {}}', "is no list"),
        ("segue.json", '["a.mp3"]', "entry 1: is no object"),
        ("segue.json", '[{"file": "a", "tags": [1]}]', "entry 1: tags is [1]; give text"),
        ("segue.json", '[{"file": "a", "colour": "red"}]', "entry 1: field 'colour' is not read"),
        ("segue.json", '[{"file": 7}, {"begin_s": 1}]', "entry 2: names no file"),
    ],
)
def test_what_is_no_table(read: Callable[..., tuple[list[Row], str]], name: str, data: str, says: str) -> None:
    rows, complaints = read(data, name)
    assert says in complaints and all(not row.values for row in rows)


def test_one_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "segue.csv").mkdir()
    table = read_table(tmp_path / "segue.csv")
    assert "cannot be read" in table.complaints[0] and table.closed
    (tmp_path / "segue.csv").rmdir()
    for name, text, closed in (
        ("segue.csv", "datei,vod_ok\n*,no\n", True), ("segue.csv", ",".join(["file"] * 65), True),
        ("segue.json", '[{"file": "*"},]', True), ("segue.json", '{"file": "*"}', True),
        ("segue.csv", "", False), ("segue.csv", "file\n", False), ("segue.json", "[]", False),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
        table = read_table(tmp_path / name)
        assert (table.rows, table.closed) == ((), closed), text


def test_a_quote_that_is_not_closed_costs_what_it_swallows(read: Callable[..., tuple[list[Row], str]]) -> None:
    whole = "\n".join(f"{n}.mp3,yes" for n in range(40_000))
    rows, complaints = read(f'file,vod_ok\nfirst.mp3,no\n"open.mp3,yes\n{whole}\n')
    assert rows[0].file == "first.mp3" and len(rows) > 20_000  # it goes on where csv's own bound ends the cell
    assert complaints.startswith("line 3: is no row (field larger than field limit (131072)), lines 3 to ")
    rows, complaints = read('file,vod_ok\nfirst.mp3,no\n"open.mp3,yes\n' + "x.mp3,yes\n" * 600)
    assert [row.file for row in rows] == ["first.mp3"]
    assert complaints.startswith("line 3: has a cell of more than 4096 characters, lines 3 to 60")


HOSTILE = {
    "ten million commas": lambda: b"file,licence\n" + b"," * 10_000_000,
    "a million columns": lambda: b"file," + b",".join(b"c%d" % n for n in range(1_000_000)) + b"\na.mp3,x\n",
    "a million columns in rows": lambda: b"file,licence\n" + (b"a" + b"," * 60_000 + b"x\n") * 17,
    "ten megabytes of NUL": lambda: b"file,licence\n" + b"\0" * 10_000_000,
    "NULs in lines": lambda: b"file,licence\n" + b"a\0.mp3,C\0C\n" * 20_000,
    "one open quote": lambda: b'file,licence\n"' + b"x" * 10_000_000,
    "quotes": lambda: b"file,licence\n" + b'"' * 10_000_000,
    "bad lines": lambda: b"file,vod_ok\n" + b"a,perhaps\n" * 30_000,
    "not text": lambda: bytes(range(256)) * 40_000,
    "too large": lambda: b" " * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_tables_are_bounded(read: Callable[..., tuple[list[Row], str]], kind: str) -> None:
    data = HOSTILE[kind]()
    tracemalloc.start()
    try:
        rows, complaints = read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(rows) <= MAX_ROWS and complaints
    assert len(complaints.splitlines()) <= MAX_COMPLAINTS + 1 and len(complaints) < 200_000
    assert peak < 4 * len(data) + 64e6


def test_rows_have_a_bound(read: Callable[..., tuple[list[Row], str]]) -> None:
    begun = time.monotonic()
    rows, complaints = read("file,vod_ok\n" + "a.mp3,yes\n" * (MAX_ROWS + 5))
    assert len(rows) == MAX_ROWS and f"line {MAX_ROWS + 2}: from here on not read" in complaints
    assert time.monotonic() - begun < 60


def values_of(draw: st.DrawFn) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=4)):
        try:
            found[name] = parse(name, draw(st.text(max_size=12) | st.sampled_from(["yes", "2026-01-02", 'a "b"; c'])))
        except FieldError:
            continue
    return found


FILES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name.strip() != ""
)


@given(st.data())
@settings(max_examples=60)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.tuples(FILES, st.none() | st.integers(0, 10**9).map(lambda n: n / 1000), st.composite(values_of)()))
    )
    path = tmp_path_factory.mktemp("written") / "segue.csv"
    written: list[str] = []
    write_rows(
        [
            (file, begin_s, {name: shown(name, value) for name, value in values.items()})
            for file, begin_s, values in rows
        ],
        written.append,
    )
    path.write_bytes("".join(written).encode())
    table = read_table(path)
    assert table.complaints == ()
    assert [(row.file, row.begin_s, row.values) for row in table.rows] == [
        (f"./{file}" if file[0] in "=+-@ " else file, begin_s, values) for file, begin_s, values in rows
    ]
