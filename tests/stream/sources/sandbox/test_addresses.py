"""The rules for URLs that clients name: whatever is not public is refused, however it is written or disguised."""

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import SourceError
from stream.sources.sandbox.addresses import (
    NOT_PUBLIC,
    Target,
    checked,
    dial,
    embedded,
    networks,
    refusal,
    target_of,
    without_secrets,
)

V4 = [ipaddress.IPv4Network(text) for texts in NOT_PUBLIC.values() for text in texts if ":" not in text]
V6 = [ipaddress.IPv6Network(text) for texts in NOT_PUBLIC.values() for text in texts if ":" in text]
DISGUISES = ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "::/96", "2001::/32")


def inside(networks: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.integers(int(network[0]), int(network[-1])).map(type(network[0])) for network in networks)


def disguised(address: ipaddress.IPv4Address, way: str) -> ipaddress.IPv6Address:
    """An IPv4 address in one of its IPv6 forms."""
    base, number = int(ipaddress.IPv6Network(way)[0]), int(address)
    if way.startswith("2002"):
        return ipaddress.IPv6Address(base | number << 80)
    if way.startswith("2001"):
        return ipaddress.IPv6Address(base | 0x01020304 << 64 | number ^ 0xFFFFFFFF)
    return ipaddress.IPv6Address(base | number)


@given(inside(V4) | inside(V6))
def test_nothing_special_is_let_through(address: Any) -> None:
    assert refusal(address) is not None


@given(inside(V4), st.sampled_from(DISGUISES))
def test_a_disguise_does_not_help(address: ipaddress.IPv4Address, way: str) -> None:
    hidden = disguised(address, way)
    assert refusal(hidden) is not None
    if int(hidden) > 1:
        assert embedded(hidden) == address


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address), st.sampled_from(DISGUISES[:4]))
def test_a_disguise_is_judged_by_what_it_hides(address: ipaddress.IPv4Address, way: str) -> None:
    if int(address) > 1:
        assert refusal(disguised(address, way)) == refusal(address)


@given(st.ip_addresses())
def test_what_python_calls_private_or_multicast_is_refused(address: Any) -> None:
    """The table against another one: Python's, which has no public disguises."""
    address = embedded(address) or address
    odd = address.is_private or address.is_multicast or address.is_link_local or address.is_loopback
    if odd or address.is_reserved or address.is_unspecified:
        assert refusal(address) is not None


@given(st.ip_addresses(), st.integers(0, 128))
def test_an_allowed_network_lets_its_own_in_and_nobody_else(address: Any, length: int) -> None:
    if embedded(address) is not None:
        return
    own = ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False)
    assert refusal(address, [own]) is None
    flipped = type(address)(int(address) ^ (1 << (address.max_prefixlen - 1)))
    if own.prefixlen > 0 and embedded(flipped) is None:
        assert refusal(flipped, [own]) == refusal(flipped)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "185.199.108.153", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_pass(text: str) -> None:
    assert refusal(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("100.64.0.1", "shared by a provider's customers (CGNAT)"),
        ("0.0.0.0", "this network"),
        ("::", "this network"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("4000::1", "reserved"),
        ("64:ff9b::a00:1", "private"),
    ],
)
def test_the_kind_is_named(text: str, kind: str) -> None:
    assert refusal(ipaddress.ip_address(text)) == kind


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "concat:a|b",
        "gopher://host/x",
        "http:///path",
        "http://",
        "http://host:0/",
        "http://host:99999/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://host/a b",
        "http://host\\@other/",
        "http://host/\r\nX: y",
        "http://hóst/",
        "srt://host",
        "http://host/" + "x" * 3000,
    ],
)
def test_urls_that_are_not_plain_are_refused(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        target_of(url)
    assert ";" in str(caught.value) and "\n" not in str(caught.value)


def test_a_target_shows_no_secrets() -> None:
    target = target_of("RTSP://user:word@Camera.example:8554/live?token=1")
    assert (target.scheme, target.host, target.port) == ("rtsp", "camera.example", 8554)
    assert target.redacted == "rtsp://camera.example:8554/live"


def test_messages_for_everybody_hold_no_secrets() -> None:
    said = "rtsp://user:w:o@rd@cam:554/live: broke; srt://10.1.1.1:9?passphrase=abc&x=1: no; http://a.b/c?k=v gone"
    assert without_secrets(said) == "rtsp://cam:554/live: broke; srt://10.1.1.1:9: no; http://a.b/c gone"
    assert without_secrets("no url; at all: fine") == "no url; at all: fine"


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:7f00:1]", "localhost"])
def test_every_way_to_write_loopback_is_refused(host: str) -> None:
    with pytest.raises(SourceError, match=r"loopback|cannot be looked up"):
        checked(target_of(f"http://{host}/"))


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    target = target_of("https://mixed.example/")
    assert [str(a) for a in checked(target, (), lambda *_: ["8.8.8.8"])] == ["8.8.8.8"]
    with pytest.raises(SourceError, match="private"):
        checked(target, (), lambda *_: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(SourceError, match="no address"):
        checked(target, (), lambda *_: [])
    with pytest.raises(SourceError, match="cannot be looked up"):
        checked(target, (), lambda *_: ["no address"])


def test_a_name_that_changes_its_mind_is_asked_once_for_each_connection() -> None:
    """Rebinding: the address that was checked is the one connected to, so the second answer is never used."""
    answers = [["127.0.0.2"], ["127.0.0.1"]]
    asked: list[str] = []

    def ask(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    with socket.create_server(("127.0.0.1", 0)) as forbidden:
        target = Target("http", "rebinding.example", forbidden.getsockname()[1], target_of("http://x/").parts)
        with pytest.raises(SourceError, match="refused; check the address"):
            dial(target, networks(["127.0.0.2/32"]), 2.0, ask)  # the first answer: nobody listens there
        assert asked == ["rebinding.example"]
        with pytest.raises(SourceError, match="loopback"):
            dial(target, networks(["127.0.0.2/32"]), 2.0, ask)


def test_networks_are_read_or_refused_by_name() -> None:
    assert [str(n) for n in networks(["10.1.2.3/8", "::1"])] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(SourceError, match="no network"):
        networks(["example.org"])
