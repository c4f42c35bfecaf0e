"""Log lines: one an event, with the session, never with a secret."""

import asyncio
import io
import json
import logging
import re
import secrets
import string
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.server.logs import FORMATS, MASK, Logs, guessable, handler, redact, session_id
from stream.server.pool import SessionPool

# what secrets are made of; no letter of the alphabet is spared
SECRETS = st.lists(st.text(string.printable + MASK + "é☃", min_size=4, max_size=24), min_size=1, max_size=3)


def lines(kind: str, known: list[str], write: Any) -> str:
    """What a logger with this handler writes."""
    out = io.StringIO()
    logger = logging.Logger("segue.test")
    logger.addHandler(handler(kind, lambda: known, out))
    write(logger)
    return out.getvalue()


def fail(text: str) -> None:
    raise RuntimeError(text)


@given(SECRETS, st.text(max_size=20), st.text(max_size=20), st.sampled_from(FORMATS))
def test_no_line_holds_a_known_secret(known: list[str], before: str, after: str, kind: str) -> None:
    said = before + after.join(known) + after

    def write(logger: logging.Logger) -> None:
        logger.info("%s", said)
        logger.info(said.replace("%", "%%"), *())
        logger.info("in a mapping: %r", {"x": [said]})
        logger.info("too few: %s %s", said)
        token = session_id.set(known[0])
        try:
            fail(said)
        except RuntimeError:
            logger.exception("failed", stack_info=True)
        finally:
            session_id.reset(token)

    written = lines(kind, known, write)
    texts = (
        [str(value) for line in written.splitlines() for value in json.loads(line).values()]
        if kind == "json"
        else [written]
    )
    for secret in known:
        if secret not in str({"x": [secret]}):
            continue  # its repr is another text, which nobody can recognise
        for text in texts:
            assert secret not in text


@given(
    st.text(string.ascii_letters + string.digits + "-*", min_size=1, max_size=3).filter(lambda t: t.strip("-*")),
    st.sampled_from(["posted again with key {}", "({}) is back", "{}: lost", "{}, then {} {}"]),
    st.text(string.printable + MASK, max_size=6).filter(lambda text: len(text) > len(MASK)),
)
def test_a_short_secret_is_masked_where_it_stands_alone_and_nowhere_else(secret: str, line: str, other: str) -> None:
    written = redact(line.format(secret, secret, secret), [secret, other, ""])
    assert not re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", written)
    assert other not in written
    assert redact(f"x{secret}x-{secret}y", [secret]) == f"x{secret}x-{secret}y"  # a part of other words


@given(st.text(string.ascii_letters + string.digits + "-_", min_size=8, max_size=40))
def test_what_stands_in_a_secrets_place_is_masked_without_being_known(secret: str) -> None:
    secret = "Q7" + secret
    for text in (
        f"DELETE /whip/{secret} 200",
        f"https://studio.example/whip/{secret}?x=1",
        f"Authorization: Bearer {secret}",
        f"GET /sessions/abc/events?token={secret}&v=1",
        f"{{'publish_token': '{secret}'}}",
        f'{{"key": "{secret}"}}',
        f"rtmp://ingest.example/live/{secret}",
        f"rtmps://ingest.example:443/live/{secret}",
        f"srt://host:9000?passphrase={secret}&mode=caller",
        f"rtsp://camera:{secret}@10.0.0.9/stream",
    ):
        assert secret not in redact(text), text
        assert MASK in redact(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"password": "two words, \\" and more", "x": 1}', '{"password": "***", "x": 1}'),
        ("{'view_token': 'a b;c', 'y': 'z'}", "{'view_token': '***', 'y': 'z'}"),
        ("srt://h:9000?streamid=#!::u=ann,s=word&latency=1", "srt://h:9000?streamid=***&latency=1"),
        ("rtsp://ann:w@rd@10.0.0.9/stream and a@b", "rtsp://***@10.0.0.9/stream and a@b"),
        ("token=abc, then def", "token=***, then def"),
    ],
)
def test_a_secret_ends_where_its_place_does(text: str, written: str) -> None:
    assert redact(text) == written


@pytest.mark.parametrize("word", ["wrong", "password", "is"])
def test_a_password_that_is_an_ordinary_word_is_masked_in_its_place_alone(word: str) -> None:
    assert guessable(word)
    said = "127.0.0.1:4455: OBS says that the password is wrong"
    assert redact(said) == said
    for text in (
        f"obs://:{word}@127.0.0.1:4455",
        f"password={word}",
        f'{{"obs_password": "{word}"}}',
        f"key={word}&x=1",
    ):
        assert word not in redact(text).replace("password", ""), text


@pytest.mark.parametrize("secret", ["wrong-horse", "Wrong", "wr0ng", "correcthorse", "geheim ", "größer", ""])
def test_any_other_password_is_a_secret_everywhere(secret: str) -> None:
    assert not guessable(secret)


@pytest.mark.parametrize("text", ["publisher ended: no video for 15 s", "https://host:80/sessions/abc/events", "a@b"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text, ["a secret of some length"]) == text


@given(st.text(), st.sampled_from(FORMATS))
def test_an_event_is_one_line(text: str, kind: str) -> None:
    written = lines(kind, [], lambda logger: logger.warning("%s", text))
    assert written.endswith("\n") and len(written.splitlines()) == 1


def test_the_fields_of_a_line() -> None:
    def write(logger: logging.Logger) -> None:
        token = session_id.set("abc")
        logger.warning("frame %d is odd", 7)
        session_id.reset(token)
        try:
            fail("broken")
        except RuntimeError:
            logger.exception("it failed")

    first, second = (json.loads(line) for line in lines("json", [], write).splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {"level": "warning", "logger": "segue.test", "message": "frame 7 is odd", "session": "abc"}
    assert "session" not in second and second["exception"].endswith("RuntimeError: broken")


def test_threads_and_tasks_of_a_session_know_it() -> None:
    async def scene() -> list[str]:
        with SessionPool(1) as pool:
            loop = asyncio.get_running_loop()

            async def of(name: str) -> str:
                session_id.set(name)
                await asyncio.sleep(0)
                return await loop.run_in_executor(pool, session_id.get)

            return await asyncio.gather(*(asyncio.create_task(of(name)) for name in "abc"))

    assert asyncio.run(scene()) == ["a", "b", "c"]


def test_a_pool_says_how_much_waits() -> None:
    import threading

    go, started = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(10)

    with SessionPool(1) as pool:
        assert isinstance(pool, ThreadPoolExecutor) and pool.waiting == 0
        futures = [pool.submit(work) for _ in range(4)]
        assert started.wait(10)
        assert pool.waiting == 3
        assert futures[-1].cancel() and pool.waiting == 2
        go.set()
        for future in futures[:3]:
            future.result(10)
        assert pool.waiting == 0


def test_secrets_of_sessions_are_asked_for_at_each_line(capfd: pytest.CaptureFixture[str]) -> None:
    live: list[str] = []
    secret = secrets.token_urlsafe(24)
    logger = logging.getLogger("segue.test_logs")
    with Logs("text", "info", ["a token of the command line"]) as logs:
        logs.add(lambda: live)
        live.append(secret)
        logger.info("opened %s with a token of the command line", secret)
    logger.info("after the end")
    _, written = capfd.readouterr()
    assert written.count("\n") == 1 and secret not in written and written.count(MASK) == 2
