"""What the process that pulls a stranger's URL can still do, seen from inside."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import needs
import pytest

from stream.sources.sandbox import landlock
from stream.sources.sandbox.confinement import DESCRIPTORS, MEMORY_BYTES, environment
from stream.sources.sandbox.remote_pull import RemotePull

posix = pytest.mark.skipif(os.name != "posix", reason="the system knows no such limits")
needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock, or lets nobody use it")

INSIDE = """
import json, os, sys
import stream.sources.sandbox.child  # all that it imports is there before
from stream.sources.sandbox.confinement import confine

lack = confine({program!r})
def tried(what):
    try:
        return repr(what())[:300]
    except BaseException as error:
        return type(error).__name__
print(json.dumps([lack, *(tried(what) for what in [{tries}])]))
"""


def inside(*tries: str, program: str | None = None) -> list[str]:
    """Why a process as a pull's is not confined in full, and what comes of expressions in it."""
    code = INSIDE.format(program=program, tries=", ".join(f"lambda: {each}" for each in tries))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(os.environ),
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


@posix
def test_nothing_is_written_and_nothing_grows(tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("as it was")
    _, wrote, created, memory, descriptors, core = inside(
        f"open({str(file)!r}, 'r+').write('x' * 9)",
        f"open({str(tmp_path / 'new')!r}, 'wb', buffering=0).write(b'x')",
        f"bytearray({MEMORY_BYTES})",
        f"[os.dup(0) for _ in range({DESCRIPTORS})]",
        "__import__('resource').getrlimit(__import__('resource').RLIMIT_CORE)",
    )
    assert {wrote, created} <= {"OSError", "PermissionError"} and file.read_text() == "as it was"
    assert (memory, descriptors, core) == ("MemoryError", "OSError", "(0, 0)")
    assert not (tmp_path / "new").exists() or not (tmp_path / "new").stat().st_size


@needs_landlock
def test_no_file_of_others_is_read_and_no_process_of_others_reached(tmp_path: Path) -> None:
    (tmp_path / "song").write_text("mine")
    lack, *denied = inside(
        "open('/etc/passwd').read()",
        "open('/etc/shadow').read()",
        f"open({str(tmp_path / 'song')!r}).read()",
        f"os.listdir({str(Path.home())!r})",
        f"open({str(Path(__file__).parents[4] / 'README.md')!r}).read()",
        "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"os.mkdir({str(tmp_path / 'folder')!r})",
        f"os.remove({str(tmp_path / 'song')!r})",
        "__import__('subprocess').run(['/bin/sh', '-c', 'true'])",
        "__import__('subprocess').run([sys.executable, '-c', ''])",
    )
    assert lack == "" and set(denied) == {"PermissionError"}, denied
    assert (tmp_path / "song").read_text() == "mine"
    if landlock.version() >= 6:
        assert inside("os.kill(os.getppid(), 0)")[1] == "PermissionError"


@needs_landlock
def test_what_it_needs_is_there() -> None:
    _, *values = inside(
        "__import__('socket').getaddrinfo('localhost', 80) and 1",
        "__import__('ssl').create_default_context() and 1",
        "__import__('encodings.idna') and 1",
        "open('/dev/null', 'r+b').write(b'1')",
    )
    assert values == ["1"] * 4


@needs_landlock
def test_one_program_may_be_executed_and_is_confined_too(tmp_path: Path) -> None:
    program = needs.program("ffmpeg")
    (tmp_path / "song.txt").write_text("file 'x'\n")
    _, version, reading, shell = inside(
        f"__import__('subprocess').run([{program!r}, '-version'], capture_output=True).stdout[:6]",
        f"__import__('subprocess').run([{program!r}, '-f', 'concat', '-i', {str(tmp_path / 'song.txt')!r}], "
        "capture_output=True).stderr[-200:]",
        "__import__('subprocess').run(['/bin/sh', '-c', 'true'])",
        program=program,
    )
    assert version == "b'ffmpeg'" and "Permission denied" in reading and shell == "PermissionError"


def test_of_the_environment_only_what_is_needed_is_handed_on() -> None:
    kept = {"PATH": "/bin", "LANG": "C", "LC_ALL": "C", "SSL_CERT_FILE": "/c.pem", "SystemRoot": "C:\\Windows"}
    secret = {"SEGUE_PUBLISH_TOKEN": "s", "AWS_SECRET_ACCESS_KEY": "s", "HTTPS_PROXY": "s", "HOME": "/h", "XLC_": "s"}
    found = environment({**kept, **secret, "PYTHONPATH": "/more", "PYTHONSTARTUP": "/s.py"})
    assert kept.items() <= found.items() and not secret.keys() & found.keys() and "PYTHONSTARTUP" not in found
    assert found["PYTHONPATH"].split(os.pathsep)[1:] == ["/more"]


@posix
def test_a_pulling_process_has_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_PUBLISH_TOKEN", "a" * 24)
    assert inside("sorted(name for name in os.environ if 'SEGUE' in name)")[1] == "[]"


def test_without_landlock_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "another")
    assert landlock.version() == 0


def looked_at(name: str) -> tuple[str, str, str]:
    """Environment, limits and status of the process of that name which this one has started."""
    me = os.getpid()
    children = [Path("/proc", pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]
    (place,) = [child for child in children if name in (child / "cmdline").read_text()]
    return (place / "environ").read_text(), (place / "limits").read_text(), (place / "status").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_real_pull_is_confined_before_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_PUBLISH_TOKEN", "a" * 24)

    async def scene() -> tuple[str, str, str]:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.setblocking(False)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/v.mp4"
            pull = RemotePull(url, ("127.0.0.1/32",), lambda _: None, lambda _: None, lambda _: None)
            client, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(silent), 30)
            try:
                return await asyncio.to_thread(looked_at, "sandbox.child")
            finally:
                client.close()
                await pull.close()

    environ, limits, status = asyncio.run(scene())
    assert "SEGUE" not in environ and "PATH=" in environ
    sizes = {line[:25].strip(): line[25:].split() for line in limits.splitlines()}
    assert sizes["Max file size"][:2] == sizes["Max core file size"][:2] == ["0", "0"]
    assert sizes["Max open files"][1] == str(DESCRIPTORS) and sizes["Max address space"][1] == str(MEMORY_BYTES)
    assert ("NoNewPrivs:\t1" in status) is bool(landlock.version())
