"""A report as one page of HTML: no script, nothing from elsewhere, light and dark as the reader's system is.

It shows whatever a report holds: of a run that was stopped, too, with how far it came.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from .compare import NOT_LABELS, SAME, Comparison, describe_machine
from .conditions import is_missed
from .plots import Plot, plots
from .progress import clock_text
from .svg import number_text

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
LIGHT: Final = "#2563c9 #c2600c #1f7f52 #7d4bc0 #b9304a #0d7f91"
DARK: Final = "#74a7ff #f2a65a #63c99a #bd98f5 #ff8298 #55c9dc"
STYLE: Final = """
:root { color-scheme: light dark; --back: #fbfbfa; --text: #1c1d20; --dim: #5d626b; --line: #dfe1e5; --card: #fff;
  --bad: #b3261e; --good: #1f7f52; %(light)s }
@media (prefers-color-scheme: dark) { :root { --back: #15171b; --text: #e8e9ec; --dim: #a0a6b1; --line: #32363e;
  --card: #1c1f24; --bad: #ff9188; --good: #63c99a; %(dark)s } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p, dd { margin: .25rem 0 } .dim, figcaption { color: var(--dim) }
.bad { color: var(--bad) } .good { color: var(--good) }
.banner { border: 1px solid var(--bad); border-radius: 6px; padding: .5rem .75rem; margin: 1rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dt { color: var(--dim) }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere }
@media (max-width: 40rem) { dl { display: block } dd { margin-bottom: .4rem } }
figure { margin: 0; padding: .75rem; background: var(--card); border: 1px solid var(--line); border-radius: 6px }
figcaption { font-size: .85rem; margin-top: .5rem }
svg { display: block; width: 100%%; height: auto; font: 12px system-ui, sans-serif; overflow: visible }
svg text { fill: var(--dim) } svg text.value { fill: var(--text) } .grid { stroke: var(--line) }
.line { fill: none; stroke-width: 2 } .whisker { stroke: var(--text); stroke-width: 1.5 }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: 0 0 .5rem; list-style: none;
  font-size: .85rem }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem }
th, td { text-align: left; padding: .15rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--dim); font-weight: 500 } td.n, th.n { text-align: right; white-space: nowrap }
%(colours)s
"""
WORDS: Final = {"slower": "bad", "worse": "bad", "faster": "good", "better": "good"}


def page(document: Mapping[str, Any], comparison: Comparison | None = None) -> str:
    """``document`` as `reading.read` gives it, or as a report makes it."""
    name = f"segue bench {document['bench']}"
    body = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="dim">{escape(" · ".join(headline(document)))}</p>',
        banner(document),
        *comparison_part(comparison),
        *(figure(plot) for plot in plots(document)),
        *parts(document.get("parts") or []),
        *tables(document["rows"]),
        "<h2>Where it was measured</h2>",
        facts(document),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}</title><style>{style()}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def style() -> str:
    names = [f"--s{number}: {{}}" for number in range(6)]
    light, dark = (
        "; ".join(name.format(colour) for name, colour in zip(names, colours.split(), strict=True))
        for colours in (LIGHT, DARK)
    )
    colours = "\n".join(
        f".line.s{n} {{ stroke: var(--s{n}) }} .bar.s{n}, .dot.s{n} {{ fill: var(--s{n}) }} "
        f"i.s{n} {{ background: var(--s{n}) }}"
        for n in range(6)
    )
    return STYLE % {"light": light, "dark": dark, "colours": colours}


def headline(document: Mapping[str, Any]) -> list[str]:
    words = [str(document.get("date", "")), f"commit {document.get('commit', 'unknown')}"]
    words.append(describe_machine(document.get("machine") or {}))
    if document.get("quick"):
        words.append("quick run")
    if isinstance(document.get("duration_s"), int | float):
        words.append(f"took {clock_text(document['duration_s'])}")
    return [word for word in words if word]


def banner(document: Mapping[str, Any]) -> str:
    if document.get("complete", True):
        return ""
    text = document.get("failure") or "stopped"
    return f'<p class="banner"><b class="bad">This run did not end:</b> {escape(str(text))}. Below is what it had.</p>'


def figure(plot: Plot) -> str:
    legend = "".join(f'<li><i class="s{number % 6}"></i>{escape(name)}</li>' for number, name in enumerate(plot.legend))
    head = f'<ul class="legend">{legend}</ul>' if legend else ""
    note = f"<figcaption>{escape(plot.note)}</figcaption>" if plot.note else ""
    return f"<h2>{escape(plot.title)}</h2><figure>{head}{plot.svg}{note}</figure>"


def comparison_part(comparison: Comparison | None) -> Iterable[str]:
    if comparison is None:
        return
    yield "<h2>Against the old report</h2>"
    yield from (f'<p class="dim">{escape(text)}.</p>' for text in comparison.warnings)
    yield f"<p>{escape(', '.join(f'{number} {word}' for word, number in comparison.counts.items()))}.</p>"
    lines = [
        [
            escape(verdict.name),
            f'<span class="{WORDS.get(verdict.word, "")}">{"perhaps " * verdict.perhaps}{verdict.word}</span>',
            *map(escape, (f"{verdict.old:.4g}", f"{verdict.new:.4g} {verdict.unit}")),
            *map(escape, (f"{verdict.change:+.1%}", f"{verdict.noise:.1%}")),
        ]
        for verdict in sorted(comparison.verdicts, key=lambda one: (one.perhaps, -abs(one.change)))
        if verdict.word != SAME
    ]
    if lines:
        yield table(("what", "verdict", "old", "new", "change", "noise"), lines, right=2)


def parts(given: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if not given:
        return
    yield "<h2>Benchmarks of this run</h2>"
    lines = [
        [
            escape(str(part.get("bench"))),
            state(str(part.get("state"))),
            escape(str(part.get("failure") or "")),
            clock_text(part["duration_s"]) if isinstance(part.get("duration_s"), int | float) else "",
        ]
        for part in given
    ]
    yield table(("benchmark", "state", "why", "time"), lines, right=3)


def state(text: str) -> str:
    return f'<span class="{"" if text in ("done", "skipped") else "bad"}">{escape(text)}</span>'


def tables(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """All rows, by benchmark."""
    for bench in dict.fromkeys(str(row["bench"]) for row in rows):
        own = [row for row in rows if row["bench"] == bench]
        yield f"<h2>{escape(bench)}: all figures</h2>"
        yield table(("of", "metric", "value", "95% of runs", "n", "asked"), [line(row) for row in own], right=2)


def line(row: Mapping[str, Any]) -> list[str]:
    labels = ", ".join(f"{name} {value}" for name, value in row.items() if name not in NOT_LABELS)
    low, high = row.get("low"), row.get("high")
    spread = f"{figure_text(low)} – {figure_text(high)}" if isinstance(low, int | float) else ""
    wanted = escape(str(row.get("asked", "")))
    if wanted:
        wanted = f'<span class="{"bad" if is_missed(row) else "good"}">{wanted}</span>'
    value = f"{figure_text(row.get('value'))} {row.get('unit', '')}"
    return [escape(labels), escape(row["metric"]), escape(value), escape(spread), str(row.get("n", "")), wanted]


def figure_text(value: Any) -> str:
    return number_text(float(value)) if isinstance(value, int | float) else "unknown"


def facts(document: Mapping[str, Any]) -> str:
    machine, load = document.get("machine") or {}, document.get("load") or {}
    found: dict[str, Any] = {name: value for name, value in machine.items() if name != "gpus" and value not in ([], "")}
    for number, gpu in enumerate(machine.get("gpus") or []):
        found[f"GPU {number}"] = ", ".join(f"{name} {value}" for name, value in gpu.items())
    if document.get("engine"):
        found["engine"] = document["engine"]
    if load:
        before, during, most = (load.get(f"{name}_cores") for name in ("before", "during", "most"))
        found["busy cores of other programs"] = f"{before} before, {during} during (median), {most} at most"
        found["MHz during"] = f"{load.get('mhz')} (median), {load.get('least_mhz')} at least"
    arguments = document.get("arguments") or {}
    found["arguments"] = ", ".join(f"{name} {value}" for name, value in arguments.items())
    found["versions"] = ", ".join(f"{name} {value}" for name, value in (document.get("versions") or {}).items())
    own = {"python", "system", "cpu", "cores", "engine", *(document.get("versions") or {})}
    env = {name: value for name, value in (document.get("env") or {}).items() if name not in own}
    found["settings"] = ", ".join(f"{name} {value}" for name, value in env.items())
    return "<dl>" + "".join(
        f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in found.items() if value != ""
    ) + "</dl>"  # fmt: skip


def table(head: Sequence[str], lines: Sequence[Sequence[str]], right: int) -> str:
    """Cells are HTML; columns from ``right`` on hold figures."""

    def row(cells: Sequence[str], tag: str) -> str:
        marks = [' class="n"' if at >= right else "" for at in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{m}>{c}</{tag}>" for m, c in zip(marks, cells, strict=True)) + "</tr>"

    return (
        f'<div class="scroll"><table><thead>{row(head, "th")}</thead><tbody>'
        + "".join(row(cells, "td") for cells in lines)
        + "</tbody></table></div>"
    )
