"""Files that are not what they should be: each is used as far as it goes, or named with its reason."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import mutagen.flac
import mutagen.id3
import numpy as np
import pytest
import soundfile

from catalog import worker
from catalog.indexer import index_folder
from catalog.report import IndexReport
from catalog.store import Store
from catalog.worker import FileTrack, Job, RejectedFile, analyse_file
from engines.onnx_engine import OnnxEngine

Writer = Callable[..., Path]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc00000030101"
    "0018dd8db00000000049454e44ae426082"
)


@pytest.fixture
def index(tmp_path: Path, engine: OnnxEngine) -> Callable[[Path], IndexReport]:
    return lambda music: index_folder(music, tmp_path / "c", engine, 1, lambda *_: None)


def heard(path: Path, engine: OnnxEngine) -> FileTrack:
    """The one track of a file."""
    outcome = analyse_file(Job(path), engine, lambda id: False)
    assert not isinstance(outcome, RejectedFile), outcome.reason
    (track,) = outcome.tracks
    return track


def refused(path: Path, engine: OnnxEngine) -> str:
    outcome = analyse_file(Job(path), engine, lambda id: False)
    assert isinstance(outcome, RejectedFile)
    return outcome.reason


@pytest.mark.parametrize("kind", ["ogg", "mp3", "flac", "wav"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_truncated(tmp_path: Path, write_music: Writer, engine: OnnxEngine, kind: str, share: float) -> None:
    path = write_music(tmp_path / f"a.{kind}", duration_s=12)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    outcome = analyse_file(Job(path), engine, lambda id: False)
    if isinstance(outcome, RejectedFile):
        assert share == 0.02 and "unexpectedly" not in outcome.reason
    else:
        analysis = outcome.tracks[0].analysis
        assert analysis is not None and analysis.duration_s <= 12.1


@pytest.mark.parametrize(("real", "named"), [("flac", "mp3"), ("mp3", "wav"), ("ogg", "flac"), ("wav", "ogg")])
def test_mislabelled(tmp_path: Path, write_music: Writer, engine: OnnxEngine, real: str, named: str) -> None:
    path = write_music(tmp_path / f"a.{real}").rename(tmp_path / f"b.{named}")
    analysis = heard(path, engine).analysis
    assert analysis is not None and analysis.duration_s == pytest.approx(6.0, abs=0.1)


def test_zero_length(tmp_path: Path, engine: OnnxEngine) -> None:
    (tmp_path / "a.flac").touch()
    assert refused(tmp_path / "a.flac", engine) == "is empty"
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 44_100)
    assert "no audio that decodes" in refused(tmp_path / "b.wav", engine)


def test_silent(tmp_path: Path, engine: OnnxEngine) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.flac", 2e-4 * rng.normal(size=(96_000, 2)).clip(-1, 1), 48_000)
    assert "is silent" in refused(tmp_path / "a.flac", engine)


def test_clipped(tmp_path: Path, write_music: Writer, engine: OnnxEngine) -> None:
    sound, rate_hz = soundfile.read(write_music(tmp_path / "a.wav", duration_s=8))
    soundfile.write(tmp_path / "b.wav", np.clip(20.0 * sound, -1.0, 1.0), rate_hz, subtype="PCM_16")
    outline = heard(tmp_path / "b.wav", engine).analysis.outline  # type: ignore[union-attr]
    assert outline is not None and outline.true_peak_db >= 0.0 and outline.lufs > -8.0
    assert outline.peaks.max() == 255


def test_eight_khz_mono_of_one_byte(tmp_path: Path, write_music: Writer, engine: OnnxEngine) -> None:
    sound, _ = soundfile.read(write_music(tmp_path / "a.wav", duration_s=12, rate_hz=8_000, channels=1))
    soundfile.write(tmp_path / "b.wav", sound, 8_000, subtype="PCM_U8")
    analysis = heard(tmp_path / "b.wav", engine).analysis
    assert analysis is not None and analysis.tempo_bpm == pytest.approx(120.0, rel=0.02)


def test_24_bits_at_192_khz_are_measured_as_at_48(tmp_path: Path, write_music: Writer, engine: OnnxEngine) -> None:
    fine = write_music(tmp_path / "a.wav", duration_s=8, rate_hz=192_000)
    sound, _ = soundfile.read(fine)
    soundfile.write(tmp_path / "b.flac", sound, 192_000, subtype="PCM_24")
    high = heard(tmp_path / "b.flac", engine).analysis
    assert high is not None and high.outline is not None and high.duration_s == pytest.approx(8.0, abs=0.05)
    assert high.tempo_bpm == pytest.approx(120.0, rel=0.02)


@pytest.mark.parametrize("kind", ["mp3", "flac"])
def test_a_picture_and_no_sound(tmp_path: Path, engine: OnnxEngine, kind: str) -> None:
    path = tmp_path / f"cover.{kind}"
    if kind == "mp3":
        tag = mutagen.id3.ID3()
        tag.add(mutagen.id3.APIC(mime="image/png", type=3, data=PNG))
        tag.save(path)
    else:
        soundfile.write(path, np.zeros(44_100), 44_100, format="FLAC")
        file = mutagen.flac.FLAC(path)
        picture = mutagen.flac.Picture()
        picture.data, picture.mime, picture.type = PNG, "image/png", 3
        file.add_picture(picture)
        file.save()
        path.write_bytes(path.read_bytes().partition(b"\xff\xf8")[0])  # without its frames
    reason = refused(path, engine)
    assert "unexpectedly" not in reason and "Traceback" not in reason


@pytest.mark.needs("ffmpeg")
def test_a_picture_alone_in_a_container_of_music(tmp_path: Path, engine: OnnxEngine) -> None:
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=red:s=16x16:d=1",
        "-frames:v",
        "1",
        tmp_path / "a.m4a",
    ]
    subprocess.run(command, check=True)
    assert refused(tmp_path / "a.m4a", engine) == "has no audio stream"


def test_folders_that_are_linked_in_a_circle(
    tmp_path: Path, write_music: Writer, index: Callable[..., IndexReport]
) -> None:
    music = write_music(tmp_path / "music" / "one" / "a.wav").parent.parent
    (music / "one" / "up").symlink_to(music)
    (music / "two").symlink_to(music / "one")
    (music / "one" / "self.wav").symlink_to(music / "one" / "self.wav")
    report = index(music)
    assert (report.added, report.duplicates, report.failed) == (1, 0, ())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path, write_music: Writer, index: Callable[..., IndexReport]) -> None:
    music = write_music(tmp_path / "music" / "closed" / "a.wav").parent.parent
    write_music(music / "b.wav", seed=1)
    (music / "closed").chmod(0)
    try:
        report = index(music)
    finally:
        (music / "closed").chmod(0o755)
    assert report.added == 1 and "cannot be read" in report.failed[0].text


def test_a_file_that_changes_while_it_is_read_is_taken_the_next_time(
    tmp_path: Path, write_music: Writer, index: Callable[..., IndexReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    music = write_music(tmp_path / "music" / "a.wav", seed=1).parent
    write_music(music / "b.wav", seed=2)
    plain = worker._analyse_track

    def slow(part: object, *rest: object) -> FileTrack:
        if part.tags.title == "a":
            write_music(music / "a.wav", duration_s=9, seed=3)
        return plain(part, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "_analyse_track", slow)
    report = index(music)
    assert report.added == 1 and [note.path.name for note in report.failed] == ["a.wav"]
    assert "changed while it was read" in report.failed[0].text
    monkeypatch.undo()
    report = index(music)
    assert (report.added, report.unchanged, report.failed) == (1, 1, ())
    store = Store(tmp_path / "c", write=False)
    assert sorted(round(stored.track.duration_s) for stored in store.tracks()) == [6, 9]
    store.close()


def test_what_listens_for_voices_takes_little_memory_however_long_a_track_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hours must not be given to the network at once."""
    from features import vocals

    sizes: list[int] = []

    class Network:
        def __call__(self, samples: np.ndarray) -> np.ndarray:
            sizes.append(len(samples))
            return np.zeros((len(samples) // 160, 3), np.float32)

    monkeypatch.setattr(vocals, "_network", Network)
    found = vocals.vocals_by_second(np.zeros(7200 * 16_000, np.float32))
    if found is not None:
        assert len(found) == 7200 and max(sizes) <= (vocals.BLOCK_S + 2 * vocals.AROUND_S) * 16_000


def test_a_protected_file_is_named_as_such(tmp_path: Path, write_music: Writer, engine: OnnxEngine) -> None:
    """As stores sold them: the sound is encrypted, and the sample entry is not that of AAC."""
    write_m4a(tmp_path / "a.m4a", write_music(tmp_path / "a.wav", duration_s=3))
    data = (tmp_path / "a.m4a").read_bytes()
    at = data.find(b"mdat")
    end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
    noise = np.random.default_rng(0).bytes(end - at - 4)
    protected = tmp_path / "a.m4p"
    protected.write_bytes((data[: at + 4] + noise + data[end:]).replace(b"mp4a", b"drms", 1))
    outcome = analyse_file(Job(protected), engine, lambda id: False)
    assert isinstance(outcome, RejectedFile) and "is protected (DRM)" in outcome.reason and not outcome.foreign
    garbage = tmp_path / "b.m4p"
    garbage.write_bytes(noise)
    other = analyse_file(Job(garbage), engine, lambda id: False)
    assert isinstance(other, RejectedFile) and "DRM" not in other.reason


def write_m4a(path: Path, sound: Path) -> None:
    with av.open(str(sound)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream("aac", rate=48_000)
        for frame in given.decode(audio=0):
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
