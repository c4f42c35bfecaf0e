"""One viewer of a session plays, the others are its remotes; all of them show the same."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from stream.server.access import AccessOptions
from stream.server.player import ANOTHER, NOBODY

TRACK, OTHER = "a" * 16, "b" * 16
SDP = {"content-type": "application/sdp"}
DUCKS = tuple({"do": "duck", "on": on} for on in (True, False, None))


@pytest.fixture
def session(client: httpx.Client, offer: str) -> Iterator[dict[str, Any]]:
    response = client.post("/whip", content=offer, headers=SDP)
    (listed,) = client.get("/api/sessions").json()["sessions"]
    yield listed
    client.delete(response.headers["location"])


@pytest.fixture
def join(server: Any, session: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    with contextlib.ExitStack() as opened:
        yield lambda page="": opened.enter_context(connect(f"ws://{server.netloc}{session['events']}?page={page}"))


def tell(viewer: Any, **message: Any) -> None:
    viewer.send(json.dumps(message))


def hear(viewer: Any, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while (message := json.loads(viewer.recv(timeout=5)))["type"] != kind:
        pass
    return dict(message)


def nothing_of(viewer: Any, kind: str, seconds: float = 0.3) -> bool:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            if json.loads(viewer.recv(timeout=left))["type"] == kind:
                return False
        except TimeoutError:
            return True
    return True


def test_the_first_that_plays_is_the_player_and_the_others_its_remotes(join: Callable[..., Any]) -> None:
    one, two = join(), join()
    tell(one, type="playing", track=TRACK, position_s=30)
    for viewer, where in ((one, "here"), (two, "elsewhere")):
        told = hear(viewer, "player")
        assert (told["player"], told["track"], told["paused"]) == (where, TRACK, False)
        assert 30 <= told["position_s"] < 31 and told["may"] and not told["auto"]
    tell(two, type="playing", track=OTHER)
    assert hear(two, "refused") == {"v": 1, "type": "refused", "command": "playing", "reason": ANOTHER}
    tell(two, type="do", do="play", track=OTHER, start_s=12.5)
    assert hear(one, "do") == {"v": 1, "type": "do", "do": "play", "track": OTHER, "start_s": 12.5}
    assert hear(two, "accepted")["command"] == "do"
    for action in ({"do": "pause"}, {"do": "resume"}, {"do": "seek", "position_s": 7}, {"do": "stop"}, *DUCKS):
        tell(two, type="do", **action)
        assert hear(one, "do") == {"v": 1, "type": "do", **action}
    assert nothing_of(two, "do")


def test_who_comes_late_sees_what_all_see(join: Callable[..., Any]) -> None:
    one = join()
    tell(one, type="auto", on=True)
    assert hear(one, "player")["auto"]
    tell(one, type="playing", track=TRACK, position_s=10, paused=True)
    hear(one, "player")
    late = hear(join(), "player")
    assert late == {
        "v": 1, "type": "player", "player": "elsewhere", "name": "", "may": True, "auto": True,
        "track": TRACK, "position_s": 10.0, "paused": True, "level_db": None,
    }  # fmt: skip


def test_the_level_that_the_player_tells_is_that_of_all_until_another_one_plays(join: Callable[..., Any]) -> None:
    one, two = join(), join()
    tell(one, type="playing", track=TRACK, level_db=-6)
    assert hear(two, "player")["level_db"] == -6
    tell(two, type="do", do="level", db=-8.5)
    assert hear(one, "do") == {"v": 1, "type": "do", "do": "level", "db": -8.5}
    tell(one, type="playing", track=TRACK, level_db=-8.5)
    assert hear(two, "player")["level_db"] == hear(join(), "player")["level_db"] == -8.5
    tell(two, type="player", take=True)
    assert hear(two, "player")["level_db"] is None


def test_a_pause_without_a_place_stands_where_the_music_was(join: Callable[..., Any]) -> None:
    one = join()
    tell(one, type="playing", track=TRACK, position_s=30)
    hear(one, "player")
    time.sleep(0.3)
    tell(one, type="playing", track=TRACK, paused=True)
    told = hear(one, "player")
    assert told["paused"] and 30.25 < told["position_s"] < 32
    time.sleep(0.2)
    assert hear(join(), "player")["position_s"] == told["position_s"]
    tell(one, type="playing", track=OTHER)
    assert hear(one, "player")["position_s"] is None  # of another one nobody has said where


def test_the_sound_moves_over_and_goes_on_from_its_place(join: Callable[..., Any]) -> None:
    one, two = join(), join()
    tell(one, type="playing", track=TRACK, position_s=30)
    hear(one, "player")
    time.sleep(0.3)
    tell(two, type="player", take=True)
    assert hear(one, "player")["player"] == "elsewhere"
    hear(two, "player")  # of when the first one began
    told = hear(two, "player")
    assert told["player"] == "here" and 30.25 < told["position_s"] < 32
    tell(one, type="playing", track=TRACK, position_s=31)
    assert hear(one, "refused")["reason"] == ANOTHER
    tell(two, type="player", take=False)
    assert hear(one, "player")["player"] is None


def test_when_the_player_goes_nobody_plays_and_the_place_is_kept(join: Callable[..., Any]) -> None:
    one, two = join(), join()
    tell(one, type="playing", track=TRACK, position_s=30)
    hear(two, "player")
    one.close()
    told = hear(two, "player")
    assert told["player"] is None and told["track"] == TRACK and told["paused"] and 30 <= told["position_s"] < 31
    tell(two, type="do", do="pause")
    assert hear(two, "refused")["reason"] == NOBODY
    tell(two, type="playing", track=TRACK, position_s=told["position_s"])
    assert hear(two, "player")["player"] == "here"


def test_a_player_on_another_connection_is_still_the_player(join: Callable[..., Any]) -> None:
    one, other = join("mine"), join("yours")
    tell(one, type="playing", track=TRACK)
    assert hear(one, "player")["player"] == "here"
    again = join("mine")  # the server may not know yet that the first connection is dead
    assert hear(again, "player")["player"] == "here"
    one.close()
    assert nothing_of(again, "player")  # its end changes nothing
    tell(other, type="do", do="pause")
    assert hear(again, "do")["do"] == "pause"


BAD = (
    {"type": "player"},
    {"type": "player", "take": 1},
    {"type": "auto", "on": None},
    {"type": "auto", "on": True, "off": False},
    {"type": "do"},
    {"type": "do", "do": "dance"},
    {"type": "do", "do": ["play"]},
    {"type": "do", "do": "play", "track": "a"},
    {"type": "do", "do": "play", "track": "", "start_s": 1},
    {"type": "do", "do": "play", "track": "a", "start_s": -1},
    {"type": "do", "do": "seek", "position_s": True},
    {"type": "do", "do": "seek", "position_s": 1e300},
    {"type": "do", "do": "pause", "position_s": 1},
    {"type": "do", "do": "level"},
    {"type": "do", "do": "level", "db": None},
    {"type": "do", "do": "level", "db": 0.5},
    {"type": "do", "do": "duck"},
    {"type": "do", "do": "duck", "on": 1},
    {"type": "do", "do": "duck", "on": None, "track": "a"},
    {"type": "playing"},
    {"type": "playing", "track": 7},
    {"type": "playing", "track": "a", "position_s": -1},
    {"type": "playing", "track": "a", "paused": "yes"},
    {"type": "playing", "track": "a", "level_db": -61},
)


@pytest.mark.parametrize("message", BAD, ids=range(len(BAD)))
def test_what_makes_no_sense_is_refused_and_changes_nothing(join: Callable[..., Any], message: dict[str, Any]) -> None:
    one, two = join(), join()
    tell(one, type="playing", track=TRACK)
    hear(one, "player")
    hear(two, "player")
    tell(one, **message)
    refused = hear(one, "refused")
    assert refused["command"] == message["type"] and len(refused["reason"]) > 10
    assert nothing_of(two, "player", 0.1) and hear(join(), "player")["track"] == TRACK


def test_who_may_only_view_is_told_so_and_can_do_none_of_it(serving: Callable[..., Any], offer: str) -> None:
    access = AccessOptions(view="see", control="do")
    with serving(access=access) as running, httpx.Client(base_url=running.url) as client:
        path = client.post("/whip", content=offer, headers=SDP).headers["segue-events"]
        url = f"ws://{running.netloc}{path}"
        with connect(f"{url}?token=see") as viewer, connect(f"{url}?token=do") as other:
            assert hear(viewer, "player")["may"] is False
            for message in (
                {"type": "playing", "track": TRACK},
                {"type": "player", "take": True},
                {"type": "auto", "on": True},
                {"type": "do", "do": "stop"},
                {"type": "skip", "track": TRACK},
                {"type": "wishes", "liked": [TRACK]},
                {"type": "reset"},
            ):
                tell(viewer, **message)
                assert "may not control" in hear(viewer, "refused")["reason"]
            tell(other, type="playing", track=TRACK)
            assert hear(other, "player")["player"] == "here"
            assert hear(viewer, "player")["player"] == "elsewhere"
        with connect(f"{url}?token=do&page=mine") as other:
            tell(other, type="player", take=True)
            while hear(other, "player")["player"] != "here":
                pass  # of the one that has gone
            with connect(f"{url}?token=see&page=mine") as late:  # the player's word makes nobody the player
                assert hear(late, "player")["player"] == "elsewhere"
