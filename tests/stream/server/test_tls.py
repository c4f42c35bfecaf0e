"""TLS: page, publisher and viewer through a self-signed certificate, and what is said about files that do not fit."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from stream.server import process
from stream.server.address import address_of, bind
from stream.server.errors import ServeError
from stream.server.health import starting
from stream.server.tls import TlsOptions, context_of

SDP = {"content-type": "application/sdp"}


def trust(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


def test_everything_works_over_tls(serving: Callable[..., Any], self_signed: tuple[Path, Path], offer: str) -> None:
    with serving(tls=TlsOptions(*self_signed)) as running:
        netloc = running.url.partition("//")[2].rstrip("/")
        url = f"https://{netloc}"
        with httpx.Client(base_url=url, verify=trust(self_signed[0])) as client:
            assert "<title>" in client.get("/").text
            assert client.get("/readyz").status_code == 200
            answer = client.post("/whip", content=offer, headers=SDP | {"origin": url})
            assert answer.status_code == 201
            events = answer.headers["segue-events"]
            with connect(f"wss://{netloc}{events}", ssl=trust(self_signed[0]), origin=url) as viewer:  # type: ignore[arg-type]
                viewer.send("{}")
                assert "refused" in viewer.recv(timeout=5)
            assert client.delete(answer.headers["location"]).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://{netloc}/healthz")


def test_what_was_checked_at_the_start_is_what_serves(
    serving: Callable[..., Any], self_signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one context, so what is asked of it holds for the server too."""
    made = []

    def strict(options: TlsOptions) -> ssl.SSLContext:
        made.append(context_of(options))
        made[-1].minimum_version = ssl.TLSVersion.TLSv1_3
        return made[-1]

    monkeypatch.setattr(process, "context_of", strict)
    with serving(tls=TlsOptions(*self_signed)) as running:
        url = f"https://{running.url.partition('//')[2]}readyz"
        assert httpx.get(url, verify=trust(self_signed[0])).status_code == 200
        old = trust(self_signed[0])
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.HTTPError):
            httpx.get(url, verify=old)
    assert len(made) == 1


def test_a_starting_server_answers_over_tls(self_signed: tuple[Path, Path]) -> None:
    with bind("127.0.0.1", 0) as bound:
        url = address_of(bound, "127.0.0.1", "https")
        assert url.startswith("https://127.0.0.1:")
        with starting(bound, context_of(TlsOptions(*self_signed))):
            with pytest.raises(httpx.HTTPError):
                httpx.get(url.replace("https", "http"))
            assert httpx.get(f"{url}readyz", verify=trust(self_signed[0])).status_code == 503


def test_files_that_do_not_fit_are_named(
    tmp_path: Path, self_signed: tuple[Path, Path], write_certificate: Callable[..., Any]
) -> None:
    own_cert, own_key = self_signed
    _, other = write_certificate(tmp_path, "other")
    sealed_cert, sealed = write_certificate(tmp_path, "sealed", b"a password")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    cases = (
        (own_cert, other, (str(other), "is not the key of", str(own_cert))),
        (tmp_path / "no.crt", own_key, ("no.crt", "cannot be read", "--tls-cert")),
        (own_cert, tmp_path / "no.key", ("no.key", "cannot be read", "--tls-key")),
        (own_cert, tmp_path, (str(tmp_path), "cannot be read")),
        (empty, own_key, (str(empty), "no certificate")),
        (own_cert, empty, (str(empty), "no private key")),
        (own_key, own_cert, (str(own_key), "no certificate")),
        (sealed_cert, sealed, (str(sealed), "encrypted", "openssl pkey")),
    )
    for cert, key, said in cases:
        with pytest.raises(ServeError) as refused:
            context_of(TlsOptions(cert, key))
        assert all(text in str(refused.value) for text in said), str(refused.value)
    context_of(TlsOptions(*self_signed))
