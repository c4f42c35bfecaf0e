"""Connections to PostgreSQL for any number of threads, each of which waits for a bounded time only.

psycopg waits for ever for a server that hangs: here every wait has an end, set for each use of a connection. After a
failure all connections that lie idle are let go of: a server that came back has none of them.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from catalog.errors import SearchIndexError

from .address import Address
from .reach import Reach

if TYPE_CHECKING:
    import psycopg

CONNECT_S: Final = 3  # libpq takes whole seconds, at least 2
IDLE: Final = 8  # connections that are kept; more are opened where more are used at once


class Connections:
    """``library`` is psycopg; ``prepare`` is called with each new connection, in autocommit. ``name``: for errors."""

    def __init__(self, library: Any, address: Address, name: str, prepare: Callable[[Any], None]) -> None:
        self._library, self._address, self._name, self._prepare = library, address, name, prepare
        self._class = _bounded(library)
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._closed = False
        self._reach = Reach()

    @contextlib.contextmanager
    def use(self, answer_s: float) -> Iterator["psycopg.Connection[Any]"]:
        """A connection whose every single wait ends after ``answer_s``. What goes wrong comes as ``SearchIndexError``
        with the cause, without credentials."""
        self._reach.check()
        connection = None
        try:
            connection = self._take()
            connection.answer_s = answer_s
            yield connection
        except (self._library.Error, OSError) as error:
            self._let_go(connection)
            text = self._told(error)
            self._reach.fail(text)
            raise SearchIndexError(text) from None
        except SearchIndexError:
            self._reach.succeed()  # it answered, but not what is asked for
            self._let_go(connection)
            raise
        except BaseException:
            self._let_go(connection)
            raise
        self._reach.succeed()
        with self._lock:
            keep = not self._closed and len(self._idle) < IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._let_go(None)

    def _take(self) -> Any:
        with self._lock:
            if self._closed:
                raise SearchIndexError(f"index {self._name}: it is closed")
            if self._idle:
                return self._idle.pop()
        address = self._address
        given = {"user": address.user, "password": address.password, "dbname": address.path}
        tls = {name: value for name, value in address.options if name.startswith("ssl")}
        connection = self._class.connect(
            host=address.host,
            port=address.port,
            connect_timeout=CONNECT_S,
            application_name="segue",
            autocommit=True,
            prepare_threshold=None,  # a plan that fits every filter fits none
            **{name: value for name, value in (given | tls).items() if value},
        )
        connection.answer_s = float(CONNECT_S)
        self._prepare(connection)
        return connection

    def _let_go(self, connection: Any) -> None:
        with self._lock:
            broken, self._idle = [*self._idle, *filter(None, [connection])], []
        for each in broken:
            each.close()

    def _told(self, error: Exception) -> str:
        cause = " ".join(self._address.hide(str(error)).split()) or type(error).__name__
        return f"index {self._name}: {cause}; see that PostgreSQL runs and can be reached, and try again"


def _bounded(library: Any) -> Any:
    class Bounded(library.Connection):  # type: ignore[misc]
        answer_s: float

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            return super().wait(gen, interval, self.answer_s if timeout is None else timeout)

    return Bounded
