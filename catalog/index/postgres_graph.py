"""The vectors' index of a PostgreSQL collection: pgvector's HNSW, made from a number of rows on.

Putting one row into it takes a millisecond or several, making it for many less than one each. So a first load comes
before the index; what is written later is ``fresh``: compared one by one, and put in by a thread once that are many.
"""

import logging
import threading
from typing import Any, Final

from catalog.errors import SearchIndexError

from .postgres_connections import Connections
from .postgres_tables import Tables

log = logging.getLogger(__name__)

INDEX_FROM: Final = 20_000  # rows
MOST_NUMBERS: Final = 2000  # of a vector that HNSW takes
LINKS: Final = 32  # HNSW's m; with 24 and 16 fewer of the best tracks are found
EF_BUILD: Final = 128
FRESH: Final = 5000  # rows: so many may wait; comparing them takes some ms a search
AT_ONCE: Final = 500  # of these are put in within one transaction, which keeps writers waiting for a second
WORKERS: Final = 4  # beside the connection's own process, as far as the server lets it
MEMORY_MB: Final = (64, 2048)
CLOSE_S: Final = 5.0  # that a portion may take
WRITE_S: Final = 600.0  # making the index of a million rows takes minutes


class Graph:
    """``settle`` is called by one writer of a process at a time, everything else by any thread."""

    def __init__(self, connections: Connections, tables: Tables, dim: int, error: type[Exception]) -> None:
        self._connections, self._tables, self._dim, self._error = connections, tables, dim, error
        self._merging: threading.Thread | None = None
        self._closed = False
        self.there = False  # as far as this process knows

    def covers(self, rows: int) -> bool:
        """Whether a search among so many rows uses the index, if it is there."""
        return rows >= INDEX_FROM

    def is_there(self, connection: Any) -> bool:
        self.there = self._tables.has_index(connection)
        return self.there

    def settle(self, added: int, total: int) -> None:
        """After ``added`` rows were written, which makes ``total``. No search waits for it."""
        if total < INDEX_FROM:
            return
        with self._connections.use(WRITE_S) as connection:
            if self._dim < MOST_NUMBERS:
                if not self.is_there(connection):
                    self._make(connection, total)
                elif self._count(connection) > FRESH:
                    self._merge_beside()
            if added >= INDEX_FROM or not self.there:
                connection.execute(self._tables.text("ANALYZE {segments}"))

    def close(self) -> None:
        """A thread that merges ends with the portion that it is at; a ``VACUUM``, which may take minutes, is not waited
        for."""
        self._closed = True
        if self._merging is not None:
            self._merging.join(CLOSE_S)

    def merge(self) -> None:
        """Put all fresh rows into the index, a portion at a time. Raises ``SearchIndexError``."""
        query = self._tables.text(  # by places: a join might look through the table for each
            "UPDATE {segments} SET fresh = false "
            "WHERE ctid = ANY(ARRAY(SELECT ctid FROM {segments} WHERE fresh LIMIT %s))"
        )
        moved = AT_ONCE
        while moved == AT_ONCE and not self._closed:
            with self._connections.use(WRITE_S) as connection, connection.transaction():
                self._tables.lock(connection)
                moved = connection.execute(query, (AT_ONCE,)).rowcount
        if not self._closed:
            with self._connections.use(WRITE_S) as connection:  # else searches go through what was there before
                connection.execute(self._tables.text("VACUUM (ANALYZE) {segments}"))

    def _merge_beside(self) -> None:
        if self._merging is None or not self._merging.is_alive():
            self._merging = threading.Thread(target=self._merge_and_tell, name="postgres merge", daemon=True)
            self._merging.start()

    def _merge_and_tell(self) -> None:
        try:
            self.merge()
        except SearchIndexError as error:
            if self._closed:
                return
            log.warning("new rows stay out of the index of vectors, and are compared one by one: %s", error)

    def _count(self, connection: Any) -> int:
        found = connection.execute(self._tables.text("SELECT count(*) FROM {segments} WHERE fresh")).fetchone()
        return int(found[0])

    def _make(self, connection: Any, total: int) -> None:
        """By several processes; where the server has no shared memory for these (a container's 64 MB), by one."""
        try:
            self._create(connection, total, WORKERS)
        except self._error as error:
            if connection.closed:
                raise
            log.info("the index of vectors is made by one process: %s", str(error).splitlines()[0])
            self._create(connection, total, 0)
        self.there = True

    def _create(self, connection: Any, total: int, workers: int) -> None:
        low, high = MEMORY_MB
        memory_mb = min(max(total * (8 * self._dim + 2048) >> 20, low), high)
        with connection.transaction():
            self._tables.lock(connection)
            connection.execute(
                f"SET LOCAL maintenance_work_mem = '{memory_mb}MB'; "
                f"SET LOCAL max_parallel_maintenance_workers = {workers}"
            )
            if self.is_there(connection):  # another process was faster
                return
            connection.execute(self._tables.text("UPDATE {segments} SET fresh = false WHERE fresh"))
            connection.execute(
                self._tables.text(
                    "CREATE INDEX {index} ON {segments} USING hnsw (vector vector_ip_ops) "
                    f"WITH (m = {LINKS}, ef_construction = {EF_BUILD}) WHERE NOT fresh"
                )
            )
