"""Whatever is relied on is missed when it is not there, or is otherwise."""

import importlib
from typing import Any

import pytest

from stream.sources.webrtc import aiortc_compat
from stream.sources.webrtc.aiortc_compat import RELIED, Relied, difference


def named(one: Relied) -> str:
    return f"{one.module}.{one.path}{' fields' if one.fields else ''}"


def owner_of(one: Relied) -> tuple[Any, str]:
    owner: Any = importlib.import_module(one.module)
    if one.path == "time.time":  # not to be taken from everybody
        return owner, "time"
    *way, name = one.path.split(".")
    for step in way:
        owner = getattr(owner, step)
    return owner, name


@pytest.fixture(autouse=True)
def given_back() -> None:
    aiortc_compat.leave_alone("for a test")
    aiortc_compat.leave_alone("")


def test_the_installed_releases_have_it_all() -> None:
    assert difference() == "" and len({named(one) for one in RELIED}) == len(RELIED) > 30


@pytest.mark.parametrize("one", RELIED, ids=named)
def test_what_is_gone_is_missed(one: Relied, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name = owner_of(one)
    monkeypatch.setattr(owner, name, None)
    assert " is missing" in one.difference() and " is missing" in difference()


@pytest.mark.parametrize("one", [one for one in RELIED if one.parameters is not None], ids=named)
def test_other_parameters_are_noticed(one: Relied, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*words: Any, more: Any = None) -> None: ...

    monkeypatch.setattr(*owner_of(one), other)
    assert " takes words more, not " in one.difference()


@pytest.mark.parametrize("one", [one for one in RELIED if one.waits], ids=named)
def test_what_nobody_can_wait_for_is_noticed(one: Relied, monkeypatch: pytest.MonkeyPatch) -> None:
    assert one.parameters is not None
    words = one.parameters.replace(" ", ", ")
    monkeypatch.setattr(*owner_of(one), eval(f"lambda {words}: None"))
    assert one.difference().endswith("is nothing to wait for")


@pytest.mark.parametrize(
    ("one", "field"), [(one, field) for one in RELIED for field in one.fields.split()], ids=lambda it: str(it)[-20:]
)
def test_a_field_that_is_not_kept_is_noticed(one: Relied, field: str) -> None:
    assert one.difference() == ""
    other = Relied(one.module, one.path, one.parameters, one.fields.replace(field, f"{field}_"))
    assert other.difference().endswith(f"has no {field}_")


def test_a_module_that_is_gone_is_no_failure() -> None:
    assert Relied("aiortc.gone", "Counter.add", "self").difference() == "aiortc.gone.Counter.add is missing"
    assert Relied("aiortc.codecs", "HEADER_EXTENSIONS", "self").difference().endswith("takes nothing, not self")
