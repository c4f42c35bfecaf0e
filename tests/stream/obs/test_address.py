"""Addresses of OBS's websocket: all the ways to write one, and a password that is never printed."""

from pathlib import Path

import pytest

from stream.obs.address import ObsAddress, is_obs, parse_address, password_of
from stream.obs.errors import ObsError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ws://127.0.0.1:4455", ObsAddress("127.0.0.1", 4455)),
        ("obs://localhost", ObsAddress("localhost", 4455)),
        ("OBS://[::1]:4456/", ObsAddress("::1", 4456)),
        ("wss://obs.example:443", ObsAddress("obs.example", 443, "", True)),
        ("ws://:s%40cret@10.0.0.2:4455", ObsAddress("10.0.0.2", 4455, "s@cret")),
        ("obsws://192.168.1.2:4455/s3cret", ObsAddress("192.168.1.2", 4455, "s3cret")),
    ],
)
def test_all_ways_to_write_one_are_read(text: str, found: ObsAddress) -> None:
    read = parse_address(text)
    assert (read, read.password) == (found, found.password)


def test_a_password_that_is_given_apart_wins() -> None:
    assert parse_address("ws://:inside@host", "apart").password == "apart"


@pytest.mark.parametrize(
    "text",
    ["", "4455", "127.0.0.1:4455", "http://:hunter22@host:4455", "ws://:hunter22@", "ws://:hunter22@host:99999",
     "ws://:hunter22@host:x", "ws://host:0", "ws://:hunter22@host/path", "ws://host?x=1", "ws://[::1"],
)  # fmt: skip
def test_what_is_none_is_refused_with_the_cure_and_without_the_password(text: str) -> None:
    with pytest.raises(ObsError, match=r"write ws://127\.0\.0\.1:4455") as caught:
        parse_address(text)
    assert "hunter22" not in str(caught.value)


def test_the_password_is_never_printed() -> None:
    address = parse_address("ws://:hunter22@[::1]:4455")
    assert str(address) == "ws://[::1]:4455"
    assert "hunter22" not in f"{address} {address!r} {[address]}"


def test_which_addresses_only_obs_has() -> None:
    assert is_obs("obs://host") and is_obs("OBSWS://host") and not is_obs("ws://host") and not is_obs("obs.mp4")


def test_the_password_comes_from_a_file_before_the_environment(tmp_path: Path) -> None:
    environment = {"SEGUE_OBS_PASSWORD": "of the environment"}
    assert password_of(None, {}) == ""
    assert password_of(None, environment) == "of the environment"
    (tmp_path / "password").write_text("of the file\n")
    assert password_of(tmp_path / "password", environment) == "of the file"


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "cannot be read"), (b"\xffhunter22", "is no text"), (b"\n", "is empty")]
)
def test_a_file_without_a_password_is_told(tmp_path: Path, content: bytes | None, cause: str) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(ObsError, match=cause) as caught:
        password_of(tmp_path / "password", {})
    assert "hunter22" not in str(caught.value)
