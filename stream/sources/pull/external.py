"""Inputs that PyAV's own FFmpeg was built without (SRT), through an ``ffmpeg`` program on the PATH.

The program copies the video's packets, undecoded, as Matroska into a pipe; decoding stays here. Sound is decoded there
(AAC as transport streams frame it does not fit into Matroska). The pipe is the only buffer.

An address may hold a passphrase, and every user of the machine can read a program's arguments. So the address goes to
standard input, as a list of one file for the ``concat`` demuxer (ffmpeg 5.0 or later: older ones have no ``option``).
"""

import contextlib
import os
import select
import shutil
import subprocess
import threading
from collections.abc import Sequence
from typing import Final

from stream.errors import SourceError

OPEN_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 15.0
LIST_TIMEOUT_S: Final = 10.0
STOP_S: Final = 2.0
LAST_WORDS_S: Final = 1.0  # for the last errors of a program that failed
COMPLAINT_BYTES: Final = 2000
ANALYSE_US: Final = "1000000"
WHITELIST: Final = "srt"  # the stream may name other places; none of them is opened
LIST: Final = "pipe:0"


def program_for(scheme: str) -> str:
    """The path of an ``ffmpeg`` that takes URLs of ``scheme``. Raises SourceError where there is none."""
    program = shutil.which("ffmpeg")
    cure = f"install an ffmpeg with {scheme.upper()}, or send the stream by another protocol"
    if program is None:
        raise SourceError(f"{scheme}: neither this PyAV nor a program on the PATH can read it; {cure}")
    try:
        done = subprocess.run(
            [program, "-hide_banner", "-protocols"], capture_output=True, text=True, timeout=LIST_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SourceError(f"{program}: does not run ({error}); {cure}") from error
    if scheme not in done.stdout.split():
        raise SourceError(f"{scheme}: neither this PyAV nor {program} was built with it; {cure}")
    return program


class ExternalPipe:
    """A running program that gets ``words`` on its standard input, and whose output is read like a file.

    ``read`` raises TimeoutError when nothing comes.
    """

    def __init__(self, command: Sequence[str], words: str = "", timeout_s: float = READ_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._errors = b""  # the end of them; in memory, since no file may be written here
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._out = self._process.stdout
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:  # it ended already, with an error
            stdin.write(words.encode())
        self._listener = threading.Thread(target=self._listen, name="ffmpeg's words", daemon=True)
        self._listener.start()

    def read(self, size: int) -> bytes:
        """From 1 to ``size`` bytes; none at the end."""
        if not select.select([self._out], [], [], self._timeout_s)[0]:
            raise TimeoutError(f"nothing came for {self._timeout_s:g} s")
        return os.read(self._out.fileno(), size)

    def wait(self) -> None:
        """Wait, for ever if need be, until there is something to read, or the end."""
        select.select([self._out], [], [])

    def complaint(self) -> str:
        """The last line of the program's errors, or nothing."""
        self._listener.join(LAST_WORDS_S)
        lines = [line for line in self._errors.decode(errors="replace").splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("To ignore this")] or lines  # advice, no cause
        return lines[-1].strip().removeprefix(f"{LIST}: ")[:200] if lines else ""

    def stop(self) -> None:
        """End the program. Idempotent. (Not called ``close``: FFmpeg would call that.)"""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        self._process.kill()
        self._process.wait()
        self._listener.join(STOP_S)
        self._out.close()

    def _listen(self) -> None:
        """The thread that reads the program's errors and keeps their end."""
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            while part := stderr.read(COMPLAINT_BYTES):
                self._errors = (self._errors + part)[-COMPLAINT_BYTES:]


def srt_pipe(source: str, kind: str = "") -> ExternalPipe:
    """The stream of an SRT address, as Matroska. Raises SourceError if no program can read it.

    ``kind`` names the format that has to come; empty: any.
    """
    command = [program_for("srt"), "-nostdin", "-hide_banner", "-loglevel", "error"]
    command += ["-protocol_whitelist", f"pipe,{WHITELIST}", "-analyzeduration", ANALYSE_US]
    command += ["-safe", "0", "-f", "concat", "-i", LIST, "-map", "0:v:0", "-map", "0:a:0?"]
    command += ["-c:v", "copy", "-c:a", "pcm_s16le", "-f", "matroska"]
    command += ["-cluster_time_limit", "1", "-flush_packets", "1", "pipe:1"]  # else packets wait until 32 KiB are full
    return ExternalPipe(command, concat_list(source, kind), OPEN_TIMEOUT_S)


def concat_list(source: str, kind: str) -> str:
    """An address as the only entry of a list for ``concat``. Raises SourceError for one that would be more."""
    if not source.isprintable():
        raise SourceError(f"{source!r}: holds characters that no address has; write them as %XX")
    quoted = source.replace("'", "'\\''")
    options = {"analyzeduration": ANALYSE_US, "protocol_whitelist": WHITELIST, "format_whitelist": kind}
    lines = [f"option {name} {value}" for name, value in options.items() if value]
    return "\n".join(["ffconcat version 1.0", f"file '{quoted}'", *lines, ""])
