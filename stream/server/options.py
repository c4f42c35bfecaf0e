"""The options of ``segue serve``."""

from dataclasses import dataclass, field
from pathlib import Path

from catalog.index.names import DEFAULT
from engines.choose import AUTO, EngineOptions
from stream.driver.live import LiveOptions
from stream.recording.header import RecordOptions
from stream.sources.webrtc.ports import PortRange

from .access import AccessOptions
from .hub import HubOptions
from .listening import ListenOptions
from .music_watch import WatchOptions
from .now_text import FORMAT
from .obs_input import ObsOptions
from .obs_play import ObsPlayOptions
from .pulls import PullOptions
from .tls import TlsOptions
from .whip import WhipOptions


@dataclass(frozen=True)
class ServeOptions:
    """The options of ``segue serve``. ``bundle`` None: the one that ships."""

    catalog: Path
    bundle: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    threads: int = 1  # of the engine
    engine: str = AUTO
    engines: EngineOptions = field(default_factory=EngineOptions)  # except ``threads``
    search_device: str = "cpu"
    index: str = field(default=DEFAULT, repr=False)  # a name, or an address, which may hold a password
    target_lufs: float | None = None  # None: the catalogue's own
    batch_sizes: tuple[int, ...] | None = None  # None: those of ``engines.batcher``
    origins: tuple[str, ...] = ()
    access: AccessOptions = field(default_factory=AccessOptions)
    tls: TlsOptions | None = None
    max_connections: int | None = None  # of each process; None: from ``hub`` (see `connections_for`)
    drain_s: float = 20.0  # for how long sessions may go on after SIGTERM
    workers: int = 1  # processes
    worker_ports: tuple[int, int] | None = None  # first and last; None: those after ``port``
    public_url: str = ""  # the address of this very machine for clients; empty: that of their request
    log_format: str = "text"
    log_level: str = "warning"
    hub: HubOptions = field(default_factory=HubOptions)
    whip: WhipOptions = field(default_factory=WhipOptions)
    pull: PullOptions = field(default_factory=PullOptions)
    obs_play: ObsPlayOptions | None = None  # None: OBS plays nothing
    listen: ListenOptions = field(default_factory=ListenOptions)
    udp_ports: PortRange | None = None  # of WebRTC; None: any
    plain_webrtc: bool = False
    live: LiveOptions = field(default_factory=LiveOptions)
    obs: ObsOptions | None = None
    now_file: Path | None = None  # one line that says what is on air
    now_format: str = FORMAT
    watch: WatchOptions = field(default_factory=WatchOptions)  # folders that the catalogue mirrors
    record: Path | None = None  # a folder for a recording of each session
    recording: RecordOptions = field(default_factory=RecordOptions)
    cues: Path | None = None  # a folder for the cues of each session; None: in the catalogue
    no_cues: bool = False
