"""Why no track passes the filters, in words, and the filters to try alone to find the one that blocks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from catalog.records import Filters

_NONE: Final = Filters()


def parts(filters: Filters) -> dict[str, Filters]:
    """Each filter that is set, alone, by its words."""
    alone: dict[str, Filters] = {}
    if filters.min_bpm is not None:
        alone[f"at least {filters.min_bpm:g} bpm"] = replace(_NONE, min_bpm=filters.min_bpm)
    if filters.max_bpm is not None:
        alone[f"at most {filters.max_bpm:g} bpm"] = replace(_NONE, max_bpm=filters.max_bpm)
    if filters.licences:
        alone[f"licence {' or '.join(sorted(filters.licences))}"] = replace(_NONE, licences=filters.licences)
    if filters.tags:
        alone[f"tag {' or '.join(sorted(filters.tags))}"] = replace(_NONE, tags=filters.tags)
    if filters.moods:
        alone[f"mood {' or '.join(sorted(filters.moods))}"] = replace(_NONE, moods=filters.moods)
    if filters.playlists:
        names = " or ".join(sorted(filters.playlists))
        alone[f"playlist {names}"] = replace(_NONE, playlists=filters.playlists)
    if filters.keys:
        text = f"key {' or '.join(sorted(filters.keys))}{', or near it' if filters.near_keys else ''}"
        alone[text] = replace(_NONE, keys=filters.keys, near_keys=filters.near_keys)
    if filters.min_energy is not None:
        alone[f"energy at least {filters.min_energy:g}"] = replace(_NONE, min_energy=filters.min_energy)
    if filters.max_energy is not None:
        alone[f"energy at most {filters.max_energy:g}"] = replace(_NONE, max_energy=filters.max_energy)
    if filters.live_ok:
        alone["live allowed"] = replace(_NONE, live_ok=True)
    if filters.vod_ok:
        alone["VOD allowed"] = replace(_NONE, vod_ok=True)
    if filters.instrumental:
        alone["instrumental"] = replace(_NONE, instrumental=True)
    if filters.min_duration_s:
        text = f"at least {filters.min_duration_s:g} s long"
        alone[text] = replace(_NONE, min_duration_s=filters.min_duration_s)
    return alone


def reason(filters: Filters, passing: Mapping[str, bool], skipped: bool) -> str:
    """Empty where no filter is set and nothing was skipped. ``passing``: whether anything passes each part alone."""
    named = list(parts(filters))
    if blocking := [part for part in named if not passing.get(part, True)]:
        return f"no track passes the filter {' nor '.join(blocking)}; the list is the one before"
    if len(named) > 1:
        return f"no track passes all filters at once ({', '.join(named)}), some pass each; the list is the one before"
    if skipped:
        return (
            f"every track that {'passes the filter' if named else 'is there'} was skipped; the list is the one before"
        )
    return f"no track passes the filter {named[0]}; the list is the one before" if named else ""
