"""The one report of ``gpu.sh``: what each step gave, in JSON and to read. Needs Python alone.

    python benchmarks/gpu_report.py WORK OUT GPU COMMIT

``WORK`` holds ``steps.tsv`` (step, result, seconds, limit, reason) and ``results`` (the reports of the benchmarks and
of the plans as JSON, the tables as Markdown). A result that cannot be read is a step's failure, and is named.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

COLUMNS: Final = ("step", "result", "seconds", "limit_s", "reason")
PLAIN: Final = ("metric", "value", "n", "unit", "reason", "bench")  # of a row, beside its labels
NUMBERS: Final = ("seconds", "limit_s")


def main(work: Path, out: Path, gpu: str, commit: str) -> None:
    """Write ``report.json``, ``REPORT.md`` and the benchmarks' own JSON into ``out``."""
    steps = read_steps(work / "steps.tsv")
    results = {file.stem: read_result(file) for file in sorted((work / "results").glob("*.json"))}
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    report = {"v": 1, "gpu": gpu, "date": date, "commit": commit, "steps": steps, "results": results}
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name in ("engines", "search"):
        if "unreadable" not in results.get(name, {"unreadable": ""}):
            (out / f"{name}.json").write_text(json.dumps(results[name], indent=1) + "\n", encoding="utf-8")
    tables = [file.read_text(encoding="utf-8") for file in sorted((work / "results").glob("*.md"))]
    (out / "REPORT.md").write_text(to_read(gpu, date, commit, steps, results, tables), encoding="utf-8")


def read_steps(file: Path) -> list[dict[str, Any]]:
    steps = []
    for line in filter(None, file.read_bytes().decode(errors="replace").split("\n")):
        step: dict[str, Any] = dict(zip(COLUMNS, line.split("\t", len(COLUMNS) - 1), strict=True))
        step["reason"] = " ".join(step["reason"].split())  # a progress bar has other ends of lines
        steps.append(step | {name: int(step[name]) for name in NUMBERS})
    return steps


def read_result(file: Path) -> Any:
    """What a step wrote; for one that was stopped while it wrote, why it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {"unreadable": str(error)}


def to_read(
    gpu: str,
    date: str,
    commit: str,
    steps: Sequence[Mapping[str, Any]],
    results: Mapping[str, Any],
    tables: Sequence[str],
) -> str:
    lines = [f"# {gpu}, {date}", "", f"Made by `benchmarks/gpu.sh` at commit {commit}.", ""]
    lines += ["| step | result | seconds | of | why |", "|---|---|---|---|---|"]
    for step in steps:
        result = step["result"] if step["result"] == "done" else f"**{step['result']}**"
        lines.append(f"| {step['step']} | {result} | {step['seconds']} | {step['limit_s']} | {step['reason']} |")
    lines += ["", *(f"- `{name}.json` cannot be read: {why}" for name, why in unreadable(results))]
    lines += [
        *engine_lines(results),
        "",
        "`report.json`: all rows. `clocks.csv`: the GPU once a second. `logs.txt`: the output of every step.",
    ]
    return "\n".join([*lines, "", *tables]).rstrip() + "\n"


def unreadable(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, found["unreadable"])
        for name, found in results.items()
        if isinstance(found, dict) and "unreadable" in found
    ]


def engine_lines(results: Mapping[str, Any]) -> list[str]:
    """Every engine of every benchmark: opened, or why not."""
    lines = []
    for name, found in results.items():
        rows = found.get("rows", ()) if isinstance(found, dict) else ()
        for row in rows:
            if row.get("metric") == "available":
                what = " ".join(str(value) for label, value in row.items() if label not in PLAIN)
                lines.append(f"- {name}: {what} {'ran' if row['value'] else 'did not run'}: {row.get('reason', '')}")
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
