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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from catalog.errors import SearchIndexError
from catalog.records import Floats

from .address import Address, parse_address
from .base import IndexOptions
from .directory import Entries, Entry
from .fields import fields_of, word
from .lifted import lift, lift_query
from .milvus_collections import ID_BYTES, TEXT_BYTES, open_collection
from .milvus_connection import MilvusConnection
from .naming import check_name, name_of
from .remote import RemoteIndex
from .server import Row, Want, in_parts
from .track_text import read_track, write_track

PORT: Final = 19530
OPTIONS: Final = ("database", "tls")
MOST: Final = 16_384  # rows that one search or query may return
EF: Final = 1024  # without a filter
LEAST_SHARE: Final = 0.07  # of rows that pass; below, the server compares them one by one
ANSWER_S: Final = 4.0  # a search or a look-up
WRITE_S: Final = 60.0
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


def probe_milvus(text: str) -> str:
    """The server at an address in words, if it answers; nothing is made there. Raises ``SearchIndexError``."""
    address = parse_address(text, PORT, OPTIONS)
    connection = MilvusConnection(address, str(address), ANSWER_S)
    try:
        version = connection.ask(lambda client: client.get_server_version(timeout=ANSWER_S))
    finally:
        connection.close()
    return f"Milvus {version} answers at {address}"


class Milvus:
    """A ``server.Server``. Raises ``SearchIndexError`` for a server that does not answer, and for a collection of other
    vectors or another schema."""

    most = MOST
    compared_below = 2000

    def __init__(self, address: Address, name: str, dim: int) -> None:
        self._segments, self._tracks = name, f"{name}_tracks"
        self.name = str(address) if address.path else f"{address}/{name}"
        self._dim = dim
        self._connection = MilvusConnection(address, self.name, ANSWER_S)
        self._ask = self._connection.ask
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

    def heads_of(self, ids: Collection[str], newest: bool = False) -> list[Entry]:
        level = "Strong" if newest else "Session"
        return [
            self._entry(row)
            for keys in _portions(list(ids), KEYS_AT_ONCE)
            for row in self._query(self._tracks, f"id in {json.dumps(keys)}", ["id", "text"], consistency_level=level)
        ]

    def count(self) -> int:
        rows = self._query(self._segments, "", ["count(*)"])
        return int(rows[0]["count(*)"])

    def nearest(self, query: Floats, limit: int, want: Want) -> list[Row]:
        search = {"metric_type": "IP", "params": {"ef": max(limit, _ef(want))}}
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
        known = {(entry.id, entry.version) for entry in old}
        since = self.heads_of([entry.id for entry in entries], newest=True)  # rows take a while: others wrote too
        for heads_at_once in _portions(heads, ROWS_AT_ONCE):
            self._write(self._upsert, heads_at_once)
        self._delete_rows([*old, *(entry for entry in since if (entry.id, entry.version) not in known)])

    def drop(self, old: Sequence[Entry]) -> None:
        for ids in _portions([entry.id for entry in old], KEYS_AT_ONCE):
            self._write(self._delete, self._tracks, ids)
        self._delete_rows(old)
        self._query(self._tracks, 'id == ""', ["id"], consistency_level="Strong")  # waits until it is seen

    def discard(self, lost: Sequence[Entry]) -> None:
        self._delete_rows(lost)

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
        self._connection.close()

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

    def _prepare(self) -> None:
        """See that both collections are there, as they must be, and can be searched."""
        for name, dim in ((self._segments, self._dim), (self._tracks, None)):
            self._ask(partial(open_collection, library=self._connection.library, place=self.name, name=name, dim=dim,
                              answer_s=ANSWER_S))  # fmt: skip

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


def _ef(want: Want) -> int:
    """How many rows a search in the graph keeps in sight: the more, the fewer of those it meets pass."""
    return int(EF / max(want.rows / max(want.total, 1), LEAST_SHARE) ** 0.5)


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
