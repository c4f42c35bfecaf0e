"""``segue towers import emomv`` from address to suggestion, on narrow networks of its classes with drawn weights."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from rtx_builds import check_builds, rtx_builds

import segue
from catalog.catalog import Catalog
from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from export import import_emomv
from export.errors import ExportError
from export.fusion import choose_share, measure_pairs
from export.imports import ImportOptions, Loaded
from export.material import clips_of_video, stack_features
from features.spec import FEATURES
from towers.corpora import emomv as corpus
from towers.emotion_head import EmotionScale
from towers.imports import files
from towers.imports.emomv import FILE, Heads, build_emomv, heads_bytes, new_net, video_network
from towers.imports.errors import ImportedError
from towers.imports.slowfast import SlowFast, read_slowfast
from towers.imports.vggish import Vggish, read_vggish

STEM, DEPTHS, CHANNELS, HIDDEN, SIZE = 16, (1, 1), (4, 4, 4, 4, 4, 4), 8, (32, 48)
WIDTH = 8 * STEM + STEM
PLACE = 5 + 2 * 4 + 2


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as they are published, under their names and layouts, and heads for these networks."""
    folder = tmp_path_factory.mktemp("site")
    torch.manual_seed(0)
    network = SlowFast(STEM, DEPTHS)
    torch.save({"model_state": network.state_dict()}, folder / "SLOWFAST_8x8_R50.pyth")
    torch.save(Vggish(CHANNELS, HIDDEN).state_dict(), folder / "vggish-10086976.pth")
    net = new_net(network.width, 128, 5, EmotionScale(members=2, hidden=6, embedding=4))
    net.prepare(0.1 * torch.rand(50, network.width), 0.1 * torch.rand(50, 128))
    emotions = ("Exciting", "Fear", "Tense", "Sad", "Relax")
    (folder / FILE).write_bytes(heads_bytes(Heads(net.eval(), 3.0, 0.1, emotions, {"seed": 7})))
    return folder


@pytest.fixture(scope="module", autouse=True)
def narrow(site: Path) -> Iterator[None]:
    """The same path, on small files from addresses of this machine."""
    weights = tuple(replace(each, url=(site / each.file).as_uri(), sha256="") for each in import_emomv.WEIGHTS)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(import_emomv, "WEIGHTS", weights)
        small.setattr(import_emomv, "read_slowfast", lambda path: read_slowfast(path, STEM, DEPTHS))
        small.setattr(import_emomv, "read_vggish", lambda path: read_vggish(path, CHANNELS, HIDDEN))
        small.setattr(import_emomv, "build_emomv", lambda *parts: build_emomv(*parts, SIZE))
        small.setattr(import_emomv, "video_network", lambda network: video_network(network, SIZE))
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "weights"


@pytest.fixture(scope="module")
def bundle(
    site: Path, cache: Path, narrow: None, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """One whole import by the command: exporting is what takes long."""
    out = tmp_path_factory.mktemp("made") / "emomv"
    argv = ["towers", "import", "emomv", "-o", out, "--base", tiny_bundle, "--accept-licence", "--cache", cache]
    assert segue.main(list(map(str, [*argv, "--file", site / FILE]))) == 0
    return load_bundle(out, FEATURES)


@pytest.fixture
def loaded(site: Path, tmp_path: Path) -> Callable[..., Loaded]:
    """An import up to where it is exported: ``loaded(*given, background=(...))``; cached under ``tmp_path``."""

    def load(*given: Path, background: tuple[Path, ...] = (), heads: bool = True) -> Loaded:
        files = (*given, site / FILE) if heads else given
        return import_emomv.load(ImportOptions(tmp_path / "cache", files, background), lambda step: None)

    return load


def film(path: Path, seconds: int, seed: int = 0, sound: bool = False) -> Path:
    """Squares that move before a colour, with noise if ``sound`` is asked for."""
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=8)
        noise = file.add_stream("aac", rate=16_000, layout="mono") if sound else None
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        at, way, behind = rng.uniform(0, 60, 2), rng.uniform(2, 6, 2), rng.integers(0, 200, 3)
        for slot in range(8 * seconds):
            picture = np.tile(behind.astype(np.uint8), (96, 160, 1))
            row, column = (at + slot * way).astype(int) % (60, 120)
            picture[row : row + 30, column : column + 30] = rng.integers(100, 255, 3)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
        if noise is not None:
            samples = rng.normal(0, 0.1, (1, 16_000 * seconds)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.rate = 16_000
            file.mux(noise.encode(frame))
            file.mux(noise.encode(None))
    return path


def test_from_address_to_suggestion(
    bundle: Bundle, tmp_path: Path, write_music: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_music(tmp_path / "music" / f"{name}.wav", duration_s=6, seed=ord(name))
    video = film(tmp_path / "film.mp4", 6)
    argv = ["index", tmp_path / "music", "-c", tmp_path / "catalogue", "--bundle", bundle.path, "--jobs", "1"]
    assert segue.main(list(map(str, argv))) == 0
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert len(catalog) == 2
    capsys.readouterr()
    argv = ["watch", video, "-c", tmp_path / "catalogue", "--bundle", bundle.path, "--fast", "--json"]
    assert segue.main(list(map(str, argv))) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lists = [event for event in events if event["type"] == "suggestions"]
    assert len(lists) == 6 and all(len(event["items"]) == 2 for event in lists)


def test_footage_goes_into_a_bank(bundle: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(bundle.path, tmp_path / "emomv")
    videos = [film(tmp_path / f"{seed}.mp4", 2, seed) for seed in range(8)]  # a window each
    assert segue.main(["bank", *map(str, videos), "--bundle", str(folder)]) == 0
    bank = load_bundle(folder, FEATURES).bank
    assert bank is not None and bank.queries.shape[1] == bundle.manifest.embedding_dim


def test_a_share_can_be_chosen_on_pairs(bundle: Bundle, tmp_path: Path) -> None:
    films = [film(tmp_path / f"{seed}.mp4", 5, seed, sound=True) for seed in range(4)]
    cosines = measure_pairs(bundle, 0.8, films, [])
    assert cosines.ours.shape == cosines.theirs.shape == (4, 4)
    assert np.abs(cosines.theirs).max() <= 1 + 1e-5 and np.ptp(cosines.theirs) > 0
    assert choose_share(cosines).videos == 4


def test_once_fetched_it_needs_no_network(
    bundle: Bundle, cache: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sorted(path.name for path in cache.iterdir()) == [
        "SLOWFAST_8x8_R50.pyth",
        "SLOWFAST_8x8_R50.pyth.sha256",
        "vggish-10086976.pth",
        "vggish-10086976.pth.sha256",
    ]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(files, "_fetch", never)
    again = import_emomv.load(ImportOptions(cache, (site / FILE,)), lambda step: None)
    assert again.record["sources"] == bundle.manifest.training["imported"]["sources"]


def test_it_is_a_bundle_of_the_same_contract(bundle: Bundle, tiny_bundle: Path) -> None:
    base = load_bundle(tiny_bundle, FEATURES)
    manifest, before = bundle.manifest, base.manifest
    assert manifest.system == f"{before.system}+emomv"
    assert manifest.video_dim == before.video_dim + WIDTH and manifest.music_dim == before.music_dim + 128
    assert manifest.embedding_dim == before.embedding_dim + PLACE
    assert set(bundle.features_of("video_clip")) == {*base.features_of("video_clip"), "clip_pictures"}
    assert set(bundle.features_of("music_clip")) == {*base.features_of("music_clip"), "vggish_mel"}
    record = manifest.training["imported"]
    assert record["name"] == "emomv" and record["heads"]["seed"] == 7 and record["width"] == PLACE
    assert [len(source["sha256"]) for source in record["sources"]] == [64, 64]
    licences = (bundle.path / "LICENCES.txt").read_text()
    assert "Apache-2.0, https://github.com/facebookresearch/pytorchvideo" in licences and "torchvggish" in licences


def test_videos_are_told_apart_and_lengths_are_one(bundle: Bundle) -> None:
    engine = OnnxEngine(bundle)
    rng = np.random.default_rng(0)
    clips = {
        name: np.zeros((2, *np.empty(tuple(FEATURES[name]["shape"])).shape), str(FEATURES[name]["dtype"]))
        for name in engine.bundle.features_of("video_clip")
    }
    clips["clip_pictures"] = np.stack(
        [np.full((32, 90, 160, 3), 30, np.uint8), rng.integers(0, 256, (32, 90, 160, 3), dtype=np.uint8)]
    )
    words = engine.run("video_clip", clips)["embedding"]
    mask = np.zeros((2, 7), np.bool_)
    mask[:, 0] = True
    window = {"clips": np.zeros((2, 7, words.shape[1]), np.float32), "mask": mask}
    window["clips"][:, 0] = words
    for name in engine.bundle.features_of("video_sequence"):
        window[name] = np.zeros((2, 7, *np.empty(tuple(FEATURES[name]["shape"])).shape), np.float32)
    told = engine.run("video_sequence", window)["embedding"]
    engine.close()
    np.testing.assert_allclose(np.linalg.norm(told, axis=1), 1, atol=1e-5)
    theirs = told[:, -PLACE:]
    assert np.abs(theirs[0] - theirs[1]).max() > 0.01
    np.testing.assert_allclose(told[0, :-PLACE], told[1, :-PLACE], atol=1e-6)  # ours saw the same


def test_a_network_that_the_heads_do_not_know_is_told(
    loaded: Callable[..., Loaded], tmp_path: Path, site: Path
) -> None:
    loud = torch.load(site / "SLOWFAST_8x8_R50.pyth", weights_only=True)
    for name, value in loud["model_state"].items():
        if "res_blocks" in name and "norm" in name and name.endswith("bias"):
            value += 50.0
    place = tmp_path / "SLOWFAST_8x8_R50.pyth"
    torch.save(loud, place)
    made = loaded(place)
    assert len(made.notes) == 1 and "is beyond all that its head was trained on" in made.notes[0]
    assert "--background DIR" in made.notes[0] and made.record["beyond"] > import_emomv.STRANGE


def test_scales_are_measured_of_the_users_own(
    loaded: Callable[..., Loaded], tmp_path: Path, write_music: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for seed in range(3):
        film(own / f"{seed}.mp4", 5, seed)
        write_music(own / f"{seed}.wav", duration_s=5, seed=seed)
    (own / "text.mp4").write_text("no video")
    with pytest.raises(ExportError, match="3 windows of video, at least 8"):
        loaded(background=(own,))
    monkeypatch.setattr(import_emomv, "FEWEST", 3)
    measured, plain = loaded(background=(own,)), loaded()
    assert measured.record["background"] == {"video_windows": 3, "music_windows": 3} and not measured.notes
    assert "beyond" not in measured.record and "background" not in plain.record
    words, mask = torch.rand(2, 7, WIDTH), torch.ones(2, 7, dtype=torch.bool)
    with torch.inference_mode():
        assert not torch.allclose(measured.whole.video_place(words, mask), plain.whole.video_place(words, mask))
    with pytest.raises(ExportError, match="no such folder"):
        loaded(background=(tmp_path / "none",))


def test_files_that_will_not_do_are_named(
    loaded: Callable[..., Loaded], tmp_path: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = SlowFast(STEM, DEPTHS).half().state_dict()
    for name, wrong, says in (
        ("vggish-10086976.pth", Vggish((5, *CHANNELS[1:]), HIDDEN).state_dict(), "must be torch.float32 (4, 1, 3, 3)"),
        ("vggish-10086976.pth", {"a": torch.zeros(1)}, "lacks 18 weights"),
        ("SLOWFAST_8x8_R50.pyth", half, "holds no named weights"),
        ("SLOWFAST_8x8_R50.pyth", {"model_state": half}, "is torch.float16 (16, 3, 1, 7, 7), must be torch.float32"),
    ):
        torch.save(wrong, tmp_path / name)
        with pytest.raises(ImportedError) as refused:
            loaded(tmp_path / name)
        assert says in str(refused.value) and "delete it and import again" in str(refused.value)
    (tmp_path / FILE).write_bytes(b"no heads")
    with pytest.raises(ImportedError, match="segue towers heads emomv"):
        loaded(tmp_path / FILE, heads=False)
    shutil.copy(site / "vggish-10086976.pth", tmp_path / "my.pth")
    argv = ["towers", "import", "emomv", "-o", tmp_path / "out", "--accept-licence", "--file", tmp_path / "my.pth"]
    assert segue.main(list(map(str, argv))) == 2
    assert "is none of SLOWFAST_8x8_R50.pyth and" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_heads_that_ship_do_not_fit_other_networks(loaded: Callable[..., Loaded]) -> None:
    with pytest.raises(ImportedError, match="are of 2304 and 128 numbers, the networks give 144 and 128"):
        loaded(heads=False)


def test_no_network_a_full_disk_and_half_a_file(
    loaded: Callable[..., Loaded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    with monkeypatch.context() as broken:
        gone = tuple(replace(each, url=each.url + ".not.there") for each in import_emomv.WEIGHTS)
        broken.setattr(import_emomv, "WEIGHTS", gone)
        with pytest.raises(ImportedError, match="mend the network or its proxy, or fetch file:"):
            loaded()
    assert list(cache.iterdir()) == []

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", full)
        with pytest.raises(ImportedError, match="the disk is full; make room"):
            loaded()
    assert list(cache.iterdir()) == []

    loaded()
    place = cache / "SLOWFAST_8x8_R50.pyth"
    place.write_bytes(place.read_bytes()[:1000])
    with pytest.raises(ImportedError, match=r"\(1000 bytes\).*delete it and import again"):
        loaded()


def test_a_refusal_fetches_nothing(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    argv = ["towers", "import", "emomv", "-o", tmp_path / "out", "--base", tiny_bundle]
    assert segue.main(list(map(str, argv))) == 2
    said = capsys.readouterr().err
    assert "SlowFast 8x8 R50 (size not known, licence Apache-2.0)" in said and "--accept-licence" in said
    assert not (tmp_path / "cache").exists()


def test_what_is_known_of_the_real_files() -> None:
    known = {each.file: each for each in (import_emomv.SLOWFAST, import_emomv.VGGISH)}
    assert all(each.url.startswith("https://") and each.url.endswith(name) for name, each in known.items())
    assert known["vggish-10086976.pth"].sha256 == "10086976"


def test_features_are_made_anew_from_the_pieces(
    cache: Path,
    site: Path,
    bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a live stream has them, in the release's layout; what was measured is not measured again."""
    data, videos, out = tmp_path / "data", tmp_path / "videos", tmp_path / "out"
    data.mkdir()
    (videos / "deep").mkdir(parents=True)
    pairs = "t,a_1,1,Sad,Sad,0,0\nt,a_1_PAIR_b_1,0,Sad,Relax,0,1\n"
    for name in ("DS3_TRAIN_MATCH_MISMATCH_labels.csv", "DS3_VAL_MATCH_MISMATCH_labels.csv"):
        (data / name).write_text(pairs)
    (data / "DS3_VAL_labels_for_retrieval.csv").write_text("g,b_1,Relax,1\n")
    film(videos / "a_1.mp4", 9, 1, sound=True)
    argv = ["towers", "features", "emomv", "--data", data, "--videos", videos, "-o", out, "--accept-licence"]
    run = partial(segue.main, list(map(str, [*argv, "--cache", cache])))
    assert run() == 2
    assert "2 of 3 pieces are missing, the first a_1_PAIR_b_1" in capsys.readouterr().err
    film(videos / "deep" / "b_1.mp4", 5, 2)
    assert run() == 2
    assert "b_1.mp4: cannot be used" in capsys.readouterr().err  # it has no sound
    film(videos / "deep" / "b_1.mp4", 5, 2, sound=True)
    assert run() == 0
    assert f"--data {out}" in capsys.readouterr().out

    monkeypatch.setattr(corpus, "WIDTHS", {"SlowFast": WIDTH, "VGGish": 128})
    release = corpus.read_emomv(out)
    assert release.train.match.tolist() == [True, False] and len(release.gallery) == 1
    assert np.array_equal(release.train.video[0], release.train.video[1])  # the same pictures
    assert np.array_equal(release.train.music[1], release.gallery.music[0])
    assert not np.allclose(release.train.video[0], release.gallery.video[0])
    clips = clips_of_video(videos / "a_1.mp4", bundle.features_of("video_clip"), 30)
    assert len(clips) == 2
    engine = OnnxEngine(bundle)
    words = engine.run("video_clip", stack_features(clips, bundle.features_of("video_clip")))["embedding"][:, -WIDTH:]
    engine.close()
    np.testing.assert_allclose(release.train.video[0], words.mean(axis=0), atol=1e-4)

    (out / "clips" / "a_1.video.npy").write_bytes(b"half")
    for path in videos.rglob("b_1.mp4"):
        path.write_bytes(b"gone since, and not looked at again")
    assert run() == 0
    assert np.array_equal(corpus.read_emomv(out).train.video, release.train.video)


def test_heads_are_trained_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, site: Path
) -> None:
    from towers.imports import emomv_train
    from towers.imports.emomv import read_heads

    record = {"folds": {"map": 50.0}, "validation": {"v2m_map": 44.0}}
    heads = replace(read_heads(site / FILE), record=record)
    asked: list[object] = []

    def trained(folder: Path, say: Callable[[str], None], seed: int) -> Heads:
        asked.extend((folder, seed))
        return heads

    monkeypatch.setattr(emomv_train, "train_heads", trained)
    argv = ["towers", "heads", "emomv", "--data", tmp_path / "release", "-o", tmp_path / "made", "--seed", "3"]
    assert segue.main(list(map(str, argv))) == 0
    assert asked == [tmp_path / "release", 3] and "folds: map 50.0" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "made").iterdir()] == [FILE]
    assert read_heads(tmp_path / "made" / FILE).record == record
    (tmp_path / "file").write_text("")
    argv[6] = tmp_path / "file"
    assert segue.main(list(map(str, argv))) == 2
    assert "cannot be written" in capsys.readouterr().err


@rtx_builds
def test_tensorrt_for_rtx_builds_its_graphs(bundle: Bundle) -> None:
    assert len(check_builds(bundle)) == 2 * len(bundle.manifest.graphs)
