"""Whether a file's sound is encrypted (DRM): an MP4 whose sample entry says so (ISO/IEC 14496-12, 8.12; Apple's
``drms``). Its tags can be read, and it fails like a damaged file."""

from pathlib import Path
from typing import Final

import av

ENTRIES: Final = frozenset({"drms", "enca", "drmi"})


def is_protected(path: Path) -> bool:
    """False too for what is no media."""
    try:
        with av.open(str(path)) as container:
            return any(stream.codec_context.codec_tag in ENTRIES for stream in container.streams.audio)
    except (av.FFmpegError, OSError, ValueError):
        return False
