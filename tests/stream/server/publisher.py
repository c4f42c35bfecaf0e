"""A WHIP client that is not ours: FFmpeg's ``whip`` muxer, driven by PyAV. A program of its own, since it blocks.

``python publisher.py URL SECONDS FOLDER [audio] [default]``: H.264 (baseline, or libx264's default profile; without
B-frames, which the muxer refuses), a moving gradient, for so long.
"""

import datetime
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FPS = 25
WIDTH, HEIGHT = 320, 180
RATE_HZ = 48_000


def write_certificate(folder: Path) -> dict[str, str]:
    """The muxer's options for a fresh P-256 certificate; without one its DTLS handshake fails."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "publisher")])
    start = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = made.not_valid_before(start).not_valid_after(start + datetime.timedelta(36_500))
    key_file, cert_file = folder / "key.pem", folder / "cert.pem"
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    cert_file.write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return {"cert_file": str(cert_file), "key_file": str(key_file)}


def main(url: str, seconds: float, folder: Path, sound: bool, default: bool) -> None:
    with av.open(url, "w", format="whip", options=write_certificate(folder)) as out:
        options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "bf": "0", "g": str(FPS)}
        options = {"bf": "0", "g": str(FPS)} if default else options
        video = out.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("libopus", rate=RATE_HZ) if sound else None
        if audio is not None:
            audio.layout = "stereo"
        across = np.linspace(0, 255, WIDTH, dtype=np.uint8)[None, :, None]
        began = time.monotonic()
        for index in range(round(seconds * FPS)):
            picture = np.broadcast_to(np.roll(across, 5 * index, axis=1), (HEIGHT, WIDTH, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            for packet in video.encode(frame):
                out.mux(packet)
            if audio is not None:
                samples = np.zeros((1, 2 * RATE_HZ // FPS), np.int16)
                tone = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
                tone.sample_rate, tone.pts, tone.time_base = RATE_HZ, index * (RATE_HZ // FPS), Fraction(1, RATE_HZ)
                for packet in audio.encode(tone):
                    out.mux(packet)
            time.sleep(max(0.0, began + index / FPS - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), "audio" in sys.argv[4:], "default" in sys.argv[4:])
