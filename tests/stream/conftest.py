"""What the stream's tests share: a runtime without networks, features, videos and a catalogue made on the spot."""

import datetime
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from once import once

from catalog.catalog import Catalog
from catalog.indexer import index_folder
from catalog.records import Candidate, Filters, Outline, Track
from engines.bundle import load_bundle
from engines.manifest import GraphSpec, Manifest, TensorSpec
from engines.onnx_engine import OnnxEngine
from engines.wiring import graphs_of
from features.appearance import ColourStats
from features.frame import FrameFeatures
from features.spec import FEATURES, MAX_CLIPS, THUMB_SIZE
from stream.core.events import Beats, Infer, Search
from stream.core.model import Model
from stream.driver.runtime import Runtime

CLIP, WIDTH = 8, 6


def make_track(number: int, tempo_bpm: float = 120.0) -> Track:
    name = f"{number:016x}"
    return Track(name, f"title {number}", "somebody", Path(f"/music/{number}.ogg"), 60.0, tempo_bpm, "CC0", ("calm",))


def make_candidate(number: int, similarity: float = 0.5, tempo_bpm: float = 120.0, mood: Any = None) -> Candidate:
    rng = np.random.default_rng(number)
    mask = np.ones(MAX_CLIPS, bool)
    rhythm = np.tile(np.array([8.0, rng.uniform(0.2, 1), 0.5], np.float32), (MAX_CLIPS, 1))
    clips = rng.normal(size=(MAX_CLIPS, CLIP)).astype(np.float32)
    mood = None if mood is None else np.asarray(mood, np.float32)
    standing = np.array([rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-1, 1), tempo_bpm / 110 - 1], np.float32)
    return Candidate(
        make_track(number, tempo_bpm), 2.0 * (number % 20), similarity, clips, mask, rhythm, mood, standing=standing
    )


def make_outline(**changes: Any) -> Outline:
    """Of a track of three minutes that plays throughout."""
    given: dict[str, Any] = {
        "lufs": -14.0,
        "range_lu": 5.0,
        "true_peak_db": -1.0,
        "loudness": np.full(180, -14.0, np.float32),
        "peaks": np.full(100, 200, np.uint8),
        "music_s": ((0.0, 180.0),),
        "intro_s": 8.0,
        "outro_s": 170.0,
        "sections_s": np.array([0.0, 40.0, 120.0], np.float32),
        "downbeats_s": np.arange(0.0, 180.0, 2.0, dtype=np.float32),
        "loops": (),
    }
    return Outline(**{**given, **changes})


INPUTS = {
    "video_clip": ("clip_image",),
    "music_clip": ("clip_mel",),
    "video_sequence": ("clips", "mask", "displacement"),
    "music_sequence": ("clips", "mask", "rhythm"),
    "matcher": ("video_clips", "video_mask", "displacement", "music_clips", "music_mask", "rhythm"),
    "mood": ("embedding",),
}


def make_model(matcher: bool, mood: bool) -> Model:
    """Of a bundle as the tests' tiny one, with other widths."""
    left_out = {name for name, there in (("matcher", matcher), ("mood", mood)) if not there}
    specs = {
        name: GraphSpec(name, "", "", tuple(TensorSpec(each, "float32", ("batch",)) for each in inputs), ())
        for name, inputs in INPUTS.items()
        if name not in left_out
    }
    return Model(graphs_of(Manifest(1, "fake", "fake", CLIP, CLIP, WIDTH, MAX_CLIPS, 20, specs, {}, {}), "fake"))


class FakeRuntime:
    """Answers every question from its inputs alone, as a real one does; counts and keeps what it was asked."""

    def __init__(self, matcher: bool = True, mood: bool = True, tracks: int = 12) -> None:
        self.model = make_model(matcher, mood)
        self.asked: list[Beats | Infer | Search] = []
        self.engine = SimpleNamespace(run=lambda graph, inputs: self.answer(Infer(0, graph, inputs)))
        self._project = np.random.default_rng(5).normal(size=(64, CLIP)).astype(np.float32)
        self._vectors = np.random.default_rng(6).normal(size=(tracks, WIDTH)).astype(np.float32)

    def submit(self, question: Beats | Infer | Search) -> None:
        """It joins nothing: everything is answered in a thread."""

    def answer(self, question: Beats | Infer | Search) -> Any:
        self.asked.append(question)
        if isinstance(question, Search):
            found = self._search(question.query, question.n, question.filters)
            only = Filters(only=question.keep - {candidate.track.id for candidate in found})
            return [*found, *self._search(question.query, len(question.keep), only)]
        if isinstance(question, Beats):
            return np.arange(0.25, 60.0, 0.5, np.float32)
        inputs = question.inputs
        if question.graph == "video_clip":
            images = inputs["clip_image"].astype(np.float32) / 255
            return {"embedding": images.mean(axis=2) @ self._project}
        if question.graph == "video_sequence":
            weights = inputs["mask"] * np.arange(1, MAX_CLIPS + 1) + inputs["displacement"]
            pooled = (weights[..., None] * inputs["clips"]).sum(axis=1)[:, :WIDTH] + 1e-3
            return {"embedding": (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).astype(np.float32)}
        if question.graph == "mood":
            return {"mood": 1 / (1 + np.exp(-inputs["embedding"][:, :3]))}
        assert question.graph == "matcher"
        distance = np.square(inputs["video_clips"] - inputs["music_clips"]).mean(axis=(1, 2))
        return {"score": np.exp(-distance).astype(np.float32)}

    def _search(self, query: Any, n: int, filters: Filters) -> list[Candidate]:
        similarities = self._vectors @ query / np.linalg.norm(self._vectors, axis=1)
        found = [
            make_candidate(i, float(s), 70.0 + 9 * i, (0.1 * (i % 10), 0.5, 0.3)) for i, s in enumerate(similarities)
        ]
        passing = [candidate for candidate in found if filters.passes(candidate.track)]
        return sorted(passing, key=lambda candidate: -candidate.similarity)[:n]


@pytest.fixture(scope="session")
def fake_runtime() -> Callable[..., Any]:
    """``fake_runtime(matcher=True, mood=True, tracks=12)``: stands where a Runtime does."""
    return FakeRuntime


@pytest.fixture(scope="session")
def outline() -> Callable[..., Outline]:
    """``outline(lufs=-20.0, ...)``: of a track of three minutes; see ``make_outline``."""
    return make_outline


@pytest.fixture(scope="session")
def candidate() -> Callable[..., Candidate]:
    """``candidate(number, similarity=0.5, tempo_bpm=120, mood=None)``."""
    return make_candidate


@pytest.fixture(scope="session")
def features() -> Callable[..., FrameFeatures]:
    """``features(seed, speed=0.3, cut=0.0)``: a frame with a thumbnail of its own."""

    def make(seed: int, speed: float = 0.3, onset: float = 0.0, cut: float = 0.0) -> FrameFeatures:
        rng = np.random.default_rng(seed)
        thumb = np.full((THUMB_SIZE, THUMB_SIZE), rng.integers(0, 255), np.uint8)
        thumb[:: 1 + seed % 7] = rng.integers(0, 255)
        return FrameFeatures(thumb, ColourStats(0.5, 0.4, 0.3, 0.6), speed, 0.1, 0.0, onset, cut)

    return make


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """``write_video(path, frames=36, fps=12, width=64, height=48, pts_ms=None, codec="libx264")`` -> path."""

    def write(
        path: Path,
        frames: int = 36,
        fps: int = 12,
        width: int = 64,
        height: int = 48,
        pts_ms: Sequence[int] | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
    ) -> Path:
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.time_base = Fraction(1, 1000)
            ramp = np.add.outer(np.arange(height, dtype=np.uint16), np.arange(width, dtype=np.uint16)).astype(np.uint8)
            for i in range(frames):
                grey = np.roll(ramp, 3 * i, axis=1)
                picture = np.stack([grey, grey[::-1], np.full_like(grey, i % 256)], axis=2)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
                frame.pts = pts_ms[i] if pts_ms is not None else i * 1000 // fps
                frame.time_base = Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


def make_certificate(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """A self-signed certificate for this machine's loopback address, and its key: PEM files."""
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
    cert_file, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, sealed))
    return cert_file, key_file


@pytest.fixture(scope="session")
def write_certificate() -> Callable[..., tuple[Path, Path]]:
    """``write_certificate(folder, name, password=None)`` -> certificate, key."""
    return make_certificate


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the loopback address and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "own")


@pytest.fixture(scope="session")
def small_catalog(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a catalogue of six short tracks with a pulse, with the tiny bundle. Shared: do not change it."""
    return once(tmp_path_factory, "pulses", lambda folder: index_pulses(folder, tiny_bundle)) / "catalogue"


def index_pulses(folder: Path, bundle: Path) -> None:
    music, rate_hz = folder / "music", 16_000
    music.mkdir()
    for number, bpm in enumerate((72, 90, 105, 120, 140, 165)):
        rng = np.random.default_rng(number)
        t = np.arange(12 * rate_hz) / rate_hz
        sound = 0.1 * np.sin(2 * np.pi * 110 * (number + 2) * t)
        for beat_s in np.arange(0.3, 11.8, 60 / bpm):
            at = int(beat_s * rate_hz)
            sound[at : at + 800] += 0.4 * rng.normal(size=800) * np.exp(-np.linspace(0, 6, 800))
        with (music / f"{number}.wav").open("wb") as file:
            soundfile.write(file, sound.astype(np.float32), rate_hz, format="WAV")
    engine = OnnxEngine(load_bundle(bundle, FEATURES))
    report = index_folder(music, folder / "catalogue", engine, 1, lambda *_: None)
    engine.close()
    assert report.added == 6


@pytest.fixture
def runtime(tiny_bundle: Path, small_catalog: Path) -> Iterator[Runtime]:
    """The tiny bundle and the small catalogue."""
    bundle = load_bundle(tiny_bundle, FEATURES)
    engine = OnnxEngine(bundle)
    with Catalog.open(small_catalog, bundle) as catalog:
        yield Runtime(engine, catalog)
    engine.close()
