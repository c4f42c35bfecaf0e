"""OBS's "Custom Output (FFmpeg)": its recording goes to a URL. What the settings' window writes, written here."""

from typing import Final

from real_obs import RealObs

from stream.sources.listen.address import ListenAddress

H264, AAC = 27, 86_018  # FFmpeg's numbers of codecs, which OBS keeps beside their names
CONTAINER: Final = {"srt": "mpegts", "udp": "mpegts", "rtmp": "flv"}
QUERY: Final = {"srt": "?mode=caller", "udp": "?pkt_size=1316", "rtmp": ""}
SIZE: Final = (320, 180)


def url_for(address: ListenAddress) -> str:
    """What stands in OBS for an address that Segue listens on."""
    return f"{address.text}{QUERY[address.scheme]}"


def where(url: str) -> dict[str, str]:
    """The settings that change with the URL. Raises KeyError for a scheme that is not known here."""
    kind = CONTAINER[url.partition("://")[0]]
    return {"FFURL": url, "FFFormat": kind, "FFExtension": "ts" if kind == "mpegts" else kind}


def send_recording_to(real: RealObs, url: str, size: tuple[int, int] = SIZE) -> None:
    """Before ``real`` starts: what it records goes to ``url``, as H.264 of that size."""
    settings = {
        "RecType": "FFmpeg",
        "FFOutputToFile": "false",
        **where(url),
        "FFFormatMimeType": "",
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
    text = path.read_text()
    assert "Mode=Simple" in text
    lines = [f"{name}={value}" for name, value in settings.items()]
    path.write_text("\n".join([text.replace("Mode=Simple", "Mode=Advanced"), "[AdvOut]", *lines, ""]))
