"""Every form of list is read as it is published; what is wrong in one is named with its line."""

from pathlib import Path

import pytest

from towers.corpora.lists.readers import read_lists, youtube_id
from towers.corpora.source import Source
from towers.errors import CorpusError

MGSV = (
    "video_id,music_id,video_start,video_end,music_start,music_end,music_total_duration,video_segment_duration,"
    "music_segment_duration,music_path,video_total_duration,video_width,video_height,video_total_frames,"
    "video_frame_rate,video_category\n"
    "112712471153,4+5xx,0.0,25.722,23.22,48.942,122.137,25.722,25.722,/Data/music/1/4+5xx+旋律（DJ版）.mp3,25.75,608,1280,"
    "618,24,Beauty\n"
    "102432173428,4+5yy,0.5,18.553,0.0,18.053,96.459,18.553,18.553,/Data/music/1/4+5yy+b.mp3,18.667,1080,1920,560,30,"
    "Movies TV Shows\n"
    "99,4+5xx,0.0,10,0.0,10,122,10,10,/Data/music/1/4+5xx+旋律（DJ版）.mp3,10,10,10,10,24,Pets\n"
)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_is_its_videos_and_their_folders_are_tags(tmp_path: Path) -> None:
    touch(tmp_path, "Sport/Ski/a.MP4", "b.webm", "cover.jpg", "song.mp3", ".hidden.mp4", ".trash/c.mp4")
    listed = read_lists([tmp_path], None, None)
    assert listed.sources == (
        Source("b.webm", tmp_path / "b.webm"),
        Source("Sport/Ski/a.MP4", tmp_path / "Sport/Ski/a.MP4", tags=("sport", "ski")),
    )
    with pytest.raises(CorpusError, match="holds no video"):
        read_lists([touch(tmp_path / "empty", "notes.txt")], None, None)


def test_our_csv_in_full(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "v/b.mp4", "m/one.flac")
    (tmp_path / "list.csv").write_text(
        "\ufeffvideo,music,id,video_start,video_end,music_start,music_end,split,tags,energy,valence,tension,emotion,"
        "polarity,match\n"
        "v/a.mp4,m/one.flac,first,1,30,2.5,31.5,Validation,Calm; sea|blue,0.1,0.9,0,Calm,0.5,0\n"
        "\n"
        "v/b.mp4\n"
        "v/gone.mp4,,,,,,,,,,,,,,\n",
        encoding="utf-8",
    )
    listed = read_lists([tmp_path / "list.csv"], None, None)
    assert listed.sources == (
        Source(
            "first",
            tmp_path / "v/a.mp4",
            tmp_path / "m/one.flac",
            "m/one.flac",
            1.0,
            30.0,
            2.5,
            31.5,
            "val",
            ("calm", "sea", "blue"),
            (0.1, 0.9, 0.0),
            "calm",
            0.5,
            False,
        ),
        Source("v/b.mp4", tmp_path / "v/b.mp4"),
    )
    assert listed.absent == (f"list.csv, line 5: {tmp_path / 'v/gone.mp4'}",)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("a.mp4,x,,,,,", r"line 2, video_start: 'x' is no number"),
        ("a.mp4,-1,,,,,", r"line 2, video_start: -1 lies outside"),
        ("a.mp4,,best,,,,", r"line 2, split: 'best' is none of train, val, test"),
        ("a.mp4,,,0.5,,,", r"line 2, mood: give all of energy, valence, tension or none"),
        ("a.mp4,,,2,0,0,", r"line 2, energy: 2 lies outside 0 to 1"),
        ("a.mp4,,,,,,maybe", r"line 2, match: 'maybe' is neither 1 nor 0"),
        (",1,,,,,", r"line 2, video: is empty"),
        ("a.mp4,,,,,,,,", r"line 2: has 9 columns, the header 7"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, cells: str, words: str) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "list.csv").write_text(f"video,video_start,split,energy,valence,tension,match\n{cells}\n")
    with pytest.raises(CorpusError, match=words):
        read_lists([tmp_path / "list.csv"], None, None)


def test_ids_as_himv_and_youtube8m_publish_them(tmp_path: Path) -> None:
    media = touch(tmp_path / "media", "dQw4w9WgXcQ.mp4", "deep/A title [abc-DEF_123].webm", "other.mp4")
    (tmp_path / "himv.txt").write_text(
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ\nhttps://youtu.be/abc-DEF_123\nhttps://youtu.be/notThere_00\n"
    )
    listed = read_lists([tmp_path / "himv.txt"], media, None)
    assert [(one.id, one.video.name) for one in listed.sources] == [
        ("dQw4w9WgXcQ", "dQw4w9WgXcQ.mp4"),
        ("abc-DEF_123", "A title [abc-DEF_123].webm"),
    ]
    assert listed.absent == ("notThere_00",)
    (tmp_path / "yt8m.csv").write_text("youtube_id,labels,split\nabc-DEF_123,Music video;Guitar,test\n")
    (source,) = read_lists([tmp_path / "yt8m.csv"], media, None).sources
    assert source.tags == ("music video", "guitar") and source.split == "test" and source.music is None
    with pytest.raises(CorpusError, match="--media"):
        read_lists([tmp_path / "himv.txt"], None, None)
    with pytest.raises(CorpusError, match=r"comes twice"):
        read_lists([tmp_path / "himv.txt", tmp_path / "yt8m.csv"], media, None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("https://www.youtube.com/watch?list=x&v=dQw4w9WgXcQ&t=1", "dQw4w9WgXcQ"),
        ("https://www.youtube.com/shorts/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("-_bc", "-_bc"),
        ("two words", None),
        ("a/b", None),
    ],
)
def test_ids_and_addresses(text: str, found: str | None) -> None:
    assert youtube_id(text) == found


def test_mgsv_says_track_and_moment(tmp_path: Path) -> None:
    media = touch(tmp_path / "videos", "112712471153.mp4", "102432173428.mp4")
    music = touch(tmp_path / "music", "1/4+5xx+旋律（DJ版）.mp3", "4+5yy+renamed.mp3")
    (tmp_path / "val_data.csv").write_text(MGSV, encoding="utf-8")
    listed = read_lists([tmp_path / "val_data.csv"], media, music)
    assert listed.absent == ("video 99",)
    first, second = listed.sources
    assert first == Source(
        "112712471153",
        media / "112712471153.mp4",
        music / "1/4+5xx+旋律（DJ版）.mp3",
        "4+5xx",
        0.0,
        25.722,
        23.22,
        48.942,
        "val",
        ("beauty",),
    )
    assert second.music == music / "4+5yy+renamed.mp3" and second.video_from_s == 0.5
    with pytest.raises(CorpusError, match="--media FOLDER and --music FOLDER"):
        read_lists([tmp_path / "val_data.csv"], None, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name,colour\nx,blue\n", "of no form that is known"),
        (b"video\n", "is empty"),
        (b"", "of no form that is known"),
        (b"\xff\xfe\x00bad", "UTF-8"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=words):
        read_lists([tmp_path / "list.csv"], None, None)


def test_folders_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder or file"):
        read_lists([tmp_path / "gone.csv"], None, None)
    with pytest.raises(CorpusError, match="is no folder"):
        read_lists([touch(tmp_path, "a.mp4")], tmp_path / "gone", None)
    (tmp_path / "ids.txt").write_text("abcdefghijk\n")
    with pytest.raises(CorpusError, match="no video is there, such as abcdefghijk"):
        read_lists([tmp_path / "ids.txt"], tmp_path, None)
