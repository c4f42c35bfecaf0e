import av
import numpy as np
import pytest

import studio.library
from studio.errors import StudioError
from studio.library import LICENCE_URL, DemoTrack, demo_tracks, write_track
from studio.music.recipe import STYLES, MusicRecipe


@pytest.fixture
def track():
    recipe = MusicRecipe("folk", 96.0, energy=0.7, seed=4)
    return DemoTrack("Crooked Staircase", "Alder & Fen", "Segue Demo: Folk", "folk", recipe, 3.0)


def test_a_catalogue_is_varied_and_the_same_each_time():
    tracks = demo_tracks(56, seed=1)
    assert tracks == demo_tracks(56, seed=1) and tracks != demo_tracks(56, seed=2)
    assert len({track.title for track in tracks}) == len({track.file_name for track in tracks}) == 56
    assert {track.recipe.style for track in tracks} == set(STYLES)
    assert all(45.0 <= track.duration_s <= 75.0 and track.licence == "CC0-1.0" for track in tracks)
    levels = np.array(
        [(track.recipe.energy_at(20.0), track.recipe.brightness, track.recipe.tension) for track in tracks]
    )
    assert (np.ptp(levels, axis=0) > 0.6).all()
    assert len({track.recipe.mode for track in tracks}) >= 5
    assert np.ptp([track.recipe.tempo_bpm for track in tracks]) > 80


def test_a_shorter_catalogue_begins_a_longer_one_and_titles_never_run_out():
    assert demo_tracks(60)[:12] == demo_tracks(12)
    titles = [track.title for track in demo_tracks(400)]
    assert len(set(titles)) == 400
    assert demo_tracks(0) == []
    with pytest.raises(StudioError, match="-3"):
        demo_tracks(-3)


def test_a_written_track_reads_back_with_its_tags(track, tmp_path):
    path = write_track(track, tmp_path / "new" / "folder")
    assert path.name == "alder-fen-crooked-staircase.ogg"
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        tags = {name.lower(): value for name, value in {**container.metadata, **stream.metadata}.items()}
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
        assert stream.rate == 32_000 and stream.layout.nb_channels == 2
    assert samples.shape == (2, 96_000)
    assert 0.05 < np.abs(samples).max() <= 1.1
    assert tags["title"] == "Crooked Staircase" and tags["artist"] == "Alder & Fen"
    assert tags["album"] == "Segue Demo: Folk" and tags["genre"] == "folk" and tags["bpm"] == "96"
    assert tags["license"] == LICENCE_URL and "CC0-1.0" in tags["copyright"]


def test_a_track_is_the_same_file_twice_and_is_not_written_over(track, tmp_path, monkeypatch):
    first = write_track(track, tmp_path / "a")
    assert first.read_bytes() == write_track(track, tmp_path / "b").read_bytes()

    def refuse(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr(studio.library, "render", refuse)
    assert write_track(track, tmp_path / "a") == first


def test_a_failed_write_leaves_nothing_behind(track, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(studio.library, "_tag", fail)
    with pytest.raises(OSError, match="disk full"):
        write_track(track, tmp_path)
    assert list(tmp_path.iterdir()) == []
