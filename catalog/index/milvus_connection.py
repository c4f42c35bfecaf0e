"""A connection to a Milvus server for any number of threads, which waits for a bounded time only."""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from catalog.errors import SearchIndexError

from .address import Address
from .reach import Reach

T = TypeVar("T")


class MilvusConnection:
    """``name``: for errors. Raises ``SearchIndexError``, without credentials, where pymilvus is missing or the server
    does not answer."""

    def __init__(self, address: Address, name: str, answer_s: float) -> None:
        """``answer_s``: the longest wait for the server's greeting."""
        self._address, self._name, self._answer_s = address, name, answer_s
        self.library, rpc_error = _library()
        self._errors = (self.library.MilvusException, rpc_error)
        self._reach = Reach()
        self._opening = threading.Lock()
        self._client: Any = None
        self._closed = False

    def close(self) -> None:
        with self._opening:
            self._closed = True
        self._let_go(self._client)

    def ask(self, call: Callable[[Any], T]) -> T:
        """What ``call`` answers, which gets a ``MilvusClient``."""
        self._reach.check()
        client = None
        try:
            client = self._open()
            answer = call(client)
        except SearchIndexError:
            self._reach.succeed()  # it answered, but not what is asked for
            raise
        except (*self._errors, OSError, ValueError) as error:
            self._let_go(client)
            raise self._failed(error) from None
        self._reach.succeed()
        return answer

    def _failed(self, error: Exception) -> SearchIndexError:
        details = getattr(error, "details", None)  # gRPC's errors have the whole call in their text
        said = details() if callable(details) else getattr(error, "message", "") or error
        cause = " ".join(self._address.hide(str(said)).split())[:300]
        text = f"index {self._name}: {cause}; see that the Milvus server runs and can be reached, and try again"
        self._reach.fail(text)
        return SearchIndexError(text)

    def _open(self) -> Any:
        with self._opening:
            if self._closed:
                raise SearchIndexError(f"index {self._name}: it is closed")
            if self._client is None:
                address = self._address
                scheme = "https" if address.option("tls") == "1" else "http"
                self._client = self.library.MilvusClient(
                    f"{scheme}://{address.host}:{address.port}",
                    user=address.user,
                    password=address.password,
                    db_name=address.option("database"),
                    timeout=self._answer_s,
                )
            return self._client

    def _let_go(self, client: Any) -> None:
        """A client that failed is opened anew: the old one would try again at moments of its own."""
        with self._opening:
            broken, self._client = self._client, None if self._client is client else self._client
        if broken is client and client is not None:
            client.close()


def _library() -> tuple[Any, type[Exception]]:
    """pymilvus, and the error of gRPC that it lets through. Its log would repeat what is raised here, with traces."""
    try:
        import grpc
        import pymilvus
    except ImportError as error:
        raise SearchIndexError(
            f'index milvus://...: the package pymilvus is missing ({error}); pip install ".[milvus]" brings it'
        ) from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return pymilvus, grpc.RpcError
