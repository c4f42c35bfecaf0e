"""TLS of what clients name: the certificate must fit the name, and then HTTPS and RTMPS pass."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stream.errors import SourceError
from stream.sources.pull.fetch import Fetch
from stream.sources.sandbox.addresses import networks, target_of
from stream.sources.sandbox.relay import Relay

HERE = networks(["127.0.0.0/24"])
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def write_certificate(folder: Path, address: str) -> Path:
    """Key and self-signed certificate for an address, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2020, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path, "127.0.0.1")


@pytest.fixture
def server(certificate: Path) -> Iterator[int]:
    """The port of a server that answers everything with `ANSWER`, under TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                with contextlib.suppress(OSError), client, context.wrap_socket(client, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(ANSWER)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


def relayed(port: int, host: str = "127.0.0.1") -> tuple[bytes, str | None]:
    """What comes back through a relay, and its error."""
    with Relay(target_of(f"rtmps://{host}:{port}/live/a"), HERE) as relay:
        with socket.create_connection(("127.0.0.1", relay.port), 10) as client, contextlib.suppress(OSError):
            client.sendall(b"?")
            found = b""
            while piece := client.recv(100):
                found += piece
            return found, relay.error
        return b"", relay.error


def test_a_trusted_certificate_passes(server: int, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    page = Fetch(f"https://127.0.0.1:{server}/v", HERE)
    assert page.read(100) == b"hello" and page.read(100) == b"" and not page.seekable()
    page.close()
    assert relayed(server) == (ANSWER, None)


def test_an_unknown_certificate_is_refused(server: int) -> None:
    with pytest.raises(SourceError, match=r"(?i)certificate"):
        Fetch(f"https://127.0.0.1:{server}/v", HERE)
    found, error = relayed(server)
    assert found == b"" and error is not None and "certificate" in error.lower()


def test_a_certificate_of_another_name_is_refused(
    server: int, tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right server by the wrong name: 127.0.0.1 answers, localhost was asked for."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(SourceError, match=r"(?i)certificate|refused"):
        Fetch(f"https://localhost:{server}/v", networks(["127.0.0.0/24", "::1"]))
