"""TLS: page, publisher and viewer through a self-signed certificate, and what is said about files that do not fit."""

import datetime
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect

from stream.server.address import address_of, bind
from stream.server.errors import ServeError
from stream.server.health import starting
from stream.server.tls import TlsOptions, context_of

SDP = {"content-type": "application/sdp"}


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path

    @property
    def options(self) -> TlsOptions:
        return TlsOptions(self.cert, self.key)

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.cert))


def make_pair(folder: Path, name: str, password: bytes | None = None) -> Pair:
    """A self-signed certificate for this machine's loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .sign(key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, sealed))
    return pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("tls"), "own")


def test_everything_works_over_tls(serving: Callable[..., Any], pair: Pair, offer: str) -> None:
    with serving(tls=pair.options) as running:
        netloc = running.url.partition("//")[2].rstrip("/")
        url = f"https://{netloc}"
        with httpx.Client(base_url=url, verify=pair.trust) as client:
            assert "<title>" in client.get("/").text
            assert client.get("/readyz").status_code == 200
            answer = client.post("/whip", content=offer, headers=SDP | {"origin": url})
            assert answer.status_code == 201
            events = answer.headers["segue-events"]
            with connect(f"wss://{netloc}{events}", ssl=pair.trust, origin=url) as viewer:  # type: ignore[arg-type]
                viewer.send("{}")
                assert "refused" in viewer.recv(timeout=5)
            assert client.delete(answer.headers["location"]).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://{netloc}/healthz")


def test_a_starting_server_answers_over_tls(pair: Pair) -> None:
    with bind("127.0.0.1", 0) as bound:
        url = address_of(bound, "127.0.0.1", "https")
        assert url.startswith("https://127.0.0.1:")
        with starting(bound, context_of(pair.options)):
            with pytest.raises(httpx.HTTPError):
                httpx.get(url.replace("https", "http"))
            assert httpx.get(f"{url}readyz", verify=pair.trust).status_code == 503


def test_files_that_do_not_fit_are_named(tmp_path: Path, pair: Pair) -> None:
    other, sealed = make_pair(tmp_path, "other"), make_pair(tmp_path, "sealed", b"a password")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    cases = (
        (pair.cert, other.key, (str(other.key), "is not the key of", str(pair.cert))),
        (tmp_path / "no.crt", pair.key, ("no.crt", "cannot be read", "--tls-cert")),
        (pair.cert, tmp_path / "no.key", ("no.key", "cannot be read", "--tls-key")),
        (pair.cert, tmp_path, (str(tmp_path), "cannot be read")),
        (empty, pair.key, (str(empty), "no certificate")),
        (pair.cert, empty, (str(empty), "no private key")),
        (pair.key, pair.cert, (str(pair.key), "no certificate")),
        (sealed.cert, sealed.key, (str(sealed.key), "encrypted", "openssl pkey")),
    )
    for cert, key, said in cases:
        with pytest.raises(ServeError) as refused:
            context_of(TlsOptions(cert, key))
        assert all(text in str(refused.value) for text in said), str(refused.value)
    context_of(pair.options)
