"""PostgreSQL with pgvector as the server of an index:
``postgres://[USER:PASSWORD@]HOST[:PORT]/DATABASE[?name=TABLE&sslmode=require]``.

Two tables. ``TABLE`` has a row for each segment, with the numbers and words that filters look at, ``TABLE_tracks`` a
row for each track. A write is one transaction. The password may come from SEGUE_INDEX_PASSWORD, PGPASSWORD or
``.pgpass`` too.

Below ``INDEX_FROM`` segments, and where so few pass a filter, every segment that passes is compared; beyond, pgvector's
HNSW goes on until enough rows pass (``hnsw.iterative_scan``). It takes vectors of at most 2,000 numbers: longer ones
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
from .remote import RemoteIndex, Row, Want
from .track_text import read_track, write_track

PORT: Final = 5432
OPTIONS: Final = ("name", "sslmode", "sslrootcert", "sslcert", "sslkey")
SCHEMA: Final = "segue index, schema 1"
LEAST_VERSION: Final = (0, 8)  # of pgvector
MOST: Final = 65_536  # rows of one search
INDEX_FROM: Final = 20_000
MOST_NUMBERS: Final = 2000  # of a vector that HNSW takes
LINKS: Final = 32  # HNSW's m
EF_BUILD: Final = 128
EF: Final = 512  # hnsw.ef_search
SCANNED: Final = 200_000  # rows that a search goes through at most, in search of such that pass
ANSWER_S: Final = 4.0  # a search or a look-up
READ_S: Final = 60.0  # everything, when it is opened
WRITE_S: Final = 600.0  # making the index of a million rows takes minutes
LOCK: Final = 0x5E60E  # beside a hash of the table's name

COLUMNS: Final = ["text", "int8", "int4", "float8", "float8", "int8[]", "vector"]


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
    """A ``remote.Server``. Raises ``SearchIndexError`` for a server that does not answer, one without pgvector, and for
    tables of other vectors or another schema."""

    most = MOST
    compared_below = 0

    def __init__(self, library: Library, address: Any, name: str, dim: int) -> None:
        self._sql, self._error = library.sql, library.psycopg.Error
        self._names = {"segments": name, "tracks": f"{name}_tracks", "index": f"{name}_hnsw"}
        self.name = f"{address}?name={name}"
        self._dim = dim
        self._has_index = False
        self._register = library.register
        bare = Connections(library.psycopg, address, self.name, lambda connection: None)
        try:
            with bare.use(WRITE_S) as connection:
                self._make(connection)
        finally:
            bare.close()
        self._connections = Connections(library.psycopg, address, self.name, self._prepare)

    def heads(self) -> Iterator[Entry]:
        return iter(self._entries("SELECT id, version, count, stamp, bound, text FROM {tracks}", (), READ_S))

    def heads_of(self, ids: Collection[str]) -> list[Entry]:
        query: LiteralString = "SELECT id, version, count, stamp, bound, text FROM {tracks} WHERE id = ANY(%s)"
        return self._entries(query, (list(ids),))

    def count(self) -> int:
        return int(self._rows("SELECT count(*) FROM {segments}", (), READ_S)[0][0])

    def nearest(self, query: Floats, limit: int, want: Want) -> list[Row]:
        conditions, values = _conditions(want)
        query = lift_query(query)
        text = (
            "SELECT track, version, segment, -(vector <#> %b) FROM {segments}"
            + (" WHERE " + " AND ".join(conditions) if conditions else "")
            + " ORDER BY vector <#> %b LIMIT %s"
        )
        exact = want.rows < INDEX_FROM
        with self._connections.use(ANSWER_S) as connection:
            _set(connection, exact)
            found = connection.execute(self._text(text), (query, *values, query, limit), binary=True).fetchall()
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
            self._lock(connection)
            connection.execute(self._text("DELETE FROM {segments} WHERE track = ANY(%s)"), (gone,))
            into = self._text("COPY {segments} FROM STDIN (FORMAT BINARY)")
            with connection.cursor().copy(into) as copy:
                copy.set_types(COLUMNS)
                for entry, own in zip(entries, vectors, strict=True):
                    fields = fields_of(entry.track)
                    same = fields.tempo_bpm, fields.duration_s, list(fields.words)
                    for number, vector in enumerate(lift(own, entry.bound)):
                        copy.write_row((entry.id, entry.version, number, *same, vector))
            connection.cursor().executemany(
                self._text(
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
            self._lock(connection)
            connection.execute(self._text("DELETE FROM {segments} WHERE track = ANY(%s)"), ids)
            connection.execute(self._text("DELETE FROM {tracks} WHERE id = ANY(%s)"), ids)

    def settle(self, added: int, total: int) -> None:
        """Make the vectors' index once it is worth it, which keeps other writers waiting, but no search."""
        if total < INDEX_FROM or (self._has_index and added < INDEX_FROM):
            return
        with self._connections.use(WRITE_S) as connection:
            if self._dim < MOST_NUMBERS and not self._has_index:
                with connection.transaction():
                    self._lock(connection)
                    connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
                    connection.execute(
                        self._text(
                            "CREATE INDEX IF NOT EXISTS {index} ON {segments} USING hnsw (vector vector_ip_ops) "
                            f"WITH (m = {LINKS}, ef_construction = {EF_BUILD})"
                        )
                    )
                self._has_index = True
            connection.execute(self._text("ANALYZE {segments}"))

    def sweep(self, entries: Entries, before: int) -> int:
        """A write that did not end left nothing."""
        return 0

    def close(self) -> None:
        self._connections.close()

    def _prepare(self, connection: Any) -> None:
        self._register(connection)
        connection.execute(
            f"SET hnsw.ef_search = {EF}; SET hnsw.iterative_scan = relaxed_order; "
            f"SET hnsw.max_scan_tuples = {SCANNED}; "
            "SET hnsw.scan_mem_multiplier = 4; SET max_parallel_workers_per_gather = 0"
        )

    def _make(self, connection: Any) -> None:
        """The tables, where they are not there; of several processes at once one makes them."""
        with connection.transaction():
            self._lock(connection)
            connection.execute("SET LOCAL client_min_messages = warning")
            found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
            if found is None:
                self._extend(connection)
                found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
            if tuple(map(int, found[0].split(".")[:2])) < LEAST_VERSION:
                raise SearchIndexError(
                    f"index {self.name}: pgvector is of version {found[0]}, older than 0.8; update it on the server, "
                    "and run ALTER EXTENSION vector UPDATE"
                )
            self._check(connection)
            for text in (
                "CREATE TABLE IF NOT EXISTS {tracks} (id text PRIMARY KEY, version bigint NOT NULL, "
                "count integer NOT NULL, stamp text NOT NULL, bound float8 NOT NULL, text text NOT NULL)",
                "CREATE TABLE IF NOT EXISTS {segments} (track text, version bigint, segment integer, "
                "tempo float8 NOT NULL, duration float8 NOT NULL, words bigint[] NOT NULL, "
                f"vector vector({self._dim + 1}) NOT NULL, PRIMARY KEY (track, version, segment))",
                "CREATE INDEX IF NOT EXISTS {tempi} ON {segments} (tempo)",
                "CREATE INDEX IF NOT EXISTS {words} ON {segments} USING gin (words)",
                f"COMMENT ON TABLE {{segments}} IS '{SCHEMA}'",
            ):
                connection.execute(self._text(text))
            kept = connection.execute("SELECT to_regclass(%s)", (self._quoted("index"),)).fetchone()
            self._has_index = kept[0] is not None

    def _extend(self, connection: Any) -> None:
        try:
            with connection.transaction():
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except self._error as error:
            raise SearchIndexError(
                f"index {self.name}: the database lacks pgvector and it cannot be added "
                f"({str(error).splitlines()[0]}); install pgvector on the server, and let its administrator run "
                "CREATE EXTENSION vector"
            ) from None

    def _check(self, connection: Any) -> None:
        cure = "give another name in the address (?name=...), or drop the tables"
        table = self._quoted("segments")
        if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is None:
            return
        comment, dim = connection.execute(
            "SELECT obj_description(%s::regclass), (SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass "
            "AND attname = 'vector')",
            (table, table),
        ).fetchone()
        if comment != SCHEMA:
            raise SearchIndexError(
                f"index {self.name}: table {table} is not one of {SCHEMA} (it says {str(comment)[:60]!r}); {cure}"
            )
        if dim != self._dim + 1:
            raise SearchIndexError(
                f"index {self.name}: table {table} has vectors of {dim - 1} numbers, the catalogue has {self._dim}: "
                f"another bundle made it; {cure}"
            )

    def _lock(self, connection: Any) -> None:
        """One writer at a time, until the transaction ends."""
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, self._names["segments"]))

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
            rows: list[Any] = connection.execute(self._text(query), values, binary=True).fetchall()
            return rows

    def _text(self, query: str) -> Any:
        names = {key: self._sql.Identifier(name) for key, name in self._names.items()}
        base = self._names["segments"]
        more = {"tempi": self._sql.Identifier(f"{base}_tempo"), "words": self._sql.Identifier(f"{base}_words")}
        return self._sql.SQL(query).format(**names, **more)

    def _quoted(self, key: str) -> str:
        return f'"{self._names[key]}"'

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
