"""Which browsers' pages and names are let in."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.server.origin import Origin, host_of, origin_of
from stream.server.security import hostname, is_loopback, of_ports, origin_allowed
from stream.server.setting_kinds import URL


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("127.evil.example", False),
        ("localhost.evil.example", False),
        ("192.168.1.4", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_loopback_names(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


@pytest.mark.parametrize(
    ("netloc", "name"),
    [
        ("a.example:80", "a.example"),
        ("a.example.:80", "a.example"),
        ("a.example:", "a.example"),
        ("[::1]:8765", "::1"),
        ("[0:0::1]", "::1"),
        ("LOCALHOST", "localhost"),
        ("[::1", ""),
        ("[localhost]", ""),
        ("user@a.example", ""),
        ("a.example:x", ""),
        ("a.example:70000", ""),
        ("a.example/b", ""),
        ("a.example b", ""),
        ("..", ""),
        (".", ""),
        ("", ""),
    ],
)
def test_hostname(netloc: str, name: str) -> None:
    assert hostname(netloc) == name


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "anything", True),
        ("http://127.0.0.1:8765", "127.0.0.1:8765", True),
        ("http://localhost:3000", "127.0.0.1:8765", True),
        ("https://studio.example", "studio.example", True),
        ("https://friend.example", "127.0.0.1:8765", True),
        ("https://evil.example", "127.0.0.1:8765", False),
        ("http://localhost:3000", "studio.example", False),
        ("null", "127.0.0.1:8765", False),
        ("", "127.0.0.1:8765", False),
        ("http://127.evil.example", "127.0.0.1:8765", False),
        # behind a proxy: a default port may be written or not, on either side
        ("https://studio.example", "studio.example:443", True),
        ("https://studio.example:443", "studio.example", True),
        ("http://studio.example", "studio.example:80", True),
        ("https://STUDIO.example", "Studio.Example:443", True),
        ("https://studio.example", "studio.example.:443", True),
        ("https://[2001:DB8::1]", "[2001:db8:0::1]:443", True),
        ("http://[2001:db8::1]:8765", "[2001:db8::1]:8765", True),
        ("https://friend.example:443", "127.0.0.1:8765", True),
        ("https://FRIEND.example", "127.0.0.1:8765", True),
        # and what is near it
        ("http://studio.example", "studio.example:443", False),
        ("https://studio.example", "studio.example:80", False),
        ("https://studio.example", "studio.example:8443", False),
        ("https://studio.example:8443", "studio.example:443", False),
        ("https://studio.example.evil.example", "studio.example:443", False),
        ("https://notstudio.example", "studio.example:443", False),
        ("https://studio.example@evil.example", "studio.example:443", False),
        ("https://evil.example@studio.example", "studio.example:443", False),
        ("https://studio.example:443/page", "studio.example:443", False),
        ("https://studio.example https://evil.example", "studio.example", False),
        ("https://studio.exam\tple", "studio.example", False),
        ("ftp://studio.example", "studio.example", False),
        ("//studio.example", "studio.example", False),
        ("https://studio.example..", "studio.example", False),
        ("https://[2001:db8::2]", "[2001:db8::1]:443", False),
        ("http://friend.example", "127.0.0.1:8765", False),
        ("https://friend.example:444", "127.0.0.1:8765", False),
        ("https://friend.example.evil.example", "127.0.0.1:8765", False),
    ],
)
def test_origins(origin: str | None, host: str, allowed: bool) -> None:
    assert origin_allowed(origin, host, ["https://friend.example"]) is allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://studio.example", "studio.example", True),
        ("https://studio.example:8765", "studio.example:8765", True),
        ("http://studio.example", "studio.example", False),
        ("http://studio.example:8765", "studio.example:8765", False),
        ("http://studio.example:443", "studio.example", False),
    ],
)
def test_over_tls_a_page_without_it_is_another_s(origin: str, host: str, allowed: bool) -> None:
    assert origin_allowed(origin, host, secure=True) is allowed


@given(st.text(max_size=40))
def test_what_is_taken_for_an_origin_is_one_and_is_written_in_one_way(text: str) -> None:
    for tried in (text, f"https://{text}", f"http://{text}:80"):
        if (found := origin_of(tried)) is not None:
            assert origin_of(str(found)) == found and host_of(str(found).partition("://")[2]) is not None
            assert not set(str(found)) & set("@/?# ;,'\"") - {"/"} and str(found).isascii()


def test_an_address_of_the_settings_is_an_origin_as_browsers_write_it() -> None:
    assert origin_of("HTTPS://Müsik.example.:443") == Origin("https", "xn--msik-0ra.example", 443)
    for text, told in (("https://A.example:443/", "https://a.example"), ("http://[::1]:8765", "http://[::1]:8765")):
        assert URL.of_text(text) == told
    for text in (
        "https://user@a.example",
        "a.example",
        "ftp://a.example",
        "https://a.example/b",
        "https://a.example?b",
    ):
        with pytest.raises(ValueError):
            URL.of_text(text)


PUBLIC = "https://studio.example:8443"


@pytest.mark.parametrize("given_host", ["studio.example:8443", "studio.example", "127.0.0.1:8765"])
def test_a_page_at_the_public_address_is_let_in(serving: Callable[..., Any], offer: str, given_host: str) -> None:
    """Whatever a proxy on the same machine hands on as Host."""
    sdp = {"content-type": "application/sdp", "host": given_host}
    with serving(public_url=PUBLIC) as running, httpx.Client(base_url=running.url) as client:
        answer = client.post("/whip", content=offer, headers=sdp | {"origin": PUBLIC})
        assert answer.status_code == 201 and answer.headers["access-control-allow-origin"] == PUBLIC
        for other in (
            "https://studio.example",
            "http://studio.example:8443",
            "https://studio.example:8444",
            "https://studio.example.evil.example:8443",
            "https://evil.example",
            "null",
        ):
            own = given_host == "studio.example" and other == "https://studio.example"  # the Host's own, by TLS
            refused = client.post("/whip", content=offer, headers=sdp | {"origin": other})
            assert (refused.status_code == 403) is not own, other
        for host in ("evil.example", "studio.example.evil.example", "evil.example:8443", "studio.example@evil.example"):
            assert client.get("/", headers={"host": host}).status_code == 403


def test_without_a_public_address_names_of_others_are_refused_on_loopback(serving: Callable[..., Any]) -> None:
    with serving() as running, httpx.Client(base_url=running.url) as client:
        for host in ("studio.example", "studio.example:443", "evil.example"):
            assert client.get("/", headers={"host": host}).status_code == 403
        assert client.get("/", headers={"host": "localhost:1"}).status_code == 200


def test_workers_ports_of_the_public_address_are_its_own() -> None:
    assert of_ports("http://[2001:DB8::1]:8765", "[2001:db8:0::1]:8766", (8765, 8766))
    assert not of_ports("http://[2001:db8::2]:8765", "[2001:db8::1]:8766", (8765, 8766))
