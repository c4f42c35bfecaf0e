"""What PostgreSQL's index of vectors does beside its server: a long clean-up keeps nobody from ending."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from catalog.errors import SearchIndexError
from catalog.index import postgres_graph
from catalog.index.postgres_graph import INDEX_FROM, Graph


def test_a_vacuum_that_takes_long_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres_graph, "CLOSE_S", 0.0)
    vacuums, ended = threading.Event(), threading.Event()

    class Connection:
        def execute(self, query: str, *_: Any) -> Any:
            if query.startswith("VACUUM"):
                vacuums.set()
                ended.wait(30.0)
                raise SearchIndexError("the connection is closed")
            return SimpleNamespace(rowcount=0, fetchone=lambda: (postgres_graph.FRESH + 1,))

        @contextlib.contextmanager
        def transaction(self) -> Iterator[None]:
            yield

    connections = SimpleNamespace(use=lambda _: contextlib.nullcontext(Connection()))
    tables = SimpleNamespace(text=str, lock=lambda _: None, has_index=lambda _: True)
    graph = Graph(cast(Any, connections), cast(Any, tables), 128, OSError)
    graph.settle(1, INDEX_FROM)
    assert vacuums.wait(30.0)
    graph.close()  # waits for the thread, if it does, until ``ended``
    merging = graph._merging
    assert merging is not None and merging.is_alive()
    ended.set()
    merging.join(30.0)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
