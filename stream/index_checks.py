"""Checks of ``segue doctor`` on what searches and indexes on more than one machine: packages, and a server by its
address."""

from collections.abc import Iterator
from typing import Final

from .findings import ABSENT, BROKEN, OK, CheckOptions, Finding, installed

# What each is for, the extra that brings it, and its distributions.
SERVERS: Final = (
    ("Milvus", "milvus", ("pymilvus",)),
    ("PostgreSQL", "postgres", ("psycopg", "pgvector")),
    ("Dask", "dask", ("dask", "distributed")),
)


def machines(_: CheckOptions) -> Iterator[Finding]:
    """Which clients of servers are installed."""
    for name, extra, packages in SERVERS:
        versions = {package: version for package in packages if (version := installed(package)) is not None}
        said = ", ".join(f"{package} {version}" for package, version in versions.items())
        if missing := [package for package in packages if package not in versions]:
            text = f"{', '.join(missing)} not installed" + (f" (but {said})" if said else "")
            text += f'; pip install ".[{extra}]" brings it'
            yield Finding(name, ABSENT, text, versions)
        else:
            yield Finding(name, OK, said, versions)


def index(options: CheckOptions) -> Iterator[Finding]:
    """Whether what ``--index`` names can be reached; nothing is made there."""
    if options.index is None:
        return
    from catalog.errors import SearchIndexError
    from catalog.index.registry import probe_index

    try:
        yield Finding("index", OK, probe_index(options.index))
    except SearchIndexError as error:
        yield Finding("index", BROKEN, str(error))
