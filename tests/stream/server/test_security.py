"""Which browsers' pages and names are let in."""

import pytest

from stream.server.security import hostname, is_loopback, origin_allowed


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
    [("a.example:80", "a.example"), ("[::1]:8765", "::1"), ("LOCALHOST", "localhost"), ("[::1", ""), ("", "")],
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
    ],
)
def test_origins(origin: str | None, host: str, allowed: bool) -> None:
    assert origin_allowed(origin, host, ["https://friend.example"]) is allowed
