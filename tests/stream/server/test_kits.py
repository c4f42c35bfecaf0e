"""Kits: kept, found again, checked like the commands that they stand for."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from stream.server.access import AccessOptions
from stream.server.kits import (
    ASIDE,
    FILE,
    FILE_BYTES,
    MOST,
    FullError,
    KitError,
    Kits,
    NoKitError,
    NotWrittenError,
    check_name,
    kit_of,
    kit_routes,
)

CALM = {"filters": {"instrumental": True, "licences": ["CC0"]}, "steer": {"energy": -0.5}, "weights": {"mood": 2.0}}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    def asking(*requests: tuple[Any, ...], access: AccessOptions | None = None) -> list[httpx.Response]:
        app = FastAPI()
        app.include_router(kit_routes(Kits(tmp_path), access))

        async def answers() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return [await client.request(method, path, **options) for method, path, options in requests]

        return asyncio.run(answers())

    return asking


def test_put_get_delete(ask: Callable[..., Any], tmp_path: Path) -> None:
    path = "/api/kits/Sp%C3%A4t%20am%20Abend"
    made, again, other, one, every, gone, missing = ask(
        ("PUT", path, {"json": CALM}),
        ("PUT", path, {"json": {"v": 1, "name": "is in the address", **CALM}}),
        ("PUT", "/api/kits/BRB", {"json": {"steer": {"energy": 1}}}),
        ("GET", path, {}),
        ("GET", "/api/kits", {}),
        ("DELETE", path, {}),
        ("GET", path, {}),
    )
    assert (made.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert one.json() == {"v": 1, "name": "Spät am Abend", **CALM}
    assert [kit["name"] for kit in every.json()["kits"]] == ["BRB", "Spät am Abend"]
    assert every.json()["kits"][0] == {"name": "BRB", "filters": None, "steer": {"energy": 1}, "weights": None}
    assert gone.status_code == 204 and missing.status_code == 404 and "no kit" in missing.json()["error"]
    assert Kits(tmp_path).all() == {"BRB": {"steer": {"energy": 1}}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "is an object"),
        (b"{}", "empty"),
        (b'{"filters":null}', "empty"),
        (b'{"liked":["a"]}', "unknown field 'liked'"),
        (b'{"filters":{"colour":"red"}}', "unknown field 'colour'"),
        (b'{"filters":[]}', "filters must be an object"),
        (b'{"steer":{"energy":2}}', "energy must be a number from -1 to 1"),
        (b'{"steer":{"energy":NaN}}', "not JSON"),
        (b'{"weights":{"content":0,"rhythm":0,"mood":0}}', "not all 0"),
        (b'{"filters":{"min_bpm":200,"max_bpm":100}}', "above"),
        (b"[" * 4000, "not JSON"),
    ],
)
def test_kits_that_are_none(ask: Callable[..., Any], tmp_path: Path, body: bytes, said: str) -> None:
    (answer,) = ask(("PUT", "/api/kits/a", {"content": body}))
    assert answer.status_code == 422 and said in answer.json()["error"]
    assert not (tmp_path / FILE).exists()


def test_names(ask: Callable[..., Any]) -> None:
    assert check_name("  Just Chatting ") == "Just Chatting" and check_name("夜 🌙") == "夜 🌙"
    for name in ("", " ", "a/b", "a\nb", "x" * 61, "..", ".", "\u202eabc"):
        with pytest.raises(KitError, match="1 to 60 characters"):
            check_name(name)
    answers = ask(*(("PUT", f"/api/kits/{name}", {"json": CALM}) for name in ("%20", "a%0ab", "x" * 61)))
    assert [answer.status_code for answer in answers] == [422] * 3


def test_bounds(ask: Callable[..., Any], tmp_path: Path) -> None:
    large = {"filters": {"tags": ["x" * 80] * 32}}
    (answer,) = ask(("PUT", "/api/kits/a", {"content": json.dumps(large | {"name": "y" * 4096})}))
    assert answer.status_code == 413
    kits = Kits(tmp_path)
    for number in range(MOST):
        kits.put(f"{number}", {"steer": {"energy": 0.5}})
    assert kits.put("0", CALM) is False  # one that is there may change
    with pytest.raises(FullError, match=f"{MOST} kits already"):
        kits.put("another", CALM)
    for name in list(kits.all()):
        kits.remove(name)
    with pytest.raises(FullError, match=f"larger than {FILE_BYTES} bytes"):
        for number in range(MOST):
            kits.put(f"{number}", kit_of(large))
    assert 5 < len(kits.all()) < MOST and (tmp_path / FILE).stat().st_size <= FILE_BYTES
    (full,) = ask(("PUT", "/api/kits/more", {"json": large}))
    assert full.status_code == 409


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"v":1}', b'{"kits":{"a":3}}', b'{"kits":{"a":{"x":NaN}}}', b"\xff", b"[" * 9000]
)
def test_a_damaged_file_is_put_aside(tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(data)
    kits = Kits(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert kits.all() == {} and kits.all() == {}
    assert len(caplog.records) == 1 and ASIDE in caplog.text
    assert (tmp_path / ASIDE).read_bytes() == data
    kits.put("a", CALM)
    assert Kits(tmp_path).get("a") == CALM and (tmp_path / ASIDE).exists()


def test_a_folder_that_cannot_be_written(
    ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kits = Kits(tmp_path)
    kits.put("a", CALM)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(NotWrittenError, match="No space left on device"):
        kits.put("b", CALM)
    put, delete = ask(("PUT", "/api/kits/b", {"json": CALM}), ("DELETE", "/api/kits/a", {}))
    assert put.status_code == delete.status_code == 507 and "right to write there" in put.json()["error"]
    monkeypatch.undo()
    assert kits.all() == {"a": CALM} and {each.name for each in tmp_path.iterdir()} == {FILE}
    with pytest.raises(NotWrittenError, match="No such file"):
        Kits(tmp_path / "gone").put("a", CALM)


def test_kits_that_cannot_be_read_are_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kits = Kits(tmp_path)
    kits.put("a", CALM)

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert kits.all() == {}
    for change in (lambda: kits.put("b", CALM), lambda: kits.remove("a")):
        with pytest.raises(NotWrittenError, match=r"Permission denied.*right to read it"):
            change()
    monkeypatch.undo()
    assert kits.all() == {"a": CALM}


def test_who_may(ask: Callable[..., Any]) -> None:
    access = AccessOptions(view="see", control="do")
    for token, codes in (("", [401] * 3), ("see", [200, 401, 401]), ("do", [200, 201, 204])):
        headers = {"authorization": f"Bearer {token}"}
        answers = ask(
            ("GET", "/api/kits", {"headers": headers}),
            ("PUT", "/api/kits/a", {"headers": headers, "json": CALM}),
            ("DELETE", "/api/kits/a", {"headers": headers}),
            access=access,
        )
        assert [answer.status_code for answer in answers] == codes
    (open_control,) = ask(("PUT", "/api/kits/a", {"json": CALM}), access=AccessOptions(view="see"))
    assert open_control.status_code == 401


NUMBERS = st.floats(-1, 1, allow_nan=False)
TAGS = st.lists(st.text(min_size=1, max_size=9), max_size=3)
PARTS = {
    "filters": st.fixed_dictionaries({"instrumental": st.booleans()}, optional={"tags": TAGS}),
    "steer": st.fixed_dictionaries({"energy": NUMBERS}, optional={"tempo": NUMBERS}),
    "weights": st.fixed_dictionaries({"mood": st.floats(0.125, 4)}),
}
KITS = st.fixed_dictionaries({}, optional=PARTS).filter(bool)


@given(st.dictionaries(st.text(min_size=1, max_size=20), KITS, max_size=5))
def test_what_is_put_is_found(tmp_path_factory: pytest.TempPathFactory, given_kits: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("kits")
    names = {}
    for name, kit in given_kits.items():
        try:
            names[check_name(name)] = kit_of(kit)
            Kits(folder).put(check_name(name), kit_of(kit))
        except KitError:
            names.pop(name.strip(), None)
    assert Kits(folder).all() == names
    for name in names:
        with pytest.raises(NoKitError):
            Kits(folder).get(name + "?")
