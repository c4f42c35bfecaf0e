"""TLS for the server: a certificate and its key, checked before anything else starts."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from .errors import ServeError


@dataclass(frozen=True)
class TlsOptions:
    """PEM files: the certificate with the chain that clients need, and its private key, not encrypted."""

    cert: Path
    key: Path


def context_of(options: TlsOptions) -> ssl.SSLContext:
    """The context for the server's sockets. Raises `ServeError` that names the unusable file, and why."""
    for flag, path in (("--tls-cert", options.cert), ("--tls-key", options.key)):
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            raise ServeError(f"{path}: cannot be read ({error.strerror}); {flag} takes a PEM file") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.cert, options.key, password=_no_password)
    except _EncryptedError as error:
        cure = f"openssl pkey -in {options.key} -out PLAIN.pem removes the password"
        raise ServeError(
            f"{options.key}: the key is encrypted, and the server cannot ask for a password; {cure}"
        ) from error
    except ssl.SSLError as error:
        raise ServeError(_cause(options, error)) from error
    return context


def _cause(options: TlsOptions, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{options.key}: is not the key of {options.cert}; give the pair that was made together"
    what, path = ("certificate", options.cert)
    if _certificate_loads(options.cert):
        what, path = ("private key", options.key)
    return f"{path}: holds no {what} in PEM form ({error.reason or error}); export it as PEM"


def _certificate_loads(path: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return False
    return True


class _EncryptedError(Exception):
    """OpenSSL needs a password."""


def _no_password() -> str:
    raise _EncryptedError
