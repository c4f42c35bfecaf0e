"""The parts that all sessions of a server share: engine, catalogue, threads, recordings."""

import contextlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

from catalog.catalog import Catalog
from catalog.layout import is_catalog
from engines.bundle import default_bundle, load_bundle
from features.spec import FEATURES
from stream.cues.store import FOLDER, CueStore
from stream.driver.runtime import Runtime
from stream.recording.recorder import Recordings

from .engine import open_batched
from .errors import ServeError
from .listening import Port, open_ports
from .options import ServeOptions
from .pool import SessionPool

log = logging.getLogger(__name__)

RECORD_WAIT_S: Final = 10.0  # at the end, for a slow disk


@dataclass(frozen=True)
class Parts:
    """The parts that all sessions share."""

    runtime: Runtime
    catalog: Catalog
    workers: Executor
    recordings: Recordings | None = None
    engine_choice: str = ""  # which engine, and why
    cues: CueStore | None = None
    ports: tuple[Port, ...] = ()  # of --listen


def make_catalog(options: ServeOptions) -> None:
    """An empty catalogue where there is none, for --watch to fill; of several workers, before there are any. Raises the
    errors of bundles and catalogues."""
    if options.watch.folders and not is_catalog(options.catalog):
        Catalog.create(options.catalog, load_bundle(options.bundle or default_bundle(), FEATURES)).close()


@contextlib.contextmanager
def open_parts(options: ServeOptions) -> Iterator[Parts]:
    """Engine, catalogue and workers, started in this order and stopped in reverse.

    Raises the errors of bundles, engines and catalogues, and SourceError where an address of --listen is taken.
    """
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(open_ports(options.listen))
        bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
        engines = replace(options.engines, threads=options.threads)
        engine, engine_choice = open_batched(bundle, options.engine, engines, options.batch_sizes)
        stack.callback(engine.close)
        make_catalog(options)
        how = options.search_device, options.target_lufs, options.index
        catalog = stack.enter_context(Catalog.open(options.catalog, bundle, *how))
        if reason := catalog.search_state.reason:
            log.info("segments are searched on the CPU: %s", reason)
        if not len(catalog) and not options.watch.folders:
            raise ServeError(
                f"{options.catalog}: the catalogue is empty; segue index MUSIC_DIR -c CATALOG fills it, "
                "or --watch MUSIC_DIR does"
            )
        # threads wait while the engine computes, so there are more of them than cores
        count = max(2, min(options.hub.max_sessions, 2 * (os.cpu_count() or 1)))
        workers = stack.enter_context(SessionPool(count))
        runtime = Runtime(engine, catalog)
        recordings = None
        if options.record is not None:
            recorded = replace(options.recording, threads=options.threads)
            recordings = Recordings(options.record, runtime, catalog, options.live.session, recorded)
            stack.callback(recordings.close, RECORD_WAIT_S)
        cues = None if options.no_cues else CueStore(options.cues or options.catalog / FOLDER)
        if cues is not None:
            stack.callback(cues.close)
        yield Parts(runtime, catalog, workers, recordings, engine_choice, cues, ports)
