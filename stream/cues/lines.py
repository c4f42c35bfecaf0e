"""A session as lines of JSON: a header, then what happened. A line that is torn or not known is passed over.

{"v":1,"id","started","session","label"}     the session; a later one replaces the fields that it has
{"cue":{...}}                                a cue, as ``cue_object`` has it
{"of":3,"end":{...},"to_s","outcome"}        cue 3 is over
{"run":{...}}                                a stretch of OBS's stream or recording; a later one replaces it
{"at":{...}}                                 the session was alive then; about every 10 s with music on air
{"ended":{...},"left_out":0}                 the session's end
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from .model import KINDS, WHY_CHARACTERS, Cue, Moment, Session, bounded
from .runs import OUTPUTS, Run

VERSION: Final = 1
MOST_S: Final = 1e7  # of a session or a track
TEXTS: Final = ("track", "title", "artist", "licence", "attribution", "why", "how", "outcome")
NUMBERS: Final = ("from_s", "to_s", "score")
RUN_BEGINS: Final = ("pts_s", "at_s")
RUN_ENDS: Final = ("end_pts_s", "end_at_s")
CUE_FIELDS: Final = tuple(field.name for field in fields(Cue) if field.name not in ("start", "end"))


def line(value: Mapping[str, Any]) -> str:
    """One line, with its end. Half of a surrogate pair becomes a question mark."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
    return text.encode("utf-8", "replace").decode("utf-8")


def moment_object(moment: Moment | None) -> dict[str, Any] | None:
    """A moment as JSON."""
    return None if moment is None else asdict(moment)


def cue_object(cue: Cue) -> dict[str, Any]:
    """A cue as JSON."""
    values = {name: getattr(cue, name) for name in CUE_FIELDS}
    return {**values, "start": moment_object(cue.start), "end": moment_object(cue.end)}


def run_object(run: Run) -> dict[str, Any]:
    """A stretch of OBS's stream or recording as JSON."""
    return asdict(run)


def session_object(session: Session) -> dict[str, Any]:
    """A session with all its cues as JSON."""
    return {
        "v": VERSION, **session.summary(), "left_out": session.left_out, "runs": [*map(run_object, session.runs)],
        "cues": [*map(cue_object, session.cues)],
    }  # fmt: skip


def read(id: str, lines: Iterable[str]) -> Session:
    """The session of such lines."""
    session, cues, runs = Session(id, ""), dict[int, Cue](), dict[int, Run]()
    for text in lines:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, dict):
            continue
        try:
            session = _add(session, cues, runs, value)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return replace(
        session,
        cues=tuple(cues[number] for number in sorted(cues)),
        runs=tuple(runs[number] for number in sorted(runs)),
    )


def _add(session: Session, cues: dict[int, Cue], runs: dict[int, Run], value: dict[str, Any]) -> Session:
    if "cue" in value:
        cue = _cue(value["cue"])
        cues[cue.number] = cue
        return replace(session, last=_later(session.last, cue.start))
    if "of" in value:
        before, end = cues[int(value["of"])], _moment(value["end"])
        cues[before.number] = replace(
            before, end=end, to_s=_number(value.get("to_s")), from_s=_number(value.get("from_s", before.from_s)),
            outcome=bounded(str(value.get("outcome", ""))),
        )  # fmt: skip
        return replace(session, last=_later(session.last, end))
    if "run" in value:
        run = _run(value["run"])
        runs[run.number] = run
        return session
    if "at" in value:
        return replace(session, last=_later(session.last, _moment(value["at"])))
    if "ended" in value:
        last = session.last if value["ended"] is None else _later(session.last, _moment(value["ended"]))
        return replace(session, last=last, ended=True, left_out=int(value.get("left_out", 0)))
    known = {name: bounded(str(value[name])) for name in ("started", "session", "label") if name in value}
    return replace(session, **known)  # type: ignore[arg-type]


def _cue(value: dict[str, Any]) -> Cue:
    if value["kind"] not in KINDS:
        raise ValueError(value["kind"])
    end = value.get("end")
    texts: dict[str, Any] = {name: bounded(str(value.get(name, "")), WHY_CHARACTERS) for name in TEXTS}
    numbers: dict[str, Any] = {name: _number(value.get(name)) for name in NUMBERS}
    cue = Cue(int(value["number"]), value["kind"], _moment(value["start"]), **texts, **numbers)
    return cue if end is None else replace(cue, end=_moment(end))


def _run(value: dict[str, Any]) -> Run:
    if value["output"] not in OUTPUTS:
        raise ValueError(value["output"])
    begin, end = ([_number(value.get(name)) for name in names] for names in (RUN_BEGINS, RUN_ENDS))
    if None in begin or end.count(None) == 1:
        raise ValueError("a run without a place")
    return Run(int(value["number"]), value["output"], int(value["take"]), *begin, *end)  # type: ignore[arg-type]


def _moment(value: dict[str, Any]) -> Moment:
    pts_s = _number(value["pts_s"])
    if pts_s is None:
        raise ValueError("a moment without a time")
    return Moment(pts_s, bounded(str(value["wall"])), _number(value.get("stream_s")), _number(value.get("record_s")))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not 0 <= number <= MOST_S:
        raise ValueError(f"{number} is no time")
    return number


def _later(one: Moment | None, two: Moment) -> Moment:
    return two if one is None or two.pts_s >= one.pts_s else one
