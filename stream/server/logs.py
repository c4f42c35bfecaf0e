"""One line an event on standard error, as JSON or as text, without secrets.

Each line has its time (UTC, ISO 8601), its level, the logger and, where there is one, the session that it is about:
tasks and threads of a session carry its id with them. A filter redacts each record before any formatter sees it: known
secrets everywhere, and whatever is in the place of a secret (a publisher's resource, a bearer token, a stream key).
"""

import contextvars
import datetime
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Final, TextIO

FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")
MASK: Final = "***"

session_id: contextvars.ContextVar[str] = contextvars.ContextVar("session_id", default="")

_NAMES: Final = r"\b(?:\w*_)?(?:token|secret|passphrase|password|key|streamkey|streamid)[\"']?\s*[=:]\s*"
# the text before a secret, in the first group, and the secret
PLACES: Final = (
    re.compile(r"(/whip/)([^\s/?#\"'<>]+)"),
    re.compile(r"(\b(?:bearer|basic)\s+)([^\s\"',;]+)", re.IGNORECASE),
    re.compile(rf"({_NAMES}([\"']))(?:\\.|(?!\2).)+", re.IGNORECASE),  # in quotes it may hold anything
    re.compile(r"(\bstreamid=)[^\s&\"']+", re.IGNORECASE),  # of SRT: fields with commas
    re.compile(rf"({_NAMES})[^\s&\"',;]+", re.IGNORECASE),
    re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/\"']+(?=@)", re.IGNORECASE),  # a URL's user and password
    re.compile(r"(\brtmps?://[^\s/\"']+/[^\s/\"']+/)([^\s\"']+)", re.IGNORECASE),  # the key follows the application
)

ORDINARY: Final = re.compile(r"[a-z]{1,8}")  # a word that a sentence may hold

Secrets = Callable[[], Iterable[str]]


def guessable(password: str) -> bool:
    """Whether a password of another program is an ordinary short word. It is then no secret to mask everywhere, only in
    a secret's place: "the password is ***" would tell everybody that it is "wrong"."""
    return ORDINARY.fullmatch(password) is not None


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets and without whatever is in a secret's place.

    A secret no longer than the mask is masked only where it is a whole word: else a key "a" would leave nothing of a
    line. A secret that short without a letter or digit is not masked at all.
    """
    by_length = sorted(filter(None, set(secrets)), key=len, reverse=True)
    patterns = [_pattern_of(secret) for secret in by_length if len(secret) > len(MASK) or any(map(str.isalnum, secret))]
    pattern = re.compile("|".join(patterns)) if patterns else None
    for place in PLACES:
        text = place.sub(rf"\1{MASK}", text)
    while pattern is not None and pattern.search(text):  # a mask and the text beside it may form another secret
        text = pattern.sub(MASK, text)
    return text


def _pattern_of(secret: str) -> str:
    """The regular expression for a secret. Every substitution removes other characters than stars, or shortens a run of
    stars, so substitutions end."""
    pattern = re.escape(secret)
    return pattern if len(secret) > len(MASK) else rf"(?<![\w-]){pattern}(?![\w-])"


class Redactor(logging.Filter):
    """Rewrites records in place. ``secrets`` is called for each, so that secrets of ended sessions are forgotten."""

    def __init__(self, secrets: Secrets = tuple) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        secrets = list(self._secrets())
        record.msg, record.args = redact(_message(record), secrets), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redact("".join(traceback.format_exception(record.exc_info[1])).rstrip(), secrets)
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = redact(record.exc_text, secrets)
        if record.stack_info:
            record.stack_info = redact(record.stack_info, secrets)
        record.session = redact(session_id.get(), secrets)
        return True


class JsonLines(logging.Formatter):
    """An object a line: ``time``, ``level``, ``logger``, ``message``, and ``session``, ``exception`` where they are."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if session := getattr(record, "session", ""):
            fields["session"] = session
        if trace := _trace(record):
            fields["exception"] = trace
        return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))


class TextLines(logging.Formatter):
    """``time level logger [session] message``, line breaks and control characters escaped: one event is one line."""

    def format(self, record: logging.LogRecord) -> str:
        session = getattr(record, "session", "")
        about = f"[{session}] " if session else ""
        text = f"{_time(record)} {record.levelname.lower()} {record.name} {about}{record.getMessage()}"
        if trace := _trace(record):
            text += f" | {trace}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def handler(kind: str, secrets: Secrets = tuple, out: TextIO | None = None) -> logging.Handler:
    """The handler that writes the lines to ``out``, by default standard error. ``kind`` is one of `FORMATS`."""
    stream_handler = logging.StreamHandler(sys.stderr if out is None else out)
    stream_handler.setFormatter(JsonLines() if kind == "json" else TextLines())
    stream_handler.addFilter(Redactor(secrets))
    return stream_handler


class Logs:
    """The log of one server process, while the block lasts. Secrets may be added while it runs."""

    def __init__(self, kind: str, level: str, secrets: Iterable[str] = ()) -> None:
        self._sources: list[Secrets] = [lambda fixed=tuple(secrets): fixed]  # type: ignore[misc]
        self._handler = handler(kind, self._secrets)
        self._level = level.upper()
        self._before = logging.WARNING

    def add(self, source: Secrets) -> None:
        """Redact also the secrets that ``source`` returns at each line."""
        self._sources.append(source)

    def __enter__(self) -> "Logs":
        root = logging.getLogger()
        self._before = root.level
        root.addHandler(self._handler)
        root.setLevel(self._level)
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._before)

    def _secrets(self) -> list[str]:
        return [secret for source in self._sources for secret in source()]


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments; a call with arguments that do not fit still gets a line."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever an argument's __str__ raises
        return f"{record.msg!r} with {record.args!r}"


def _time(record: logging.LogRecord) -> str:
    moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(record: logging.LogRecord) -> str:
    return "\n".join(part for part in (record.exc_text, record.stack_info) if part)
