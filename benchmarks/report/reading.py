"""Reports as files: read again, several joined to one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.errors import BenchError

MOST_BYTES: Final = 64 << 20
RUN: Final = ("date", "commit", "duration_s", "complete", "failure", "quick", "arguments", "load", "engine", "env")
ALL: Final = "all"


def read(path: Path) -> dict[str, Any]:
    """A report, also one of an earlier version, with every key that is read here. Raises `BenchError` for a file that
    is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BenchError(f"{path}: is larger than {MOST_BYTES >> 20} MiB, which no report is; name another file")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{path}: cannot be read as a report ({error}); name a file that --json of segue bench wrote"
        ) from error
    if not isinstance(document, dict) or document.get("v") != 1 or not isinstance(document.get("rows"), list):
        raise BenchError(f"{path}: is no report of version 1 of segue bench; measure again with --json")
    bench = str(document.get("bench", ""))
    rows = [{"bench": bench} | row for row in document["rows"] if is_row(row)]
    env = mapping(document.get("env"))
    machine = {name: env[name] for name in ("system", "cpu", "cores") if name in env} | mapping(document.get("machine"))
    filled: dict[str, Any] = {
        "bench": bench, "commit": "unknown", "date": "", "duration_s": None, "complete": True, "failure": "",
        "quick": False, "arguments": {}, "load": {}, "engine": "", "versions": {}, "curves": [], "parts": [],
    }  # fmt: skip
    return filled | document | {"rows": rows, "env": env, "machine": machine}


def is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("metric"), str) and isinstance(row.get("value"), int | float)


def mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def join(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several reports as one; a single one as it is. The machine, versions and date are the first's."""
    if len(documents) == 1:
        return dict(documents[0])
    first = documents[0]
    rows = [row for document in documents for row in document["rows"]]
    curves = [{"bench": document["bench"]} | curve for document in documents for curve in document.get("curves", [])]
    parts = [part for document in documents for part in (document.get("parts") or [part_of(document)])]
    return {
        **first, "bench": ALL, "rows": rows, "curves": curves, "parts": parts,
        "complete": all(document["complete"] for document in documents),
        "failure": "; ".join(str(document["failure"]) for document in documents if document["failure"]),
        "quick": any(document["quick"] for document in documents),
    }  # fmt: skip


def part_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """One benchmark of a joined report."""
    state = "done" if document["complete"] else "failed"
    return {"bench": document["bench"], "state": state} | {name: document.get(name) for name in RUN}
