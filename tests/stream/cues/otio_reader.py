"""What OpenTimelineIO and its adapters read: a program of its own, fed with JSON and answering in JSON.

Its own, because in a process in which hypothesis has run, what the adapters make aborts the interpreter at its end
("PyThreadState_Get: the function must be called with the GIL held"; OpenTimelineIO 0.18.1).
"""

import json
import sys

import opentimelineio as otio


def facts(text, adapter, rate):
    arguments = {} if rate is None else {"rate": rate}
    timeline = otio.adapters.read_from_string(text, adapter, **arguments)
    if adapter == "fcpx_xml":
        [timeline] = timeline
    tracks = []
    for track in timeline.tracks:
        clips = [
            {
                "name": clip.name,
                "begin": clip.range_in_parent().start_time.to_frames(),
                "frames": clip.source_range.duration.to_frames(),
                "source": clip.source_range.start_time.to_frames(),
                "markers": [marker.marked_range.start_time.to_frames() for marker in clip.markers],
                "licence": dict(clip.metadata.get("segue", {})).get("licence"),
            }
            for clip in track.find_clips()
        ]
        tracks.append({"kind": track.kind, "clips": clips})
    marks = [marker.marked_range.start_time.to_frames() for marker in timeline.tracks.markers]
    start = timeline.global_start_time
    return {"tracks": tracks, "marks": marks, "start": None if start is None else start.to_frames()}


json.dump([facts(*one) for one in json.load(sys.stdin)], sys.stdout)
