"""OBS's "Custom Output (FFmpeg)": its recording goes to a URL. What the settings' window writes, written here."""

from pathlib import Path
from typing import Final

from real_obs import RealObs

H264, AAC = 27, 86_018  # FFmpeg's numbers of codecs, which OBS keeps beside their names
CONTAINER: Final = {"srt": "mpegts", "udp": "mpegts", "rtmp": "flv"}


def send_recording_to(real: RealObs, url: str, size: tuple[int, int] = (320, 180)) -> None:
    """Before ``real`` starts: what it records goes to ``url``, as H.264 of that size. Raises KeyError for a scheme that
    is not known here."""
    kind = CONTAINER[url.partition("://")[0]]
    settings = {
        "RecType": "FFmpeg",
        "FFOutputToFile": "false",
        "FFURL": url,
        "FFFormat": kind,
        "FFFormatMimeType": "",
        "FFExtension": "ts" if kind == "mpegts" else "flv",
        "FFIgnoreCompat": "true",
        "FFVEncoder": "libx264",
        "FFVEncoderId": H264,
        "FFVCustom": "preset=ultrafast tune=zerolatency",
        "FFVBitrate": 500,
        "FFVGOPSize": 30,
        "FFRescale": "true",
        "FFRescaleRes": f"{size[0]}x{size[1]}",
        "FFAEncoder": "aac",
        "FFAEncoderId": AAC,
        "FFABitrate": 96,
        "FFAudioMixes": 1,
    }
    path = real.home / ".config" / "obs-studio" / "basic" / "profiles" / "p" / "basic.ini"
    text = path.read_text().replace("Mode=Simple", "Mode=Advanced")
    _write(path, text + "\n[AdvOut]\n" + "".join(f"{name}={value}\n" for name, value in settings.items()))


def _write(path: Path, text: str) -> None:
    assert "Mode=Advanced" in text
    path.write_text(text)
