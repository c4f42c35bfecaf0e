"""Where settings come from, who wins, and what is said about mistakes."""

import argparse
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from engines.errors import EngineError
from stream.server.assemble import options_of
from stream.server.command import main, parser
from stream.server.config import (
    add_flags,
    as_toml,
    check_file,
    from_environment,
    from_flags,
    merge,
    read_file,
)
from stream.server.errors import ServeError
from stream.server.logs import FORMATS, LEVELS, MASK
from stream.server.options import ServeOptions
from stream.server.settings import BY_NAME, SETTINGS, TOKENS, Setting

FOLDER = Path("/etc/segue")
TOKEN = "abcdefghijklmnop-0123"
# no lone surrogates: they are no UTF-8
WORD = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=12)
BY_KIND = {
    "catalog": WORD.map(lambda text: "/" + text),
    "threads": st.integers(1, 2**31),
    "engine": st.sampled_from(["auto", "onnx-cpu", "onnx-cuda", "tensorrt"]),
    "device": st.integers(0, 255),
    "precision": st.sampled_from(["float32", "int8"]),
    "plans": WORD.map(lambda text: "/" + text),
    "batch_sizes": st.sets(st.integers(1, 1024), min_size=1, max_size=16).map(
        lambda sizes: ",".join(map(str, sorted(sizes)))
    ),
    "triton": WORD,
    "loudness": st.sampled_from([-23, -16, -14.5]),
    "search_device": st.sampled_from(["cpu", "gpu", "auto"]),
    "index": st.sampled_from(["flat", "milvus://host:1/name"]),
    "port": st.integers(0, 65535),
    "host": WORD,
    "public_url": st.sampled_from(["https://a.example", "http://[::1]:8765"]),
    "drain_s": st.floats(0, 3600) | st.integers(0, 3600),
    "workers": st.integers(1, 64),
    "worker_ports": st.just("9000-9063"),
    "max_sessions": st.integers(1, 1000),
    "max_viewers": st.integers(1, 1000),
    "max_connections": st.integers(16, 100_000),
    "handshake_s": st.floats(1, 600),
    "idle_s": st.integers(1, 600),
    "grace": st.floats(0, 1e9),
    "max_late_ms": st.integers(0, 10**9),
    "max_session": st.floats(0, 100),
    "obs_play": st.booleans(),
    "obs_mic": WORD,
    "obs_vod_track": st.integers(0, 6),
    "obs_fade_s": st.floats(0, 10),
    "obs_level": st.floats(-60, 0),
    "obs_cuts": WORD.map(lambda text: "/" + text),
    "scenes": st.dictionaries(
        WORD,
        st.fixed_dictionaries(
            {},
            optional={
                "music": st.sampled_from(["keep", "silent", "play"]),
                "steer": st.dictionaries(st.sampled_from(["energy", "tempo"]), st.floats(-1, 1)),
                "kit": WORD,
                "volume_db": st.integers(-60, 0),
            },
        ),
        max_size=3,
    ),
    "udp_ports": st.just("50000-50100"),
    "plain_webrtc": st.booleans(),
    "announce": st.lists(st.ip_addresses().map(str), max_size=3),
    "ice_server": st.lists(WORD, max_size=3),
    "allow_pull": st.booleans(),
    "pull_network": st.lists(st.sampled_from(["10.0.0.0/8", "192.0.2.0/24", "fd00::/8"]), max_size=2),
    "obs": st.sampled_from(["ws://127.0.0.1:4455", "wss://[::1]:1"]),
    "obs_password_file": WORD.map(lambda text: "/" + text),
    "obs_key": WORD,
    "listen": st.lists(st.sampled_from(["srt://127.0.0.1:9001", "udp://[::1]:9000"]), max_size=2),
    "listen_public": st.booleans(),
    "watch": st.lists(WORD.map(lambda text: "/" + text), max_size=2),
    "record": WORD.map(lambda text: "/" + text),
    "record_pictures": st.booleans(),
    "record_limit": st.integers(1, 10**6),
    "cues": WORD.map(lambda text: "/" + text),
    "no_cues": st.booleans(),
    "no_tokens": st.booleans(),
    "allow_origin": st.lists(WORD.filter(lambda text: text.rstrip("/") == text), max_size=3),
    "log_format": st.sampled_from(FORMATS),
    "log_level": st.sampled_from(LEVELS),
    "now_file": WORD.map(lambda text: "/" + text),
    "now_format": st.sampled_from(["{artist} – {title}", "♫ {title}"]),
    "bundle": WORD.map(lambda text: "/" + text),
    "tls_cert": WORD.map(lambda text: "/" + text),
    "tls_key": WORD.map(lambda text: "/" + text),
    **{f"{token}_file": WORD.map(lambda text: "/" + text) for token in TOKENS},
}
FILES = st.fixed_dictionaries({}, optional=BY_KIND)


def tables(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found.setdefault(BY_NAME[name].section, {})[name] = value
    return found


def asked(*words: str) -> dict[str, Any]:
    arguments = argparse.ArgumentParser()
    add_flags(arguments)
    return from_flags(arguments.parse_args(words))


@given_by(FILES)
def test_what_is_shown_is_a_file_that_says_the_same(values: dict[str, Any]) -> None:
    read = check_file(tables(values), FOLDER / "segue.toml")
    assert read.keys() == values.keys()
    everything = merge(read)
    again = merge(check_file(tomllib.loads(as_toml(everything)), FOLDER / "segue.toml"))
    assert again == everything


@given_by(FILES)
def test_every_flag_can_stand_in_the_file_and_means_the_same_there(values: dict[str, Any]) -> None:
    for switch in [setting.name for setting in SETTINGS if setting.kind.switch]:
        values.pop(switch, None)  # a flag can only set it
    for name in [setting.name for setting in SETTINGS if setting.file_only]:
        values.pop(name, None)
    words = []
    for name, value in values.items():
        words += [f"{BY_NAME[name].flag}={each}" for each in (value if isinstance(value, list) else [value])]
    expected = {name: value for name, value in values.items() if value != []}
    assert asked(*words) == check_file(tables(expected), FOLDER / "segue.toml")


def test_no_setting_is_missing_from_these_tests() -> None:
    assert BY_KIND.keys() | set(TOKENS) == BY_NAME.keys()
    assert len(BY_NAME) == len(SETTINGS)


def test_defaults_are_those_of_the_options() -> None:
    made, default = asdict(options_of(merge({"catalog": Path("c")}))), asdict(ServeOptions(Path("c")))
    assert made == default


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_a_wrong_type_is_refused_by_name(setting: Setting) -> None:
    wrong: tuple[Any, ...] = (
        {"a": 1},
        "3.7" if setting.kind.what.startswith("a number") else 3.7,
        "",
    )
    for value in (*wrong, [3], 1 if setting.kind.switch else True):
        with pytest.raises(ServeError) as refused:
            check_file({setting.section: {setting.name: value}}, FOLDER / "segue.toml")
        text = str(refused.value)
        assert text.startswith(f"{FOLDER / 'segue.toml'}: {setting.key} is ") and setting.kind.what in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 1", "server.prot is no setting; did you mean server.port?"),
        ("[server]\nthreads = 1", "server.threads is no setting; did you mean engine.threads?"),
        ("[sessions]\nmax-sessions = 1", "did you mean sessions.max_sessions?"),
        ("[engine]\nqwxzj = 1", "engine.qwxzj is no setting; did you mean engine."),
        ("[severs]\nport = 1", "[severs] is no section; did you mean [server]?"),
        ("port = 1", "port stands outside a section; put it under [server]"),
        ("prot = 1", "prot is no setting; did you mean server.port?"),
        ("server = 1", "server must be a section, [server]"),
        ("[server]\nport = 65536", "server.port is '65536', a whole number, must be a whole number from 0 to 65535"),
        ("[server]\nport = true", "server.port is 'True', true or false, must be"),
        ("[log]\nlog_format = 'xml'", "log.log_format is 'xml', text, must be one of text, json"),
        ("[server", "is not TOML"),
        ("\xff", "is no setting"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(text if text != "\xff" else '"\xff" = 1', encoding="utf-8")
    with pytest.raises(ServeError) as refused:
        read_file(path)
    assert said in str(refused.value) and str(path) in str(refused.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, data, said in (
        (tmp_path / "missing", None, "cannot be read"),
        (tmp_path, None, "cannot be read"),
        (tmp_path / "binary", b"\xff\xfe", "is not TOML"),
        (tmp_path / "huge", b"#" * 2**21, "is larger"),
    ):
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(ServeError) as refused:
            read_file(path)
        assert said in str(refused.value) and str(path) in str(refused.value)


def test_flags_win_over_the_environment_and_that_over_the_file() -> None:
    file = {"port": 1, "threads": 3, "publish_token": "f" * 20, "view_token_file": Path("f"), "control_token": "f" * 20}
    environment = from_environment({"SEGUE_PUBLISH_TOKEN": "e" * 20, "SEGUE_VIEW_TOKEN": "e" * 20, "SEGUE_PORT": "9"})
    values = merge(asked("--port", "2", "--publish-token-file", "flag"), environment, file)
    assert (values["port"], values["threads"]) == (2, 3)
    assert (values["publish_token"], values["publish_token_file"]) == (None, Path("flag"))
    assert (values["view_token"], values["view_token_file"]) == ("e" * 20, None)
    assert values["control_token"] == "f" * 20


def test_a_token_said_twice_in_one_place_is_refused() -> None:
    with pytest.raises(ServeError, match="publish_token and publish_token_file"):
        merge({"publish_token": TOKEN, "publish_token_file": Path("x")})


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text("[library]\ncatalog = 'mine'\n[engine]\nbundle = '/else/where'")
    assert read_file(path) == {"catalog": tmp_path / "mine", "bundle": Path("/else/where")}


def test_tokens_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    values = merge({"catalog": Path("c"), "publish_token_file": path, "view_token": "v" * 20})
    options = options_of(values)
    assert (options.access.publish, options.access.view, options.access.control) == (TOKEN, "v" * 20, "")
    for text in (as_toml(values), repr(options)):
        assert TOKEN not in text and "v" * 20 not in text
    assert f'view_token = "{MASK}"' in as_toml(values)
    for bad in ("short", "with a space in it, long", "", "ü" * 20):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(ServeError) as refused:
            options_of(values)
        assert str(path) in str(refused.value) and (not bad or bad not in str(refused.value))
    path.unlink()
    with pytest.raises(ServeError, match="cannot be read"):
        options_of(values)


def test_a_bad_secret_is_refused_without_showing_it() -> None:
    bad = "hunter2 hunter2 hunter2"
    with pytest.raises(ServeError) as refused:
        check_file({"access": {"view_token": bad}}, FOLDER / "segue.toml")
    assert "hunter2" not in str(refused.value) and "access.view_token is text" in str(refused.value)
    with pytest.raises(ServeError) as refused:
        from_environment({"SEGUE_VIEW_TOKEN": bad})
    assert "hunter2" not in str(refused.value) and "SEGUE_VIEW_TOKEN" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ([], "--publish-token and --view-token"),
        (["--publish-token", TOKEN], "--view-token"),
        (["--view-token", TOKEN], "--publish-token"),
    ],
)
def test_other_machines_are_let_in_only_with_tokens(words: list[str], missing: str) -> None:
    base = asked("-c", "c", "--host", "0.0.0.0", *words)
    with pytest.raises(ServeError) as refused:
        options_of(merge(base))
    assert f"give {missing}, or --no-tokens" in str(refused.value)
    assert options_of(merge(base | {"no_tokens": True})).host == "0.0.0.0"
    assert options_of(merge(base | {"host": "::1"})).host == "::1"
    both = base | {"publish_token": TOKEN, "view_token": TOKEN}
    assert options_of(merge(both)).access.view == TOKEN


def test_half_of_tls_is_refused() -> None:
    with pytest.raises(ServeError, match="--tls-cert without --tls-key"):
        options_of(merge(asked("-c", "c", "--tls-cert", "x")))
    with pytest.raises(ServeError, match="--tls-key without --tls-cert"):
        options_of(merge(asked("-c", "c", "--tls-key", "x")))


def test_print_config_is_the_effective_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(f"[server]\nport = 9000\nhost = '::1'\n[access]\npublish_token = '{TOKEN}'\n")
    assert main(["--config", str(path), "--port", "9001", "--print-config"]) == 0
    printed = capsys.readouterr().out
    found = tomllib.loads(printed)
    assert found["server"]["port"] == 9001 and found["server"]["host"] == "::1" and found["server"]["workers"] == 1
    assert found["access"]["publish_token"] == MASK and TOKEN not in printed
    assert {line.split(" ")[0] for line in printed.splitlines() if " = " in line} | {
        line.split(" ")[1] for line in printed.splitlines() if line.startswith("# ")
    } == set(BY_NAME)


def test_the_catalogue_must_be_named_somewhere() -> None:
    with pytest.raises(ServeError, match="-c CATALOG"):
        main([])


@pytest.mark.parametrize("word", ["--port=99999", "--drain-s=nan", "--worker-ports=9-8", "--view-token=short"])
def test_a_bad_flag_says_what_it_must_be(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([word])
    assert ended.value.code == 2
    setting = BY_NAME[word[2:].partition("=")[0].replace("-", "_")]
    assert f"must be {setting.kind.what}" in capsys.readouterr().err


def test_the_engine_is_what_the_settings_say() -> None:
    words = ["--engine", "triton", "--triton", "gpu:8001", "--device", "1", "--batch-sizes", "1,8,64", "--threads", "2"]
    options = options_of(merge(asked("-c", "c", *words)))
    assert (options.engine, options.engines.triton, options.engines.device) == ("triton", "gpu:8001", 1)
    assert options.batch_sizes == (1, 8, 64) and options.threads == 2
    with pytest.raises(EngineError, match="--triton URL names one"):
        options_of(merge(asked("-c", "c", "--engine", "triton")))
    with pytest.raises(EngineError, match="of no use to engine onnx-cpu"):
        options_of(merge(asked("-c", "c", "--engine", "onnx-cpu", "--triton", "gpu:8001")))
    for bad in ("8,1", "1,1", "0,1", "2048", "", "1,x"):
        with pytest.raises(ServeError, match="rising numbers of rows"):
            check_file({"engine": {"batch_sizes": bad}}, FOLDER / "segue.toml")


def test_recordings_are_kept_as_the_settings_say() -> None:
    told = merge(asked("-c", "c", "--record", "kept", "--record-pictures", "--record-limit", "7"))
    options = options_of(told)
    assert options.record == Path("kept") and options.recording.pictures and options.recording.limit == 7 * 1024**2
    assert options_of(merge({"catalog": Path("c")})).record is None


def test_the_password_of_obs_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGUE_OBS_PASSWORD", raising=False)
    values = merge(asked("-c=x", "--obs=ws://:hunter22@localhost"))
    assert 'obs = "ws://localhost:4455"' in as_toml(values) and "hunter22" not in as_toml(values)
    found = options_of(values)
    assert found.obs is not None and found.obs.address.password == "hunter22" and found.obs.key == "obs"
    assert "hunter22" not in repr(found)
    with pytest.raises(ServeError, match=r"obs\.obs is text, must be the address of OBS's websocket") as caught:
        check_file({"obs": {"obs": "http://:hunter22@localhost"}}, FOLDER / "segue.toml")
    assert "hunter22" not in str(caught.value)


def test_the_password_of_obs_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_OBS_PASSWORD", "of the environment")
    found = options_of(merge(asked("-c=x", "--obs=ws://localhost"))).obs
    assert found is not None and found.address.password == "of the environment"
    (tmp_path / "password").write_text("of the file\n")
    found = options_of(merge(asked("-c=x", "--obs=ws://h", f"--obs-password-file={tmp_path / 'password'}"))).obs
    assert found is not None and found.address.password == "of the file"
    assert options_of(merge(asked("-c=x"))).obs is None


def test_folders_to_mirror(tmp_path: Path) -> None:
    values = merge(asked("-c", "x", "--watch", str(tmp_path), "--bundle", "b"))
    found = options_of(values).watch
    assert found.folders == (tmp_path,) and found.arguments[0] == "--jobs" and found.arguments[2:] == ("--bundle", "b")
    assert options_of(merge(asked("-c=x"))).watch.folders == ()
    with pytest.raises(ServeError, match=r"--watch .*nowhere: no such folder"):
        options_of(merge(asked("-c=x", "--watch", str(tmp_path / "nowhere"))))
    with pytest.raises(ServeError, match="17 times; at most 16"):
        options_of(merge(asked("-c=x", *["--watch", str(tmp_path)] * 17)))


def test_addresses_to_listen_on_and_their_passphrase() -> None:
    sealed = "srt://0.0.0.0:9001?passphrase=0123456789ab"
    values = merge(asked("-c", "x", "--listen", sealed, "--listen", "rtmp://127.0.0.1/live/x"))
    assert "0123456789ab" not in as_toml(values) and f"srt://0.0.0.0:9001?{MASK}" in as_toml(values)
    assert [address.key for address in options_of(values).listen.addresses] == ["listen-9001", "listen-1935"]


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        (["udp://0.0.0.0:9000"], "--listen-public"),
        (["srt://0.0.0.0:9000"], "passphrase"),
        (["srt://127.0.0.1:9000", "udp://127.0.0.1:9000"], "port 9000 twice"),
        ([f"udp://127.0.0.1:{port}" for port in range(9000, 9005)], "at most 4"),
        (["http://127.0.0.1:9000"], "--listen: http: is not listened on"),
    ],
)
def test_addresses_that_may_not_be_listened_on(addresses: list[str], said: str) -> None:
    with pytest.raises(ServeError, match=said):
        options_of(merge({"catalog": Path("x"), "listen": addresses}))


def test_an_open_address_is_taken_where_its_owner_says_so() -> None:
    values = merge({"catalog": Path("x"), "listen": ["udp://0.0.0.0:9000"], "listen_public": True})
    assert not options_of(values).listen.addresses[0].loopback
