"""Milvus as the server of an index: ``milvus://[USER:PASSWORD@]HOST[:PORT][/COLLECTION][?database=NAME&tls=1]``.

The password may come from SEGUE_INDEX_PASSWORD too.

Two collections. ``COLLECTION`` has a row for each segment, whose key is its version, its number and its track's id, and
the numbers and words that filters look at. ``COLLECTION_tracks`` has a row for each track; written after the rows of
its segments were acknowledged, it makes them count. So a client that ends at any instant leaves no half track.

*Consistency*: every call has level "Session": it waits until the server has seen what this process added (up to 200 ms
once after a write) and no longer, so a search some time after a write takes no longer than with "Bounded". A deletion
is not covered by that (2.3.5 answers it without a time): removing tracks therefore waits itself. What other processes
write is seen a fraction of a second later.

The vectors' index is HNSW; the server makes it for a part of the rows once that is sealed, others are compared one by
one. Tested: Milvus 2.3.5 standalone, by pymilvus 3. Other servers, and clusters, have not been seen.
"""

import json
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from catalog.errors import SearchIndexError
from catalog.records import Floats

from .address import Address, parse_address
from .base import IndexOptions
from .directory import Entries, Entry
from .fields import MOST as MOST_WORDS
from .fields import fields_of, word
from .lifted import lift, lift_query
from .naming import check_name, name_of
from .reach import Reach
from .remote import RemoteIndex, Row, Want, in_parts
from .track_text import read_track, write_track

PORT: Final = 19530
OPTIONS: Final = ("database", "tls")
SCHEMA: Final = "segue index, schema 1"
MOST: Final = 16_384  # rows that one search or query may return
ID_BYTES: Final = 256
TEXT_BYTES: Final = 65_535
LINKS: Final = 32  # HNSW's M
EF_BUILD: Final = 200
EF: Final = 1024  # at least; more for more rows
ANSWER_S: Final = 4.0  # a search or a look-up
WRITE_S: Final = 60.0
OPEN_S: Final = 60.0  # a new collection takes some seconds until it can be searched
SEAL_FROM: Final = 10_000  # rows written since the last time
ROWS_AT_ONCE: Final = 4096
KEYS_AT_ONCE: Final = 4096
TRIES: Final = 3

T = TypeVar("T")


def open_milvus(text: str, options: IndexOptions) -> RemoteIndex:
    """The index at an address. Raises ``SearchIndexError``, which never has the address's credentials."""
    address = parse_address(text, PORT, OPTIONS)
    name = check_name(address.path, str(address)) if address.path else name_of(options.folder)
    return RemoteIndex(Milvus(address, name, options.dim), options)


class Milvus:
    """A ``remote.Server``. Raises ``SearchIndexError`` for a server that does not answer, and for a collection of other
    vectors or another schema."""

    most = MOST
    compared_below = 2000

    def __init__(self, address: Address, name: str, dim: int) -> None:
        self._address = address
        self._segments, self._tracks = name, f"{name}_tracks"
        self.name = str(address) if address.path else f"{address}/{name}"
        self._dim = dim
        self._library, rpc_error = _library()
        self._errors = (self._library.MilvusException, rpc_error)
        self._reach = Reach()
        self._opening = threading.Lock()
        self._client: Any = None
        self._closed = False
        self._unsealed = 0  # rows of this process
        self._prepare()

    def heads(self) -> Iterator[Entry]:
        count, rows = 0, list[Any]()
        for _ in range(TRIES):  # somebody may remove tracks meanwhile
            [counted] = self._query(self._tracks, "", ["count(*)"])
            count, rows = int(counted["count(*)"]), list(self._pages(self._tracks, ["id", "text"]))
            if len(rows) >= count:
                return map(self._entry, rows)
        raise SearchIndexError(
            f"index {self.name}: it has {count} tracks and answers with {len(rows)}; "
            "another version of the Milvus server may do better (2.3.5 was tested)"
        )

    def heads_of(self, ids: Collection[str]) -> list[Entry]:
        return [
            self._entry(row)
            for keys in _portions(list(ids), KEYS_AT_ONCE)
            for row in self._query(self._tracks, f"id in {json.dumps(keys)}", ["id", "text"])
        ]

    def count(self) -> int:
        rows = self._query(self._segments, "", ["count(*)"])
        return int(rows[0]["count(*)"])

    def nearest(self, query: Floats, limit: int, want: Want) -> list[Row]:
        search = {"metric_type": "IP", "params": {"ef": max(EF, limit)}}
        found = self._ask(
            lambda client: client.search(
                self._segments,
                data=[lift_query(query)],
                filter=_expression(want),
                limit=limit,
                search_params=search,
                timeout=ANSWER_S,
                consistency_level="Session",
            )
        )
        rows = []
        for hit in found[0]:
            if np.isfinite(score := float(hit["distance"])):
                version, segment, track = hit["id"].split("/", 2)
                rows.append(Row(track, int(version), int(segment), score))
        return rows

    def vectors(self, entries: Sequence[Entry]) -> list[Floats | None]:
        rows = {
            row["id"]: row["vector"]
            for some in in_parts(entries, [entry.count for entry in entries], MOST // 4)
            for row in self._query(self._segments, f"owner in {_owners(each.id for each in some)}", ["id", "vector"])
        }
        return [self._whole([rows.get(_key(entry, number)) for number in range(entry.count)]) for entry in entries]

    def put(self, entries: Sequence[Entry], vectors: Sequence[Floats], old: Sequence[Entry]) -> None:
        heads = [self._head(entry) for entry in entries]
        rows: list[dict[str, Any]] = []
        for entry, own in zip(entries, vectors, strict=True):
            fields = fields_of(entry.track)
            same = {
                "owner": _owner(entry.id),
                "tempo": fields.tempo_bpm,
                "duration": fields.duration_s,
                "words": list(fields.words),
            }
            rows += [
                {"id": _key(entry, number), "vector": vector, **same}
                for number, vector in enumerate(lift(own, entry.bound))
            ]
        for some in _portions(rows, ROWS_AT_ONCE):
            self._write(self._insert, some)
        for heads_at_once in _portions(heads, ROWS_AT_ONCE):
            self._write(self._upsert, heads_at_once)
        self._delete_rows(old)

    def drop(self, old: Sequence[Entry]) -> None:
        for ids in _portions([entry.id for entry in old], KEYS_AT_ONCE):
            self._write(self._delete, self._tracks, ids)
        self._delete_rows(old)
        self._query(self._tracks, 'id == ""', ["id"], consistency_level="Strong")  # waits until it is seen

    def settle(self, added: int, total: int) -> None:
        """Rows are indexed once they are sealed, which takes seconds; all others are compared one by one."""
        self._unsealed += added
        if self._unsealed >= SEAL_FROM:
            self._write(lambda client: client.flush(self._segments, timeout=WRITE_S))
            self._unsealed = 0

    def sweep(self, entries: Entries, before: int) -> int:
        strays = []
        for row in self._pages(self._segments, ["id"]):
            version, _, track = row["id"].split("/", 2)
            known = entries.get(track)
            if int(version) < before and (known is None or known.version != int(version)):
                strays.append(row["id"])
        for keys in _portions(strays, KEYS_AT_ONCE):
            self._write(self._delete, self._segments, keys)
        return len(strays)

    def close(self) -> None:
        with self._opening:
            self._closed = True
        self._let_go(self._client)

    def _insert(self, client: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        client.insert(self._segments, rows, timeout=WRITE_S)

    def _upsert(self, client: Any, heads: Sequence[Mapping[str, Any]]) -> None:
        client.upsert(self._tracks, heads, timeout=WRITE_S)

    def _delete(self, client: Any, name: str, keys: Sequence[str]) -> None:
        client.delete(name, filter=f"id in {json.dumps(keys)}", timeout=WRITE_S)  # ``ids=`` breaks at a quote

    def _delete_rows(self, old: Sequence[Entry]) -> None:
        keys = [_key(entry, number) for entry in old for number in range(entry.count)]
        for some in _portions(keys, KEYS_AT_ONCE):
            self._write(self._delete, self._segments, some)

    def _write(self, call: Callable[..., None], *arguments: Any) -> None:
        self._ask(lambda client: call(client, *arguments))

    def _pages(self, name: str, fields: Sequence[str]) -> Iterator[Any]:
        """All rows of a collection, by rising key."""
        after = ""
        while True:
            rows = self._query(name, f"id > {json.dumps(after)}", fields, limit=MOST)
            yield from rows
            if len(rows) < MOST:
                return
            after = max(row["id"] for row in rows)

    def _query(self, name: str, expression: str, fields: Sequence[str], **more: Any) -> list[Any]:
        """Rows of a collection, in no order. Where a server may cut an answer off, ``limit`` says at how many: it then
        has the lowest keys."""
        rows: list[Any] = self._ask(
            lambda client: client.query(
                name,
                filter=expression,
                output_fields=list(fields),
                timeout=ANSWER_S,
                **({"consistency_level": "Session"} | more),
            )
        )
        return rows

    def _ask(self, call: Callable[[Any], T]) -> T:
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
        text = f"index {self.name}: {cause}; see that the Milvus server runs and can be reached, and try again"
        self._reach.fail(text)
        return SearchIndexError(text)

    def _open(self) -> Any:
        with self._opening:
            if self._closed:
                raise SearchIndexError(f"index {self.name}: it is closed")
            if self._client is None:
                address = self._address
                scheme = "https" if address.option("tls") == "1" else "http"
                self._client = self._library.MilvusClient(
                    f"{scheme}://{address.host}:{address.port}",
                    user=address.user,
                    password=address.password,
                    db_name=address.option("database"),
                    timeout=ANSWER_S,
                )
            return self._client

    def _let_go(self, client: Any) -> None:
        """A client that failed is opened anew: the old one would try again at moments of its own."""
        with self._opening:
            broken, self._client = self._client, None if self._client is client else self._client
        if broken is client and client is not None:
            client.close()

    def _prepare(self) -> None:
        """See that both collections are there, as they must be, and can be searched."""
        for name, fields in ((self._segments, self._segment_fields), (self._tracks, self._track_fields)):
            self._ask(partial(self._open_collection, name=name, fields=fields))

    def _open_collection(self, client: Any, name: str, fields: Callable[[], Any]) -> None:
        if not client.has_collection(name, timeout=ANSWER_S):
            self._create(client, name, fields())
        self._check(name, client.describe_collection(name, timeout=ANSWER_S))
        client.load_collection(name, timeout=OPEN_S)

    def _create(self, client: Any, name: str, schema: Any) -> None:
        """Of several processes at once one creates it."""
        index = client.prepare_index_params()
        if name == self._segments:
            index.add_index(
                "vector", index_type="HNSW", metric_type="IP", params={"M": LINKS, "efConstruction": EF_BUILD}
            )
        else:
            index.add_index("vector", index_type="FLAT", metric_type="IP", params={})
        try:
            client.create_collection(name, schema=schema, consistency_level="Session", num_shards=1, timeout=OPEN_S)
        except self._library.MilvusException:
            if not client.has_collection(name, timeout=ANSWER_S):
                raise
        client.create_index(name, index, timeout=OPEN_S)

    def _segment_fields(self) -> Any:
        kinds = self._library.DataType
        schema = self._library.MilvusClient.create_schema(description=SCHEMA)
        schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=ID_BYTES + 64)
        schema.add_field("owner", kinds.INT64)
        schema.add_field("tempo", kinds.DOUBLE)
        schema.add_field("duration", kinds.DOUBLE)
        schema.add_field("words", kinds.ARRAY, element_type=kinds.INT64, max_capacity=MOST_WORDS)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=self._dim + 1)  # lifted
        return schema

    def _track_fields(self) -> Any:
        kinds = self._library.DataType
        schema = self._library.MilvusClient.create_schema(description=SCHEMA)
        schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=ID_BYTES)
        schema.add_field("text", kinds.VARCHAR, max_length=TEXT_BYTES)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=2)  # no collection may be without
        return schema

    def _check(self, name: str, found: Mapping[str, Any]) -> None:
        cure = "name another collection in the address, or drop it"
        if found.get("description") != SCHEMA:
            raise SearchIndexError(
                f"index {self.name}: collection {name} is not one of {SCHEMA} "
                f"(it says {str(found.get('description'))[:60]!r}); {cure}"
            )
        dim = next(int(field["params"]["dim"]) for field in found["fields"] if field["name"] == "vector")
        if name == self._segments and dim != self._dim + 1:
            raise SearchIndexError(
                f"index {self.name}: collection {name} has vectors of {dim - 1} numbers, the catalogue has "
                f"{self._dim}: another bundle made it; {cure}"
            )

    def _head(self, entry: Entry) -> dict[str, Any]:
        text = json.dumps([entry.version, entry.count, entry.stamp, entry.bound, write_track(entry.track)])
        if len(entry.id.encode()) > ID_BYTES or len(text) > TEXT_BYTES:
            raise SearchIndexError(
                f"index {self.name}: track {entry.id[:40]!r} takes {len(text)} bytes as text, Milvus keeps at most "
                f"{TEXT_BYTES}; shorten its tags"
            )
        return {"id": entry.id, "text": text, "vector": [0.0, 0.0]}

    def _entry(self, row: Mapping[str, Any]) -> Entry:
        try:
            version, count, stamp, bound, text = json.loads(row["text"])
            return Entry(read_track(text), int(version), int(count), str(stamp), float(bound))
        except ValueError as error:
            raise SearchIndexError(
                f"index {self.name}: what it holds of track {row['id']!r} cannot be read ({error}); "
                "drop the collection, or name another one in the address"
            ) from None

    def _whole(self, rows: Sequence[Any]) -> Floats | None:
        if any(row is None for row in rows):
            return None
        return np.ascontiguousarray(np.array(rows, np.float32).reshape(-1, self._dim + 1)[:, :-1])


def _key(entry: Entry, number: int) -> str:
    return f"{entry.version}/{number}/{entry.id}"


def _owner(id: str) -> int:
    """Numbers are compared faster than texts."""
    return word("track", id)


def _owners(ids: Iterable[str]) -> list[int]:
    return sorted(map(_owner, ids))


def _expression(want: Want) -> str:
    """In Milvus' language of filters; empty for no filter."""
    needed, parts = want.needed, []
    if needed.low_bpm is not None or needed.high_bpm is not None:
        parts.append("tempo > 0")
    parts += [f"tempo >= {needed.low_bpm!r}"] if needed.low_bpm is not None else []
    parts += [f"tempo <= {needed.high_bpm!r}"] if needed.high_bpm is not None else []
    parts += [f"duration >= {needed.least_s!r}"] if needed.least_s is not None else []
    parts += [f"array_contains_any(words, {list(group)})" for group in needed.groups]
    if want.among is not None:
        parts.append(f"owner in {_owners(want.among)}")
    if want.without:
        parts.append(f"owner not in {_owners(want.without)}")
    return " and ".join(parts)


def _portions(items: list[T], most: int) -> Iterator[list[T]]:
    return (items[start : start + most] for start in range(0, len(items), most))


def _library() -> tuple[Any, type[Exception]]:
    """pymilvus, and the error of gRPC that it lets through. Its log would repeat what is raised here, with traces."""
    try:
        import grpc
        import pymilvus
    except ImportError as error:
        raise SearchIndexError(
            f'index milvus://...: the package pymilvus is missing ({error}); pip install ".[milvus]"'
        ) from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return pymilvus, grpc.RpcError
