"""The two collections of an index on Milvus: what their rows have, how they are made, and whether they are ours."""

from collections.abc import Mapping
from typing import Any, Final

from catalog.errors import SearchIndexError

from .fields import MOST as MOST_WORDS

SCHEMA: Final = "segue index, schema 1"
ID_BYTES: Final = 256
TEXT_BYTES: Final = 65_535
LINKS: Final = 32  # HNSW's M
EF_BUILD: Final = 200
OPEN_S: Final = 60.0  # a new collection takes some seconds until it can be searched


def open_collection(client: Any, library: Any, place: str, name: str, dim: int | None, answer_s: float) -> None:
    """See that a collection is there, as it must be, and can be searched. ``dim``: the width of segments' vectors, None
    for the collection of tracks. ``place``: for errors. Raises ``SearchIndexError``."""
    if not client.has_collection(name, timeout=answer_s):
        _create(client, library, name, dim, answer_s)
    _check(place, name, client.describe_collection(name, timeout=answer_s), dim)
    client.load_collection(name, timeout=OPEN_S)


def _create(client: Any, library: Any, name: str, dim: int | None, answer_s: float) -> None:
    """Of several processes at once one creates it."""
    index = client.prepare_index_params()
    if dim is None:
        schema = _track_fields(library)
        index.add_index("vector", index_type="FLAT", metric_type="IP", params={})
    else:
        schema = _segment_fields(library, dim)
        index.add_index("vector", index_type="HNSW", metric_type="IP", params={"M": LINKS, "efConstruction": EF_BUILD})
    try:
        client.create_collection(name, schema=schema, consistency_level="Session", num_shards=1, timeout=OPEN_S)
    except library.MilvusException:
        if not client.has_collection(name, timeout=answer_s):
            raise
    client.create_index(name, index, timeout=OPEN_S)


def _segment_fields(library: Any, dim: int) -> Any:
    kinds = library.DataType
    schema = library.MilvusClient.create_schema(description=SCHEMA)
    schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=ID_BYTES + 64)
    schema.add_field("owner", kinds.INT64)
    schema.add_field("tempo", kinds.DOUBLE)
    schema.add_field("duration", kinds.DOUBLE)
    schema.add_field("words", kinds.ARRAY, element_type=kinds.INT64, max_capacity=MOST_WORDS)
    schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dim + 1)  # lifted
    return schema


def _track_fields(library: Any) -> Any:
    kinds = library.DataType
    schema = library.MilvusClient.create_schema(description=SCHEMA)
    schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=ID_BYTES)
    schema.add_field("text", kinds.VARCHAR, max_length=TEXT_BYTES)
    schema.add_field("vector", kinds.FLOAT_VECTOR, dim=2)  # no collection may be without
    return schema


def _check(place: str, name: str, found: Mapping[str, Any], dim: int | None) -> None:
    cure = "name another collection in the address, or drop it"
    if found.get("description") != SCHEMA:
        raise SearchIndexError(
            f"index {place}: collection {name} is not one of {SCHEMA} "
            f"(it says {str(found.get('description'))[:60]!r}); {cure}"
        )
    has = next(int(field["params"]["dim"]) for field in found["fields"] if field["name"] == "vector")
    if dim is not None and has != dim + 1:
        raise SearchIndexError(
            f"index {place}: collection {name} has vectors of {has - 1} numbers, the catalogue has {dim}: "
            f"another bundle made it; {cure}"
        )
