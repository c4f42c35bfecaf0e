"""Copies of a server's music: what is asked of it, what comes back, and what goes wrong."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.catalog import Catalog
from catalog.errors import LibraryError
from catalog.indexer import index_folder
from catalog.libraries import copies, opensubsonic
from catalog.libraries.copies import INDEX, copy_music, safe_name
from catalog.libraries.opensubsonic import Server, Song
from engines.base import Engine

PASSWORD = "pä ss&w%rd"


class Fake:
    """An OpenSubsonic server of ``songs`` (id -> path and bytes), an album each; ``faults`` by view."""

    def __init__(self) -> None:
        self.songs: dict[str, tuple[str, bytes]] = {}
        self.ratings: dict[str, int] = {}
        self.playlists: dict[str, list[str]] = {}
        self.faults: dict[str, bytes | int] = {}
        self.asked: list[str] = []
        self.tokens = True
        self.cut = False
        self.page = 2

    def entry(self, id: str) -> dict[str, Any]:
        path, data = self.songs[id]
        rating = {"userRating": self.ratings[id]} if id in self.ratings else {}
        return {"id": id, "path": path, "size": len(data), "duration": 3, "bpm": 60, "isDir": False, **rating}

    def answer(self, view: str, query: dict[str, str]) -> dict[str, Any]:
        if not self._knows(query):
            code = 41 if "t" in query and not self.tokens else 40
            return {"status": "failed", "error": {"code": code, "message": "Wrong username or password"}}
        ids = list(self.songs)
        match view:
            case "getAlbumList2":
                offset = int(query["offset"])
                page = [{"id": id} for id in ids][offset : offset + self.page]
                body: dict[str, Any] = {"albumList2": {"album": page}}
            case "getAlbum":
                body = {"album": {"id": query["id"], "song": [self.entry(query["id"])]}}
            case "getPlaylists":
                body = {"playlists": {"playlist": [{"id": name, "name": name} for name in self.playlists]}}
            case "getPlaylist":
                body = {"playlist": {"entry": [{"id": id} for id in self.playlists[query["id"]]]}}
            case _:
                return {"status": "failed", "error": {"code": 0, "message": f"no {view}"}}
        return {"status": "ok", "version": "1.16.1", **body}

    def _knows(self, query: dict[str, str]) -> bool:
        assert query["v"] == "1.16.1" and query["c"] == "segue" and query["f"] == "json"
        if "t" in query:
            token = hashlib.md5((PASSWORD + query["s"]).encode()).hexdigest()
            return self.tokens and query["u"] == "anna" and query["t"] == token
        return query["u"] == "anna" and bytes.fromhex(query["p"].removeprefix("enc:")).decode() == PASSWORD


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def address(fake: Fake) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            view = parts.path.removeprefix("/base/rest/").removesuffix(".view")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            fake.asked.append(view)
            kind, status = "application/json", 200
            fault = fake.faults.get(view)
            if isinstance(fault, int):
                status, data = fault, b""
            elif fault is not None:
                data = fault
            elif view == "download":
                kind, data = "audio/x", fake.songs[query["id"]][1]
            else:
                data = json.dumps({"subsonic-response": fake.answer(view, query)}).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data) + 10 * fake.cut))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://anna@127.0.0.1:{server.server_port}/base/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensubsonic, "PAGE", 2)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.name != INDEX}  # fmt: skip


def copy(address: str, folder: Path, drop: bool = False) -> Any:
    return copy_music(Server(address, PASSWORD), folder, lambda *_: None, drop)


def test_what_a_server_has_is_copied_once(fake: Fake, address: str, tmp_path: Path) -> None:
    fake.songs = {f"id{i}": (f"Artist/Album/{i}.mp3", bytes([i]) * 100) for i in range(5)}
    fake.ratings, fake.playlists = {"id1": 4}, {"Calm & still": ["id1", "id0", "gone"]}
    library = copy(address, tmp_path / "copies")
    assert files(tmp_path / "copies") == dict(fake.songs.values())
    first, second = library.tracks[:2]
    assert (second.rating, second.playlists, second.tempo_bpm) == (4, ("Calm & still",), 60.0)
    assert (first.rating, first.playlists, library.notes) == (None, ("Calm & still",), [])
    assert fake.asked.count("download") == 5
    del fake.songs["id4"]
    fake.songs["id0"] = ("Artist/Album/0.mp3", b"new" * 50)
    fake.songs["id3"] = ("Artist/Other/3.mp3", fake.songs["id3"][1])
    (tmp_path / "copies" / "Artist/Album/2.mp3").write_bytes(b"damaged")
    (tmp_path / "copies" / "own.txt").write_bytes(b"mine")
    copy(address, tmp_path / "copies")
    assert fake.asked.count("download") == 7  # 0 changed, 2 damaged; 3 stays where it is
    kept = {"Artist/Album/3.mp3": fake.songs["id3"][1], "own.txt": b"mine"}
    assert (
        files(tmp_path / "copies") == {path: data for path, data in fake.songs.values() if "Other" not in path} | kept
    )


@pytest.mark.parametrize("left", [0, 5])
def test_a_server_that_lost_sight_of_its_music_costs_no_copy(
    fake: Fake, address: str, tmp_path: Path, left: int
) -> None:
    fake.songs = {f"id{i}": (f"{i}.mp3", bytes([i])) for i in range(16 if left else 1)}
    copy(address, tmp_path)
    before, index = files(tmp_path), (tmp_path / INDEX).read_bytes()
    everything = dict(fake.songs)
    fake.songs = {id: song for id, song in everything.items() if int(id[2:]) >= 16 - left}
    fake.songs |= {"new": ("new.mp3", b"n")} if left else {}
    with pytest.raises(LibraryError, match=r"without \d+ of the \d+ .* nothing was changed.*--drop-copies"):
        copy(address, tmp_path)
    assert (files(tmp_path), (tmp_path / INDEX).read_bytes()) == (before, index)
    copy(address, tmp_path, drop=True)
    assert files(tmp_path) == dict(fake.songs.values())
    fake.songs = everything
    assert len(copy(address, tmp_path, drop=True).tracks) == len(everything)


@pytest.mark.parametrize("page", [1, 3])
def test_a_server_may_give_other_pages_than_it_is_asked_for(
    fake: Fake, address: str, tmp_path: Path, page: int
) -> None:
    fake.page, fake.songs = page, {f"id{i}": (f"{i}.mp3", bytes([i])) for i in range(5)}
    copy(address, tmp_path)
    assert files(tmp_path) == dict(fake.songs.values())
    assert fake.asked.count("getAlbum") == 5


def test_a_server_that_only_takes_passwords(fake: Fake, address: str, tmp_path: Path) -> None:
    fake.tokens = False
    fake.songs = {"a": ("a.mp3", b"x")}
    copy(address, tmp_path / "copies")
    assert files(tmp_path / "copies") == {"a.mp3": b"x"}
    server = Server(address, PASSWORD)
    server._may_send_password = False  # as of http to another machine
    with pytest.raises(LibraryError, match="https is needed"):
        list(server.songs())


def test_wrong_password(fake: Fake, address: str, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="Wrong username or password") as caught:
        copy_music(Server(address, "no"), tmp_path / "copies", lambda *_: None)
    assert "no" not in str(caught.value).split() and "anna" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (b"<html>", "not answered as"),
        (b"[]", "not answered as"),
        (b'{"subsonic-response":{"status":"failed"}}', "refused"),
        (b'{"subsonic-response":{"status":"failed","error":"x"}}', "not answered as"),
        (b"[" * 100_000, "not answered as"),
        (500, "HTTP 500"),
    ],
)
def test_answers_that_are_none(fake: Fake, address: str, tmp_path: Path, fault: bytes | int, reason: str) -> None:
    fake.faults["getAlbumList2"] = fault
    with pytest.raises(LibraryError, match=reason) as caught:
        copy(address, tmp_path / "copies")
    assert "t=" not in str(caught.value) and PASSWORD not in str(caught.value)


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be reached"):
        copy("http://anna@127.0.0.1:1", tmp_path / "copies")


@pytest.mark.parametrize("text", ["", "music.example", "ftp://a@b", "https://b", "https://a:secret@b", "http://a@[::1"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(LibraryError, match="https://USER@HOST") as caught:
        Server(text, "x")
    assert "secret" not in str(caught.value)


def test_a_song_that_fails_harms_no_other(fake: Fake, address: str, tmp_path: Path) -> None:
    fake.songs = {"a": ("a.mp3", b"x"), "b": ("b.mp3", b"y")}
    fake.faults["download"] = b'{"subsonic-response":{"status":"failed"}}'
    library = copy(address, tmp_path / "copies")
    assert len(library.notes) == 2 and "refuses" in library.notes[0] and not library.tracks
    fake.faults.clear()
    fake.cut = True  # fewer bytes come than were promised
    notes = copy(address, tmp_path / "copies").notes
    assert notes == ["'a.mp3' broke off: 1 of 11 bytes came", "'b.mp3' broke off: 1 of 11 bytes came"]
    assert files(tmp_path / "copies") == {}
    fake.cut = False
    assert len(copy(address, tmp_path / "copies").tracks) == 2


def test_many_failures_end_it_and_keep_what_came(
    fake: Fake, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_FAILURES", 2)
    fake.songs = {"a": ("a.mp3", b"x"), "b": ("b.mp3", b"y"), "c": ("c.mp3", b"z")}
    real = Server.fetch

    def fetch(server: Server, song: Song, path: Path) -> None:
        if song.id != "a":
            raise opensubsonic.SongError("broke off")
        real(server, song, path)

    monkeypatch.setattr(Server, "fetch", fetch)
    with pytest.raises(LibraryError, match="2 songs one behind the other failed: broke off"):
        copy(address, tmp_path / "copies")
    monkeypatch.setattr(Server, "fetch", real)
    copy(address, tmp_path / "copies")
    assert fake.asked.count("download") == 3


def test_a_copy_that_is_killed_knows_what_came(
    fake: Fake, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "SAVE_S", 0.0)
    fake.songs = {f"id{i}": (f"{i}.mp3", bytes([i])) for i in range(4)}
    known: list[int] = []
    copy_music(
        Server(address, PASSWORD), tmp_path / "copies",
        lambda *_: known.append(len(json.loads((tmp_path / "copies" / INDEX).read_text())["songs"])),
    )  # fmt: skip
    assert known == [0, 1, 2, 3]


def test_folders_that_are_used_otherwise(fake: Fake, address: str, tmp_path: Path) -> None:
    fake.songs = {"a": ("a.mp3", b"x")}
    (tmp_path / "own.mp3").write_bytes(b"mine")
    with pytest.raises(LibraryError, match="holds other files"):
        copy(address, tmp_path)
    copy(address, tmp_path / "copies")
    index = tmp_path / "copies" / INDEX
    text = index.read_text()
    for changed, reason in (
        ("{", "damaged"),
        ("[]", "damaged"),
        (text.replace("127.0.0.1", "other"), "holds copies of other"),
        (text.replace('"a.mp3"', '"../own.mp3"'), "outside"),
        (text.replace('"a.mp3"', '"/etc/passwd"'), "outside"),
    ):
        index.write_text(changed)
        with pytest.raises(LibraryError, match=reason):
            copy(address, tmp_path / "copies")
    assert (tmp_path / "own.mp3").read_bytes() == b"mine"


def test_no_room(fake: Fake, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.songs = {"a": ("a.mp3", b"x")}
    monkeypatch.setattr(copies, "enough_room", lambda *_: False)
    with pytest.raises(LibraryError, match="room"):
        copy(address, tmp_path / "copies")


def test_songs_of_one_name(fake: Fake, address: str, tmp_path: Path) -> None:
    fake.songs = {"a": ("x/s.mp3", b"1"), "b": ("x/S.mp3", b"2"), "c": ("", b"3"), "d": ("", b"4")}
    copy(address, tmp_path / "copies")
    assert files(tmp_path / "copies") == {"x/s.mp3": b"1", "x/S (2).mp3": b"2", "song": b"3", "song (2)": b"4"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\x.mp3", "C__Windows_x.mp3"),
        ("a/b/c/d/e.flac", "c/d/e.flac"),
        ("x/ .. /con\0trol?.mp3", "x/con_trol_.mp3"),
        ("..", "song"),
        (f"{'n' * 300}.mp3", f"{'n' * 116}.mp3"),
        (f"{'音' * 100}/{'楽' * 100}.mp3", f"{'音' * 80}/{'楽' * 78}.mp3"),
        ("a\ud800.mp3", "a_.mp3"),
        (".segue-copies.json", "segue-copies.json"),
    ],
)
def test_a_servers_paths_stay_in_the_folder(path: str, name: str) -> None:
    assert safe_name(Song("1", path, 0, 0.0, 0.0, None)) == name


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_path_is_made_one_below_the_folder(path: str) -> None:
    name = safe_name(Song("1", path, 0, 0.0, 0.0, None))
    parts = name.split("/")
    assert 1 <= len(parts) <= 3 and not any(part in ("", ".", "..") or len(part) > 120 for part in parts)
    assert all(len(part.encode()) <= 240 for part in parts)
    assert "\\" not in name and "\0" not in name and not name.startswith("/")


def test_copies_are_indexed(
    fake: Fake, address: str, tmp_path: Path, engine: Engine, write_music: Callable[..., Path]
) -> None:
    song = write_music(tmp_path / "made.ogg", duration_s=4, seed=3).read_bytes()
    fake.songs, fake.ratings, fake.playlists = {"a": ("Artist/a.ogg", song)}, {"a": 5}, {"P": ["a"]}
    library = copy(address, tmp_path / "copies")
    report = index_folder(tmp_path / "copies", tmp_path / "catalogue", engine, 1, lambda *_: None, libraries=[library])
    assert (report.added, report.prepared) == (1, 1)
    with Catalog.open(tmp_path / "catalogue", None) as catalog:
        [track] = catalog.tracks()
    assert (track.rating, track.playlists, track.tempo_bpm) == (5, ("P",), 60.0)


def test_a_new_song_takes_no_other_files_name(fake: Fake, address: str, tmp_path: Path) -> None:
    """Its name is that of a file of the user's own, or of the copy of a song that the server calls otherwise now."""
    fake.songs = {"1": ("x.mp3", b"one")}
    copy(address, tmp_path)
    (tmp_path / "own.mp3").write_bytes(b"own")
    fake.songs = {"1": ("y.mp3", b"one"), "2": ("x.mp3", b"three"), "3": ("own.mp3", b"other")}
    copy(address, tmp_path)
    found = {name: data for name, data in files(tmp_path).items() if name.endswith(".mp3")}
    assert found == {"x.mp3": b"one", "x (2).mp3": b"three", "own.mp3": b"own", "own (2).mp3": b"other"}
