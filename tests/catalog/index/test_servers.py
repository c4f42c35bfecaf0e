"""Indexes on servers beyond the contract: what they keep, who else writes, servers that die, hang or hold others."""

import dataclasses
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import SearchIndexError
from catalog.index.base import IndexOptions, Segments, VectorIndex, Where
from catalog.index.postgres_graph import Graph
from catalog.index.registry import open_index, probe_index
from catalog.records import Filters, Track
from catalog.rights import Rights

D = 16
BOUND_S = 12.0  # for an answer of a server that is away: some seconds, on a machine that is busy
SECRET = "a secret@/"
Open = Callable[..., VectorIndex]


@pytest.fixture(params=["milvus", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def again(kind: str, servers: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens one collection, as often as it is called; it holds nothing at first."""
    every = [servers.empty(kind, "servers", IndexOptions(tmp_path, D))]

    def make(dim: int = D, name: str = f"servers_{D}") -> VectorIndex:
        every.append(open_index(f"{servers.of(kind).address}{name}", IndexOptions(tmp_path, dim)))
        return every[-1]

    yield make
    for index in every:
        index.close()


def track(id: str, tempo_bpm: float = 100.0, **more: Any) -> Track:
    return Track(id, f"Song {id}", "", Path(f"/music/{id}.ogg"), 60.0, tempo_bpm, "", (), **more)


def segments(tracks: list[Track], vectors: list[np.ndarray]) -> Segments:
    return Segments(tracks, np.array([len(own) for own in vectors]), np.concatenate(vectors))


def drawn(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.normal(size=(rows, D)).astype(np.float32)


def test_what_was_added_is_there_as_it_was(again: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field of a track, every bit of a vector."""
    monkeypatch.setattr("catalog.index.milvus.MOST", 16)  # tracks are read in pages
    rng = np.random.default_rng(0)
    rich = Track(
        "a\"b\\c'日本", 'A "title"\n\t\0', "ärtist", Path("/mu\udce4sic/'x'.ogg"), 61.25, 1 / 3, "CC-BY-SA-4.0",
        ("Rock", "日本", "%_"), 1.5, 62.75, -14.25, -1.0, 0.1,
        Rights("by me", True, False, "a shop", "2026-11-30", "x"), ("calm",), False, "8A", 5, ("My list", "b"),
        heard_key="F#m", key_confidence=1 / 7, energy=2 / 3, hidden=True,
    )  # fmt: skip
    assert all(getattr(rich, each.name) != each.default for each in dataclasses.fields(Track))
    odd = drawn(rng, 5)
    odd[0, :6] = [1e-45, -0.0, 3.4e38, 1e-38, 1 / 3, -1e30]
    many = [track(f"{i}") for i in range(40)]
    vectors = [odd, *(drawn(rng, 2) for _ in many)]
    given = segments([rich, *many], vectors)
    again().upsert(dataclasses.replace(given, stamps=[f"stamp {i}" for i in range(41)]))
    index = again()
    assert len(index) == 85 and index.stamps() == {one.id: f"stamp {i}" for i, one in enumerate([rich, *many])}
    for own, got in zip(vectors, index.vectors([rich.id, *(one.id for one in many)]), strict=True):
        assert own.tobytes() == got.tobytes()
    [block] = index.blocks(Where(frozenset({rich.id})))
    assert repr(block.tracks) == repr([rich]) and block.stamps == ["stamp 0"]  # also what comparing leaves out
    rock = Where(condition=Filters(tags=frozenset({"rock"})))
    assert [hit.track for hit in index.search(odd[1], 5, rock)] == [rich.id]


def test_filters_are_looked_up_as_tracks_pass_them(again: Open) -> None:
    rng = np.random.default_rng(1)
    words = ["Rock", "jazz", "日本", ""]
    tracks = [
        dataclasses.replace(
            track(f"{i:03}", float(rng.choice([0.0, 60.0, 90.0, 120.0]))),
            duration_s=float(rng.integers(10, 90)),
            licence=str(rng.choice(["CC-BY-4.0", "CC-BY-NC-4.0", "", "mine"])),
            tags=tuple(rng.choice(words, rng.integers(0, 3))),
            moods=tuple(rng.choice(words, rng.integers(0, 3))),
            playlists=tuple(rng.choice(words, rng.integers(0, 3))),
            vocals=rng.choice([None, 0.0, 0.9]),
            rights=Rights(live_ok=rng.choice([None, True, False]), vod_ok=rng.choice([None, True, False])),
        )
        for i in range(120)
    ]
    index = again()
    index.upsert(segments(tracks, [drawn(rng, 1) for _ in tracks]))
    index = again()
    passed = set()
    for filters in (
        Filters(min_bpm=60.0), Filters(max_bpm=90.0), Filters(min_bpm=90.0, max_bpm=90.0),
        Filters(max_bpm=float("inf")),
        Filters(licences=frozenset({"CC-BY"})), Filters(licences=frozenset({"mine", "CC-BY-NC-4.0"})),
        Filters(licences=frozenset({"nobody's"})), Filters(tags=frozenset({"rock", "JAZZ"})),
        Filters(tags=frozenset({""})),
        Filters(moods=frozenset({"日本"})), Filters(playlists=frozenset({"rOCK"}), instrumental=True),
        Filters(live_ok=True), Filters(vod_ok=True, live_ok=True), Filters(min_duration_s=45.0),
        Filters(tags=frozenset({"rock"}), moods=frozenset({"jazz"}), min_bpm=1.0),
        Filters(only=frozenset({"003", "004"})), Filters(exclude=frozenset({"003"}), live_ok=True),
    ):  # fmt: skip
        found = {hit.track for hit in index.search(drawn(rng, 1)[0], 200, Where(condition=filters))}
        assert found == {one.id for one in tracks if filters.passes(one)}
        passed.add(len(found))
    assert len(passed) > 8


def test_a_server_that_lets_too_much_through_is_not_believed(again: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.index.fields.word", lambda kind, text="": 7)  # every word has one hash
    index = again()
    rng = np.random.default_rng(2)
    tagged = [dataclasses.replace(track(f"{i}"), tags=("rock" if i % 2 else "jazz",)) for i in range(8)]
    index.upsert(segments(tagged, [drawn(rng, 3) for _ in tagged]))
    hits = index.search(drawn(rng, 1)[0], 8, Where(condition=Filters(tags=frozenset({"rock"}))))
    assert {hit.track for hit in hits} == {"1", "3", "5", "7"}


def test_what_another_client_writes_is_seen(again: Open) -> None:
    query = np.eye(D, dtype=np.float32)[0]
    ours, theirs = again(), again()
    ours.upsert(segments([track("a")], [query[None]]))
    until(lambda: scores(theirs, query) == {"a": 1.0})
    theirs.upsert(segments([track("a", 130.0), track("b")], [np.tile(2 * query, (3, 1)), 0.5 * query[None]]))
    until(lambda: scores(ours, query) == {"a": 2.0, "b": 0.5})
    assert len(ours) == 4 and len(ours.vectors(["a"])[0]) == 3
    assert scores(ours, query, Where(condition=Filters(min_bpm=120.0))) == {"a": 2.0}
    theirs.remove(["a"])
    until(lambda: scores(ours, query) == {"b": 0.5})
    until(lambda: ours.vectors(["a"])[0].shape == (0, D) or ours.search(query, 1, Where(frozenset({"a"}))) == [])
    assert scores(theirs, query, Where(frozenset({"b"}))) == {"b": 0.5}


def scores(index: VectorIndex, query: np.ndarray, where: Where | None = None) -> dict[str, float]:
    return {hit.track: hit.score for hit in index.search(query, 5, where or Where())}


def until(holds: Callable[[], bool]) -> None:
    """What another process writes is seen soon, not at once."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_of_two_that_write_one_track_one_wins_as_a_whole(again: Open) -> None:
    """Version v of a track, of either writer, has v segments of score v."""
    query = np.eye(D, dtype=np.float32)[0]
    clients = [again(), again()]

    def write(client: int) -> None:
        for v in range(1 + client, 15, 2):
            some = [np.tile(v * query, (v, 1)) for _ in "abc"]
            clients[client].upsert(segments([track(id) for id in "abc"], some))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    reader = again()
    for id, vectors in zip("abc", reader.vectors(list("abc")), strict=True):
        assert len(vectors) in (13, 14) and (vectors == len(vectors) * query).all()
        assert scores(reader, query)[id] == len(vectors)
    assert len(reader) == sum(len(vectors) for vectors in reader.vectors(list("abc")))


def test_several_that_fill_an_empty_collection_at_once_leave_no_doubles(again: Open) -> None:
    """As the workers of a server do, which open one catalogue."""
    rng = np.random.default_rng(11)
    held = {f"{i:02}": drawn(rng, 4) for i in range(40)}
    whole = segments([track(id) for id in held], list(held.values()))
    whole = dataclasses.replace(whole, stamps=[f"stamp {id}" for id in held])
    clients = [again(name=f"doubles_{D}") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda client: client.upsert(whole), clients))
    query = drawn(rng, 1)[0]

    def single() -> bool:
        """Searches go on, and whoever meets what replaced its own takes that out."""
        for client in clients:
            client.search(query, 40)
        return bool(clients[0]._server.count() == 160)

    until(single)
    for client in (*clients, again(name=f"doubles_{D}")):
        assert len(client) == 160
        check_found(client, held, rng)


def test_a_server_that_is_killed_in_mid_write(kind: str, servers: Any, again: Open) -> None:
    """While it is away every call says so, in a bounded time. Started again, it answers to those who held on to it.
    Each track is there whole, as it was acknowledged or as it was to be."""
    rng = np.random.default_rng(3)
    index, server, query = again(), servers.of(kind), drawn(rng, 1)[0]
    done: dict[str, np.ndarray] = {}
    tried: dict[str, np.ndarray] = {}
    writing = threading.Event()

    def write() -> None:
        with pytest.raises(SearchIndexError):
            for i in range(100_000):
                id, vectors = f"{i % 50:03}", drawn(rng, 1 + i % 7)
                tried[id] = vectors
                index.upsert(segments([track(id)], [vectors]))
                done[id] = vectors
                if i == 20:
                    writing.set()

    reader = again()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        assert writing.wait(60)
        time.sleep(0.1)
        server.kill()
        writer.result(60)
    for _ in range(3):
        begun = time.monotonic()
        with pytest.raises(SearchIndexError, match=r"index \w+://127\.0\.0\.1:\d+/.*try again") as raised:
            reader.search(query, 5)
        assert time.monotonic() - begun < BOUND_S and SECRET not in str(raised.value)
    with pytest.raises(SearchIndexError, match="try again"):
        again()
    server.start()
    server.wait()
    assert soon(lambda: reader.search(query, 5))
    index = soon(again)
    assert len(done) > 20
    for (id, vectors), got in zip(done.items(), index.vectors(list(done)), strict=True):
        assert got.tobytes() in (vectors.tobytes(), tried[id].tobytes())
    held = index.stamps().keys()
    assert done.keys() <= held <= tried.keys() and len(index) == sum(map(len, index.vectors(sorted(held))))
    check_found(index, {id: index.vectors([id])[0] for id in held}, rng)
    reader.upsert(segments([track("new")], [10 * query[None]]))
    assert reader.search(query, 1)[0].track == "new"


def check_found(index: VectorIndex, held: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """By brute force."""
    query = drawn(rng, 1)[0]
    best = sorted(((-float((vectors @ query).max()), id) for id, vectors in held.items()))[:10]
    hits = index.search(query, 10)
    assert [hit.track for hit in hits] == [id for _, id in best]
    np.testing.assert_allclose([-hit.score for hit in hits], [score for score, _ in best], atol=1e-4)


def test_a_server_that_hangs_costs_a_bounded_time(
    kind: str, servers: Any, again: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    index, server, query = again(), servers.of(kind), drawn(rng, 1)[0]
    index.upsert(segments([track(f"{i}") for i in range(9)], [drawn(rng, 2) for _ in range(9)]))
    before = index.search(query, 5)
    monkeypatch.setattr(f"catalog.index.{kind}.ANSWER_S", 2.0)
    server.pause()
    try:
        begun = time.monotonic()
        with pytest.raises(SearchIndexError):
            index.search(query, 5)
        first_s = time.monotonic() - begun
        begun = time.monotonic()
        with pytest.raises(SearchIndexError):  # at once: the others need not wait for what one has found out
            index.search(query, 5)
        assert first_s < BOUND_S and time.monotonic() - begun < 0.3
    finally:
        server.go_on()
        monkeypatch.setattr(f"catalog.index.{kind}.ANSWER_S", 60.0)
    assert soon(lambda: index.search(query, 5)) == before


def soon(search: Callable[[], Any]) -> Any:
    """What ``search`` finds, once the server answers."""
    end = time.monotonic() + 60
    while True:
        try:
            return search()
        except SearchIndexError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_a_collection_of_other_vectors_is_refused(again: Open) -> None:
    with pytest.raises(SearchIndexError, match=rf"vectors of {D} numbers, the catalogue has {D + 1}.*another"):
        again(D + 1)


def test_something_else_of_that_name_is_refused(kind: str, servers: Any, again: Open) -> None:
    make_other(kind, servers.of(kind).address)
    with pytest.raises(SearchIndexError, match=r"schema \d.*another"):
        again(D, "others")


def make_other(kind: str, address: str) -> None:
    if kind == "postgres":
        import psycopg

        with psycopg.connect(address.partition("?")[0], autocommit=True) as connection:
            connection.execute("CREATE TABLE others (id text)")
        return
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(address.replace("milvus", "http", 1))
    schema = MilvusClient.create_schema(description="something else")
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=D)
    client.create_collection("others", schema=schema)
    client.close()


def test_catalogues_share_a_server_by_their_identities(servers: Any, tmp_path: Path) -> None:
    address = servers.of("postgres").address.removesuffix("?name=")
    query = np.eye(D, dtype=np.float32)[0]
    indexes = [open_index(address, IndexOptions(tmp_path / name, D)) for name in ("one", "two")]
    for index, id in zip(indexes, "ab", strict=True):
        index.upsert(segments([track(id)], [query[None]]))
    indexes += [open_index(address, IndexOptions(tmp_path / name, D)) for name in ("one", "two")]
    assert [[hit.track for hit in index.search(query, 5)] for index in indexes] == [["a"], ["b"]] * 2
    assert len({index.state.device for index in indexes}) == 2
    for index in indexes:
        index.close()


def test_a_server_is_asked_whether_it_is_there_and_keeps_nothing_of_it(kind: str, servers: Any) -> None:
    address = servers.of(kind).address
    before = collections(kind, address)
    said = probe_index(address)
    assert re.match({"milvus": r"Milvus v?2\.", "postgres": r"PostgreSQL \d+.* answers at"}[kind], said), said
    assert collections(kind, address) == before


def collections(kind: str, address: str) -> set[str]:
    """The collections or tables of a server."""
    if kind == "postgres":
        import psycopg

        with psycopg.connect(address.partition("?")[0]) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {name for (name,) in rows}
    from pymilvus import MilvusClient

    client = MilvusClient(address.replace("milvus", "http", 1))
    try:
        return set(client.list_collections())
    finally:
        client.close()


def test_a_password_is_told_to_nobody(servers: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    address = servers.of("postgres").address
    index = open_index(f"{address}servers_{D}", IndexOptions(tmp_path, D))
    assert "secret" not in index.state.device
    index.close()
    wrong = address.replace("a%20secret", "another%20secret")
    with pytest.raises(SearchIndexError, match=r"password authentication failed") as raised:
        open_index(f"{wrong}servers_{D}", IndexOptions(tmp_path, D))
    assert "another" not in str(raised.value) and raised.value.__suppress_context__
    assert "secret" not in caplog.text


def test_the_password_may_be_in_the_environment(servers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_INDEX_PASSWORD", SECRET)
    bare = servers.of("postgres").address.replace(":a%20secret%40%2F", "")
    open_index(f"{bare}servers_{D}", IndexOptions(tmp_path, D)).close()


def test_rows_of_a_write_that_did_not_end_are_taken_out(servers: Any, tmp_path: Path) -> None:
    """Milvus has no transactions: rows are there before the track that they belong to."""
    options = IndexOptions(tmp_path, D)
    index = servers.empty("milvus", "servers", options)
    index.upsert(segments([track("a")], [np.eye(D, dtype=np.float32)[:2]]))
    server, entry = index._server, index._directory.entries["a"]
    before = server.count()  # of other tests some may be left
    stray = dataclasses.replace(entry, track=track("stray"), version=5)  # of long ago
    server._tracks, real = "nobody", server._tracks
    with pytest.raises(SearchIndexError):
        server.put([stray], [np.eye(D, dtype=np.float32)[:2]], [])
    server._tracks = real
    until(lambda: soon(server.count) == before + 2)
    assert [hit.track for hit in index.search(np.eye(D, dtype=np.float32)[0], 5)] == ["a"]
    index.close()
    index = open_index(f"{servers.of('milvus').address}servers_{D}", options)
    until(lambda: bool(index._server.count() == before))
    assert [hit.track for hit in index.search(np.eye(D, dtype=np.float32)[0], 5)] == ["a"]
    index.close()


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01])
def test_a_servers_own_index_finds_the_best_tracks(
    servers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """pgvector's, which is made from a number of rows on, here of few."""
    monkeypatch.setattr("catalog.index.postgres_graph.INDEX_FROM", 2000)
    rng = np.random.default_rng(6)
    address = f"{servers.of('postgres').address}many_{D}"
    index = open_index(address, IndexOptions(tmp_path, D))
    vectors = [drawn(rng, 20) * np.float32(rng.uniform(1, 4)) for _ in range(300)]  # as different as a catalogue's
    if not len(index):
        index.upsert(segments([track(f"{i:03}", float(i + 1)) for i in range(300)], vectors))
    assert index._server._graph.there
    where = Where(condition=Filters(max_bpm=300.0 * share))
    passing = vectors[: round(300 * share)]
    found = []
    for query in drawn(rng, 20):
        best = np.argsort([-(own @ query).max() for own in passing])[:10]
        found.append(len({f"{i:03}" for i in best} & {hit.track for hit in index.search(query, 10, where)}) / len(best))
    index.close()
    assert np.mean(found) >= 0.97


def test_what_is_written_beside_the_servers_own_index_is_found_at_once_and_put_into_it_later(
    servers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("INDEX_FROM", 2000), ("FRESH", 100), ("AT_ONCE", 40)):
        monkeypatch.setattr(f"catalog.index.postgres_graph.{name}", value)
    rng = np.random.default_rng(7)
    index = servers.empty("postgres", "fresh", IndexOptions(tmp_path, D))
    try:
        held = {f"{i:03}": drawn(rng, 20) for i in range(200)}
        index.upsert(segments([track(id) for id in held], list(held.values())))
        graph = index._server._graph
        assert graph.there and fresh(graph) == 0
        few = {f"{i:03}": drawn(rng, 20) for i in range(0, 200, 50)}  # replaced: they wait
        index.upsert(segments([track(id) for id in few], list(few.values())))
        assert fresh(graph) == 80
        check_found(index, held | few, rng)
        more = {f"{i:03}": drawn(rng, 20) for i in range(198, 206)}  # some replaced, some new: too many to wait
        index.upsert(segments([track(id) for id in more], list(more.values())))
        graph._merging.join()
        assert fresh(graph) == 0
        check_found(index, held | few | more, rng)
        many = {f"{i:03}": drawn(rng, 20) for i in range(120)}  # more than half
        index.upsert(segments([track(id) for id in many], list(many.values())))
        check_found(index, held | few | more | many, rng)
        graph._merging.join()
        assert graph.there and fresh(graph) == 0
        held |= few | more | many
        index.remove([f"{i:03}" for i in range(60)])
        check_found(index, {id: own for id, own in held.items() if int(id) >= 60}, rng)
    finally:
        index.close()


def fresh(graph: Any) -> int:
    with graph._connections.use(60.0) as connection:
        return int(graph._count(connection))


def test_tables_of_the_schema_before_are_taken_over(servers: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    index = servers.empty("postgres", "older", IndexOptions(tmp_path, D))
    held = {f"{i}": drawn(rng, 3) for i in range(5)}
    index.upsert(segments([track(id) for id in held], list(held.values())))
    with index._server._connections.use(60.0) as connection:
        connection.execute(f"ALTER TABLE older_{D} DROP fresh; COMMENT ON TABLE older_{D} IS 'segue index, schema 1'")
    index.close()
    index = open_index(f"{servers.of('postgres').address}older_{D}", IndexOptions(tmp_path, D))
    check_found(index, held, rng)
    index.upsert(segments([track("0")], [held["1"]]))
    check_found(index, held | {"0": held["1"]}, rng)
    index.close()


def test_an_index_is_made_where_a_server_has_no_shared_memory(
    servers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with 64 MB of it: several processes cannot make it together."""
    monkeypatch.setattr("catalog.index.postgres_graph.INDEX_FROM", 100)
    workers, create = [], Graph._create

    def created(self: Graph, connection: Any, total: int, count: int) -> None:
        workers.append(count)
        if count:
            with connection.transaction():
                connection.execute("SELECT 1 / 0")
        create(self, connection, total, count)

    monkeypatch.setattr(Graph, "_create", created)
    rng = np.random.default_rng(9)
    index = servers.empty("postgres", "alone", IndexOptions(tmp_path, D))
    with index._server._connections.use(60.0) as connection:
        connection.execute(f"DROP INDEX IF EXISTS alone_{D}_hnsw")
    held = {f"{i}": drawn(rng, 10) for i in range(12)}
    index.upsert(segments([track(id) for id in held], list(held.values())))
    assert workers == [4, 0] and index._server._graph.there
    check_found(index, held, rng)
    index.close()
