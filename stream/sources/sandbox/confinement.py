"""The limits of the process that pulls a client's URL: only the network, its pipes and its own code.

The environment is an allow-list, since the server's holds tokens. Resource limits hold on every POSIX system: no file
can be written, no core is dumped, memory and descriptors are bounded. On Linux with Landlock, only files that Python,
FFmpeg, TLS and name look-up need can be opened, and nothing is executed except an ``ffmpeg`` for SRT; the process
cannot look at others or signal them. The number of processes is not bounded here: the system counts those of a user,
not of a process.
"""

import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from . import landlock

MEMORY_BYTES: Final = 4 * 1024**3
DESCRIPTORS: Final = 64
ROOT: Final = Path(__file__).parents[3]
PACKAGES: Final = ("features", "stream")  # of ours, that the process imports

UNCONFINED: Final = "this system has no Landlock (Linux from 5.13 on, if a container lets it through)"

KEPT: Final = frozenset({"PATH", "LANG", "LANGUAGE", "SSL_CERT_FILE", "SSL_CERT_DIR"})
KEPT_BY_LOADERS: Final = frozenset({"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
KEPT_BY_PYTHON: Final = frozenset({"PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONUTF8"})
KEPT_BY_WINDOWS: Final = frozenset({"SYSTEMROOT", "WINDIR"})
LIBRARIES: Final = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/nix/store")
NAMES: Final = (  # how a name becomes an address
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/run/systemd/resolve",
)
CERTIFICATES: Final = (  # without the private keys beside them
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted",
    "/usr/share",
)
OTHERS: Final = ("/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/dev/urandom", "/sys/devices/system/cpu")


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """The environment of a pulling process: a part of the server's, and own settings."""
    allowed = KEPT | KEPT_BY_LOADERS | KEPT_BY_PYTHON | KEPT_BY_WINDOWS
    chosen = {name: value for name, value in of.items() if name.upper() in allowed or name.startswith("LC_")}
    path = os.pathsep.join([str(ROOT), *filter(None, [chosen.get("PYTHONPATH")])])
    return chosen | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def confine(program: str | None = None) -> str:
    """Give up all rights that are not needed, for good. ``program``: the one that may be executed.

    Returns why files can still be opened, else empty. Raises OSError if Landlock is there and refuses.
    """
    if os.name != "posix":
        return UNCONFINED
    import resource

    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: DESCRIPTORS,
        resource.RLIMIT_AS: MEMORY_BYTES,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    if not landlock.version():
        return UNCONFINED
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return "threads run already, and would keep their rights"
    landlock.restrict(readable(), executable(program), [Path("/dev/null")])
    return ""


def readable() -> list[Path]:
    """Files and folders that Python, FFmpeg, TLS and name look-up read."""
    tls = ssl.get_default_verify_paths()
    python = [Path(prefix) / "lib" for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)]
    packages = [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    certificates = [tls.cafile, tls.capath, tls.openssl_cafile, tls.openssl_capath, *CERTIFICATES]
    own = [ROOT / name for name in PACKAGES]
    return [*python, *packages, *own, *map(Path, [*LIBRARIES, *NAMES, *OTHERS, *filter(None, certificates)])]


def executable(program: str | None) -> list[Path]:
    """A program, and the loaders that the system starts it with."""
    if program is None:
        return []
    return [Path(program), *(loader for folder in LIBRARIES[:3] for loader in Path(folder).glob("ld*.so*"))]
