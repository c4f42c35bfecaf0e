"""PostgreSQL with pgvector as the server of an index:
``postgres://[USER:PASSWORD@]HOST[:PORT]/DATABASE[?name=TABLE&sslmode=require]``.

Two tables. ``TABLE`` has a row for each segment, with the numbers and words that filters look at, ``TABLE_tracks`` a
row for each track. A write is one transaction. The password may come from SEGUE_INDEX_PASSWORD, PGPASSWORD or
``.pgpass`` too.

Few segments, and what so few of pass a filter, are compared one by one; beyond, pgvector's HNSW goes on until enough
rows pass (``hnsw.iterative_scan``), see ``postgres_graph.py``. It takes vectors of at most 2,000 numbers: longer ones
are always compared one by one. Tested: PostgreSQL 18.4 with pgvector 0.8.5, by psycopg 3.3. pgvector before 0.8 is
refused.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, LiteralString

import numpy as np

from catalog.errors import SearchIndexError
from catalog.records import Floats

from .address import parse_address
from .base import IndexOptions
from .directory import Entries, Entry
from .fields import fields_of
from .lifted import lift, lift_query
from .naming import check_name, name_of
from .postgres_connections import Connections
from .postgres_graph import Graph
from .postgres_tables import TYPES, Tables
from .remote import RemoteIndex
from .server import Row, Want
from .track_text import read_track, write_track

PORT: Final = 5432
OPTIONS: Final = ("name", "sslmode", "sslrootcert", "sslcert", "sslkey")
MOST: Final = 65_536  # rows of one search
EF: Final = 512  # hnsw.ef_search
SCANNED: Final = 200_000  # rows that a search goes through at most, in search of such that pass
ANSWER_S: Final = 4.0  # a search or a look-up
READ_S: Final = 60.0  # everything, when it is opened
WRITE_S: Final = 600.0  # of many


def open_postgres(text: str, options: IndexOptions) -> RemoteIndex:
    """The index at an address. Raises ``SearchIndexError``, which never has the address's credentials."""
    address = parse_address(text, PORT, OPTIONS)
    name = address.option("name")
    name = check_name(name, str(address)) if name else name_of(options.folder)
    return RemoteIndex(Postgres(Library(), address, name, options.dim), options)


def probe_postgres(text: str) -> str:
    """The server at an address in words, if it answers; nothing is made there. Raises ``SearchIndexError``."""
    address = parse_address(text, PORT, OPTIONS)
    connections = Connections(Library().psycopg, address, str(address), lambda connection: None)
    query = "SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
    try:
        with connections.use(ANSWER_S) as connection:
            [(server, extension)] = connection.execute(query).fetchall()
    finally:
        connections.close()
    vector = f"pgvector {extension}" if extension else "without pgvector, which is added with the first catalogue"
    return f"PostgreSQL {server} answers at {address}, {vector}"


class Library:
    """psycopg and pgvector's types for it. Raises ``SearchIndexError`` where they are missing."""

    def __init__(self) -> None:
        try:
            import pgvector.psycopg
            import psycopg
            import psycopg.sql
        except ImportError as error:
            raise SearchIndexError(
                f'index postgres://...: a package is missing ({error}); pip install ".[postgres]" brings it'
            ) from None
        self.psycopg, self.sql, self.register = psycopg, psycopg.sql, pgvector.psycopg.register_vector


class Postgres:
    """A ``server.Server``. Raises ``SearchIndexError`` for a server that does not answer, one without pgvector, and for
    tables of other vectors or another schema."""

    most = MOST
    compared_below = 0

    def __init__(self, library: Library, address: Any, name: str, dim: int) -> None:
        self.name = f"{address}?name={name}"
        self._dim = dim
        self._register = library.register
        self._tables = Tables(library.psycopg, self.name, name, dim)
        bare = Connections(library.psycopg, address, self.name, lambda connection: None)
        try:
            with bare.use(WRITE_S) as connection:
                self._tables.make(connection)
        finally:
            bare.close()
        self._connections = Connections(library.psycopg, address, self.name, self._prepare)
        self._graph = Graph(self._connections, self._tables, dim, library.psycopg.Error)
        self._graph.settle(0, self.count())  # tables of an older schema have none

    def heads(self) -> Iterator[Entry]:
        return iter(self._entries("SELECT id, version, count, stamp, bound, text FROM {tracks}", (), READ_S))

    def heads_of(self, ids: Collection[str], newest: bool = False) -> list[Entry]:
        query: LiteralString = "SELECT id, version, count, stamp, bound, text FROM {tracks} WHERE id = ANY(%s)"
        return self._entries(query, (list(ids),))

    def count(self) -> int:
        return int(self._rows("SELECT count(*) FROM {segments}", (), READ_S)[0][0])

    def nearest(self, query: Floats, limit: int, want: Want) -> list[Row]:
        conditions, values = _conditions(want)
        query = lift_query(query)
        exact = not self._graph.covers(want.rows)
        parts = [conditions] if exact else [["NOT fresh", *conditions], ["fresh", *conditions]]
        text = " UNION ALL ".join(
            "(SELECT track, version, segment, -(vector <#> %b) AS score FROM {segments}"
            + (" WHERE " + " AND ".join(part) if part else "")
            + " ORDER BY vector <#> %b LIMIT %s)"
            for part in parts
        )
        given = (query, *values, query, limit) * len(parts)
        with self._connections.use(ANSWER_S) as connection:
            _set(connection, exact)
            found = connection.execute(
                self._tables.text(f"SELECT * FROM ({text}) AS found ORDER BY score DESC LIMIT %s"),
                (*given, limit),
                binary=True,
            ).fetchall()
        return [Row(*row) for row in found if np.isfinite(row[3])]

    def vectors(self, entries: Sequence[Entry]) -> list[Floats | None]:
        query: LiteralString = "SELECT track, version, segment, vector FROM {segments} WHERE track = ANY(%s)"
        found: dict[tuple[str, int], dict[int, Any]] = {}
        for track, version, segment, vector in self._rows(query, ([entry.id for entry in entries],)):
            found.setdefault((track, version), {})[segment] = vector.to_numpy()
        return [self._whole(found.get((entry.id, entry.version), {}), entry.count) for entry in entries]

    def put(self, entries: Sequence[Entry], vectors: Sequence[Floats], old: Sequence[Entry]) -> None:
        gone = [entry.id for entry in [*entries, *old]]
        with self._connections.use(WRITE_S) as connection, connection.transaction():
            self._tables.lock(connection)
            fresh = self._graph.is_there(connection)
            connection.execute(self._tables.text("DELETE FROM {segments} WHERE track = ANY(%s)"), (gone,))
            into = self._tables.text("COPY {segments} FROM STDIN (FORMAT BINARY)")
            with connection.cursor().copy(into) as copy:
                copy.set_types(TYPES)
                for entry, own in zip(entries, vectors, strict=True):
                    fields = fields_of(entry.track)
                    same = fields.tempo_bpm, fields.duration_s, list(fields.words)
                    for number, vector in enumerate(lift(own, entry.bound)):
                        copy.write_row((entry.id, entry.version, number, *same, vector, fresh))
            connection.cursor().executemany(
                self._tables.text(
                    "INSERT INTO {tracks} VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET version = "
                    "EXCLUDED.version, count = EXCLUDED.count, stamp = EXCLUDED.stamp, bound = EXCLUDED.bound, "
                    "text = EXCLUDED.text"
                ),
                [
                    (each.id, each.version, each.count, each.stamp, each.bound, write_track(each.track))
                    for each in entries
                ],
            )

    def drop(self, old: Sequence[Entry]) -> None:
        ids = ([entry.id for entry in old],)
        with self._connections.use(WRITE_S) as connection, connection.transaction():
            self._tables.lock(connection)
            connection.execute(self._tables.text("DELETE FROM {segments} WHERE track = ANY(%s)"), ids)
            connection.execute(self._tables.text("DELETE FROM {tracks} WHERE id = ANY(%s)"), ids)

    def discard(self, lost: Sequence[Entry]) -> None:
        """Whoever wrote last took the rows out."""

    def settle(self, added: int, total: int) -> None:
        """Make the vectors' index once it is worth it, which keeps other writers waiting, but no search."""
        self._graph.settle(added, total)

    def sweep(self, entries: Entries, before: int) -> int:
        """A write that did not end left nothing."""
        return 0

    def close(self) -> None:
        self._graph.close()
        self._connections.close()

    def _prepare(self, connection: Any) -> None:
        self._register(connection)
        connection.execute(
            f"SET hnsw.ef_search = {EF}; SET hnsw.iterative_scan = relaxed_order; "
            f"SET hnsw.max_scan_tuples = {SCANNED}; "
            "SET hnsw.scan_mem_multiplier = 4; SET max_parallel_workers_per_gather = 0"
        )

    def _entries(self, query: str, values: Sequence[Any], answer_s: float = ANSWER_S) -> list[Entry]:
        found = []
        for id, version, count, stamp, bound, text in self._rows(query, values, answer_s):
            try:
                found.append(Entry(read_track(text), version, count, stamp, bound))
            except ValueError as error:
                raise SearchIndexError(
                    f"index {self.name}: what it holds of track {id!r} cannot be read ({error}); drop the tables, or "
                    "give another name in the address"
                ) from None
        return found

    def _rows(self, query: str, values: Sequence[Any], answer_s: float = ANSWER_S) -> list[Any]:
        with self._connections.use(answer_s) as connection:
            rows: list[Any] = connection.execute(self._tables.text(query), values, binary=True).fetchall()
            return rows

    def _whole(self, rows: dict[int, Any], count: int) -> Floats | None:
        if any(number not in rows for number in range(count)):
            return None
        lifted = np.array([rows[number] for number in range(count)], np.float32).reshape(-1, self._dim + 1)
        return np.ascontiguousarray(lifted[:, :-1])


def _set(connection: Any, exact: bool) -> None:
    """How the connection searches from now on. Only an index scan knows HNSW's order; a bitmap scan of what passes a
    filter stays allowed."""
    if getattr(connection, "exact", None) != exact:
        connection.execute(f"SET enable_indexscan = {'off' if exact else 'on'}")
        connection.exact = exact


def _conditions(want: Want) -> tuple[list[str], list[Any]]:
    """What stands behind WHERE, and the values in it."""
    needed = want.needed
    pairs: list[tuple[str, Any]] = []
    if needed.low_bpm is not None or needed.high_bpm is not None:
        pairs.append(("tempo > %s", 0.0))
    if needed.low_bpm is not None:
        pairs.append(("tempo >= %s", needed.low_bpm))
    if needed.high_bpm is not None:
        pairs.append(("tempo <= %s", needed.high_bpm))
    if needed.least_s is not None:
        pairs.append(("duration >= %s", needed.least_s))
    pairs += [("words && %s::bigint[]", list(group)) for group in needed.groups]
    if want.among is not None:
        pairs.append(("track = ANY(%s)", list(want.among)))
    if want.without:
        pairs.append(("track <> ALL(%s)", list(want.without)))
    return [text for text, _ in pairs], [value for _, value in pairs]
