"""Actions by plain HTTP: who may, from where, and what is answered."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from stream.client import FrameClient
from stream.server.access import AccessOptions
from stream.server.action_token import FILE, with_action_token
from stream.server.actions import BURST, NAMES, action_routes
from stream.server.command import main
from stream.server.errors import ServeError
from stream.server.kits import Kits
from stream.server.logs import redact
from stream.server.options import ServeOptions
from stream.server.pick import Pick
from stream.server.security import Guard

ACTION, CONTROL, VIEW = "a" * 24, "c" * 24, "v" * 24
GUARDED = AccessOptions(view=VIEW, control=CONTROL, action=ACTION)


@pytest.fixture
def ask(playing: Any, stage: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """``ask(*requests, access=..., stages=None)`` -> answers; a request is a method, an address and its headers."""

    def asking(
        *requests: tuple[Any, ...], access: AccessOptions | None = None, stages: Any = None, clock: Any = lambda: 0.0
    ) -> list[httpx.Response]:
        stages = [stage()] if stages is None else stages
        hub = playing.Sessions(*stages)
        app = FastAPI()
        app.include_router(action_routes(Pick(hub), playing.Shelf(), Kits(tmp_path).get, access, clock))
        guarded = Guard(app, loopback_only=True)

        async def answers() -> list[httpx.Response]:
            transport = httpx.ASGITransport(guarded)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
                return [
                    await client.request(method, address, headers=headers[0] if headers else {})
                    for method, address, *headers in requests
                ]

        return asyncio.run(answers())

    return asking


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_what_is_answered(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    made = stage()
    made.plays(1, 12.0)
    asked = ("POST", "/actions/pause?key=studio")
    (done,) = ask(asked, stages=[made])
    assert done.status_code == 200 and done.headers["cache-control"] == "no-store"
    body = done.json()
    assert (body["v"], body["action"], body["changed"]) == (1, "pause", True)
    assert body["now"]["playing"] and body["now"]["title"] == "Night Bus" and 12 <= body["now"]["position_s"] < 14
    made.plays(1, 13.0, paused=True)
    (again,) = ask(asked, stages=[made])
    assert again.json()["changed"] is False and again.json()["now"]["playing"] is False


def test_what_cannot_be_done_is_said(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    said = [
        (answer.status_code, answer.json()["error"])
        for answer in ask(
            ("POST", "/actions/play"),
            ("POST", "/actions/play?key=other"),
            ("POST", "/actions/dance"),
            ("POST", "/actions/take?n=x"),
            ("POST", "/actions/kit?name=none"),
            ("POST", "/actions/kit"),
        )
    ]
    assert [code for code, _ in said] == [409, 404, 404, 400, 404, 404]
    assert "nobody plays" in said[0][1] and "no stream of this key" in said[1][1]
    assert all(name in said[2][1] for name in NAMES) and "no kit 'none'" in said[4][1]
    (none,) = ask(("POST", "/actions/play"), stages=[])
    assert none.status_code == 404 and "no stream runs" in none.json()["error"]


def test_a_kit_by_its_name(ask: Callable[..., Any], stage: Callable[..., Any], tmp_path: Path) -> None:
    Kits(tmp_path).put("Später Abend", {"steer": {"energy": -0.75}})
    made = stage()
    first, second = ask(
        ("POST", "/actions/kit?name=Sp%C3%A4ter%20Abend"), ("POST", "/actions/kit?name=Später Abend"), stages=[made]
    )
    assert first.json()["changed"] and second.json()["changed"] is False and made.state.steer.energy == -0.75


def test_without_a_key_it_is_the_session_that_plays_else_the_newest(
    ask: Callable[..., Any], stage: Callable[..., Any]
) -> None:
    stages = [stage(key=f"{number}") for number in range(3)]
    for number, each in enumerate(stages):
        each.session.started_s = float(number)
    ask(("POST", "/actions/pin?n=1"), stages=stages)
    stages[0].plays(2)
    obs = stages[1].session
    obs.role.command(obs.join(), {"type": "player", "take": True})  # silent so far
    ask(("POST", "/actions/pin?n=3"), stages=stages)
    assert [each.state.pinned for each in stages] == [f"{3:016x}", None, f"{1:016x}"]
    stages[0].plays(None)
    ask(("POST", "/actions/pin?n=4"), stages=stages[1:])
    assert [each.state.pinned for each in stages] == [f"{3:016x}", f"{4:016x}", f"{1:016x}"]
    obs.role.player.ready = False  # OBS is away, and its session waits for it
    ask(("POST", "/actions/pin?n=2"), stages=stages[1:])
    assert [each.state.pinned for each in stages] == [f"{3:016x}", f"{4:016x}", f"{2:016x}"]


# A page of another origin can make a browser send a GET, and no more than that.
def test_get_needs_a_token_even_where_nobody_else_does(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    made = stage()
    for access, code in ((AccessOptions(), 403), (AccessOptions(action=ACTION), 401), (GUARDED, 401)):
        for address in (
            "/actions/pin",
            "/actions/pin?token=",
            "/actions/pin?token=wrong",
            f"/actions/pin?token={VIEW}",
        ):
            (answer,) = ask(("GET", address), access=access, stages=[made])
            assert answer.status_code == code and "error" in answer.json(), address
    assert made.state.pinned is None
    for token in (ACTION, CONTROL):
        (answer,) = ask(("GET", f"/actions/pin?token={token}"), access=GUARDED, stages=[made])
        assert answer.status_code == 200
    assert made.state.pinned == f"{1:016x}"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "image"},  # another port of this machine
        {"sec-fetch-site": "Cross-Site"},
        {"sec-fetch-site": "none", "sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_no_other_page_presses_keys_even_with_the_token(
    ask: Callable[..., Any], stage: Callable[..., Any], headers: dict[str, str]
) -> None:
    made = stage()
    (answer,) = ask(("GET", f"/actions/pin?token={ACTION}", headers), access=GUARDED, stages=[made])
    assert answer.status_code == 403 and made.state.pinned is None


def test_opened_by_the_user_or_the_own_page(ask: Callable[..., Any]) -> None:
    for site in ("none", "same-origin"):
        (answer,) = ask(("GET", f"/actions/pin?token={ACTION}", {"sec-fetch-site": site}), access=GUARDED)
        assert answer.status_code == 200


def test_other_methods_do_nothing(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    made = stage()
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
        (answer,) = ask((method, f"/actions/pin?token={ACTION}"), access=GUARDED, stages=[made])
        assert answer.status_code == 405 and made.state.pinned is None


def test_post_is_for_who_may_control(ask: Callable[..., Any]) -> None:
    table = [
        (AccessOptions(), {}, 200),
        (AccessOptions(), {"origin": "https://evil.example"}, 403),
        (AccessOptions(), {"origin": "null"}, 403),
        (AccessOptions(), {"host": "evil.example"}, 403),
        (AccessOptions(), {"origin": "http://127.0.0.1:8765"}, 200),
        (GUARDED, {}, 401),
        (GUARDED, bearer(VIEW), 401),
        (GUARDED, bearer("wrong"), 401),
        (GUARDED, bearer(CONTROL), 200),
        (GUARDED, bearer(ACTION), 200),
        (AccessOptions(view=VIEW), {}, 401),  # who may not even view may not control
        (AccessOptions(view=VIEW), bearer(VIEW), 200),
    ]
    for access, headers, code in table:
        (answer,) = ask(("POST", "/actions/pin", headers), access=access)
        assert answer.status_code == code, (access, headers)
        if code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_too_many_are_turned_away(ask: Callable[..., Any]) -> None:
    foreign = ("GET", "/actions/undo", {"sec-fetch-site": "cross-site"})
    *taken, refused = ask(*[foreign] * 99, *[("POST", "/actions/undo")] * (BURST + 1))
    assert [answer.status_code for answer in taken] == [403] * 99 + [200] * BURST
    assert refused.status_code == 429 and refused.headers["retry-after"] == "1" and "too many" in refused.text


def test_no_answer_and_no_log_holds_the_token(ask: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = ask(
            ("GET", f"/actions/pin?token={ACTION}"),
            ("GET", f"/actions/dance?token={ACTION}"),
            ("GET", f"/actions/take?n=99&token={ACTION}"),
            access=GUARDED,
        )
    told = [record.getMessage() for record in caplog.records if record.name.startswith("stream")]
    assert told and not any(ACTION in text for text in [*told, *(answer.text for answer in answers)])
    assert ACTION not in redact(f"GET /actions/pin?key=k&token={ACTION} failed") and ACTION not in repr(GUARDED)


def test_the_token_is_kept_beside_the_catalogue(tmp_path: Path) -> None:
    options = ServeOptions(tmp_path)
    made = with_action_token(options).access
    assert len(made.action) >= 24 and made.action in (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert with_action_token(options).access == made
    given = ServeOptions(tmp_path, access=AccessOptions(action=ACTION))
    assert with_action_token(given) is given
    (tmp_path / FILE).write_text("short")
    with pytest.raises(ServeError, match="holds no token; delete the file") as refused:
        with_action_token(options)
    assert str(tmp_path / FILE) in str(refused.value)


def test_an_empty_file_of_a_token_is_mended_and_a_crash_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ServeOptions(tmp_path)
    (tmp_path / FILE).touch()
    made = with_action_token(options).access.action
    assert len(made) >= 24 and with_action_token(options).access.action == made
    (tmp_path / FILE).unlink()

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("secrets.token_urlsafe", crash)
    with pytest.raises(KeyboardInterrupt):
        with_action_token(options)
    assert list(tmp_path.iterdir()) == []


def test_where_no_token_can_be_kept_there_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert with_action_token(ServeOptions(tmp_path / "none")).access.action == ""
    (tmp_path / FILE).mkdir()
    assert with_action_token(ServeOptions(tmp_path)).access.action == ""
    assert "by POST alone" in caplog.text


def test_in_a_server(serving: Callable[..., Any], offer: str) -> None:
    with (
        serving(access=AccessOptions(action=ACTION)) as running,
        httpx.Client(base_url=running.url) as client,
    ):
        place = client.post("/whip?key=show", content=offer, headers={"content-type": "application/sdp"})
        for method, query, code in (("POST", "", 409), ("GET", "", 401), ("GET", f"&token={ACTION}", 409)):
            answer = client.request(method, f"/actions/next?key=show{query}")
            assert answer.status_code == code, answer.text
        assert client.post("/actions/undo").json()["changed"] is False
        client.delete(place.headers["location"])


def test_from_pictures_to_a_key_and_to_the_player(serving: Callable[..., Any]) -> None:
    """With a real list, and a program that plays; what it plays is what it was asked for."""
    asked: list[dict[str, Any]] = []

    async def scene(url: str) -> None:
        async with (
            httpx.AsyncClient(base_url=url, timeout=20) as keys,
            FrameClient(url, key="show") as client,
        ):

            async def hear(kind: str, **fields: Any) -> dict[str, Any]:
                async for message in client.events():
                    if message["type"] == kind and fields.items() <= message.items():
                        return message
                raise AssertionError("the session ended")

            async def press(action: str) -> dict[str, Any]:
                answer = await keys.post(f"/actions/{action}")
                assert answer.status_code == 200, answer.text
                return dict(answer.json())

            for place in range(20):
                await client.send(np.full((90, 160, 3), 12 * place, np.uint8), place / 8)
                await asyncio.sleep(0.02)
            items = (await hear("suggestions"))["items"]
            await client.tell({"type": "playing", "track": items[0]["track"], "position_s": 1.0})
            await hear("accepted", command="playing")
            assert (await press("play"))["changed"] is False
            assert (await press("next"))["changed"]
            asked.append(await hear("do"))
            await client.tell({"type": "playing", "track": asked[0]["track"], "position_s": asked[0]["start_s"]})
            await hear("accepted", command="playing")
            now = (await keys.get("/now?key=show")).json()
            assert now["playing"] and now["title"] in {item["title"] for item in items} - {items[0]["title"]}
            for action in (
                "pin?n=2",
                "unpin",
                "pin?n=2",
                "undo",
                "undo",
                "undo",
            ):  # all within a second: no new list comes
                assert (await press(action))["changed"], action

    with serving() as running:
        asyncio.run(asyncio.wait_for(scene(running.url), 40))
    assert asked[0]["do"] == "play"


def test_the_addresses_for_keys_are_printed(
    small_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ACTION_TOKEN", ACTION)
    assert main(["-c", str(small_catalog), "--port", "9000", "--print-actions", "my show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NAMES)
    assert f"http://127.0.0.1:9000/actions/play?key=my+show&token={ACTION}" in lines
    assert f"http://127.0.0.1:9000/actions/take?n=1&key=my+show&token={ACTION}" in lines
    monkeypatch.delenv("SEGUE_ACTION_TOKEN")
    with pytest.raises(ServeError, match="no action token can be kept"):
        main(["-c", str(tmp_path / "none"), "--print-actions"])
    assert not (tmp_path / "none").exists()
