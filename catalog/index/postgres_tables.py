"""The two tables of an index on PostgreSQL: their names and columns, how they are made, and whether they are ours.

``fresh`` rows are those that the vectors' index does not have: putting one in takes milliseconds, so what is written
while there is an index is compared one by one until there are many.
"""

from typing import Any, Final

from catalog.errors import SearchIndexError

SCHEMA: Final = "segue index, schema 2"
OLDER: Final = "segue index, schema 1"  # without ``fresh``; every row was put into the vectors' index at once
LEAST_VERSION: Final = (0, 8)  # of pgvector
LOCK: Final = 0x5E60E  # beside a hash of the table's name
TYPES: Final = ("text", "int8", "int4", "float8", "float8", "int8[]", "vector", "bool")  # of a row of segments


class Tables:
    """The tables of the collection ``name``, whose vectors have ``dim`` numbers. ``library`` is psycopg; ``place``: for
    errors. Raises ``SearchIndexError``."""

    def __init__(self, library: Any, place: str, name: str, dim: int) -> None:
        self._sql, self._error = library.sql, library.Error
        self._place, self._name, self._dim = place, name, dim
        names = {
            "segments": name, "tracks": f"{name}_tracks", "index": f"{name}_hnsw", "tempi": f"{name}_tempo",
            "words": f"{name}_words", "fresh": f"{name}_fresh",
        }  # fmt: skip
        self._identifiers = {key: self._sql.Identifier(own) for key, own in names.items()}

    def text(self, query: str) -> Any:
        """A query with the names of tables and indexes in it."""
        return self._sql.SQL(query).format(**self._identifiers)

    def lock(self, connection: Any) -> None:
        """One writer at a time, until the transaction ends."""
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, self._name))

    def has_index(self, connection: Any) -> bool:
        """Whether the vectors have an index."""
        kept = connection.execute("SELECT to_regclass(%s)", (f'"{self._name}_hnsw"',)).fetchone()
        return kept[0] is not None

    def make(self, connection: Any) -> None:
        """The tables, where they are not there; of several processes at once one makes them."""
        with connection.transaction():
            self.lock(connection)
            connection.execute("SET LOCAL client_min_messages = warning")
            self._extended(connection)
            if self._check(connection) == OLDER:
                connection.execute(self.text("ALTER TABLE {segments} ADD fresh boolean NOT NULL DEFAULT false"))
                connection.execute(self.text("DROP INDEX IF EXISTS {index}"))  # it would take every row
            for text in (
                "CREATE TABLE IF NOT EXISTS {tracks} (id text PRIMARY KEY, version bigint NOT NULL, "
                "count integer NOT NULL, stamp text NOT NULL, bound float8 NOT NULL, text text NOT NULL)",
                "CREATE TABLE IF NOT EXISTS {segments} (track text, version bigint, segment integer, "
                "tempo float8 NOT NULL, duration float8 NOT NULL, words bigint[] NOT NULL, "
                f"vector vector({self._dim + 1}) NOT NULL, fresh boolean NOT NULL DEFAULT false, "
                "PRIMARY KEY (track, version, segment))",
                "CREATE INDEX IF NOT EXISTS {tempi} ON {segments} (tempo)",
                "CREATE INDEX IF NOT EXISTS {words} ON {segments} USING gin (words)",
                "CREATE INDEX IF NOT EXISTS {fresh} ON {segments} (track) WHERE fresh",
                f"COMMENT ON TABLE {{segments}} IS '{SCHEMA}'",
            ):
                connection.execute(self.text(text))

    def _extended(self, connection: Any) -> None:
        """See that pgvector is there, and new enough."""
        query = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        found = connection.execute(query).fetchone()
        if found is None:
            self._extend(connection)
            found = connection.execute(query).fetchone()
        if tuple(map(int, found[0].split(".")[:2])) < LEAST_VERSION:
            raise SearchIndexError(
                f"index {self._place}: pgvector is of version {found[0]}, older than 0.8; update it on the server, "
                "and run ALTER EXTENSION vector UPDATE"
            )

    def _extend(self, connection: Any) -> None:
        try:
            with connection.transaction():
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except self._error as error:
            raise SearchIndexError(
                f"index {self._place}: the database lacks pgvector and it cannot be added "
                f"({str(error).splitlines()[0]}); install pgvector on the server, and let its administrator run "
                "CREATE EXTENSION vector"
            ) from None

    def _check(self, connection: Any) -> str:
        """The schema of the table that is there; empty for none."""
        cure = "give another name in the address (?name=...), or drop the tables"
        table = f'"{self._name}"'
        if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is None:
            return ""
        comment, dim = connection.execute(
            "SELECT obj_description(%s::regclass), (SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass "
            "AND attname = 'vector')",
            (table, table),
        ).fetchone()
        if comment not in (SCHEMA, OLDER):
            raise SearchIndexError(
                f"index {self._place}: table {table} is not one of {SCHEMA} (it says {str(comment)[:60]!r}); {cure}"
            )
        if dim != self._dim + 1:
            raise SearchIndexError(
                f"index {self._place}: table {table} has vectors of {dim - 1} numbers, the catalogue has {self._dim}: "
                f"another bundle made it; {cure}"
            )
        return str(comment)
