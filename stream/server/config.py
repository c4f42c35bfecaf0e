"""Where the settings of ``segue serve`` come from: flags, then the environment (secrets only), then one TOML file, then
the defaults.

In the file every setting is in its section, under the name of its flag with underscores. Relative paths there are
relative to the file's folder. An unknown key, or a value of the wrong type, is an error that names it.
"""

import argparse
import difflib
import json
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from .errors import ServeError
from .logs import MASK
from .settings import BY_NAME, SETTINGS, TOKENS, Setting

SECTIONS: Final = tuple(dict.fromkeys(setting.section for setting in SETTINGS))
FILE_BYTES: Final = 1024 * 1024
TYPES: Final = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}

Values = dict[str, Any]


def add_flags(arguments: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add a flag for each setting. A flag that is not given is None, so that environment and file can set it."""
    for setting in SETTINGS:
        if setting.name in without or setting.file_only:
            continue
        words = (*setting.short, setting.flag)
        text = setting.help if setting.default is None else f"{setting.help} ({setting.default})"
        text = text.replace("%", "%%")
        if setting.kind.switch:
            arguments.add_argument(*words, action="store_true", default=None, help=text)
        else:
            action = "append" if setting.kind.many else "store"
            arguments.add_argument(*words, action=action, type=_reader(setting), metavar=setting.metavar, help=text)


def from_flags(arguments: argparse.Namespace) -> Values:
    """The settings that flags have set."""
    settings = {name: getattr(arguments, name, None) for name in BY_NAME}
    return {name: value for name, value in settings.items() if value is not None}


def read_file(path: Path) -> Values:
    """The settings in a file. Raises `ServeError` that names file and key and suggests a known one."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise ServeError(f"{path}: cannot be read ({error.strerror}); --config takes a TOML file") from error
    if len(data) > FILE_BYTES:
        raise ServeError(f"{path}: is larger than {FILE_BYTES} bytes; --config takes a TOML file of settings")
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServeError(f"{path}: is not TOML ({error}); segue serve --print-config shows the form") from error
    return check_file(tables, path)


def check_file(tables: Mapping[str, Any], path: Path) -> Values:
    """The settings in a parsed file, checked; see `read_file`."""
    values: Values = {}
    for section, table in tables.items():
        if section not in SECTIONS:
            raise ServeError(f"{path}: {_unknown(section, isinstance(table, dict))}")
        if not isinstance(table, dict):
            raise ServeError(f"{path}: {section} must be a section, [{section}]")
        for name, value in table.items():
            setting = BY_NAME.get(name)
            if setting is None or setting.section != section:
                raise ServeError(f"{path}: {section}.{name} is no setting{_suggestion(section, name)}")
            try:
                values[name] = setting.kind.of_toml(value, path.parent)
            except (ValueError, TypeError) as error:
                raise ServeError(
                    f"{path}: {setting.key} is {_describe(setting, value)}, must be {setting.kind.what}"
                ) from error
    return values


def from_environment(environment: Mapping[str, str]) -> Values:
    """Secrets, and the files that contain them: SEGUE_PUBLISH_TOKEN, SEGUE_PUBLISH_TOKEN_FILE and so on."""
    values: Values = {}
    for name in (*TOKENS, *(f"{token}_file" for token in TOKENS)):
        if text := environment.get(f"SEGUE_{name.upper()}"):
            try:
                values[name] = BY_NAME[name].kind.of_text(text)
            except ValueError as error:
                raise ServeError(f"SEGUE_{name.upper()} must be {BY_NAME[name].kind.what}") from error
    return values


def merge(*layers: Values) -> Values:
    """All settings; earlier layers win. A token and its file are one setting: the first layer with either decides.

    Raises `ServeError` where a layer has both.
    """
    values = {setting.name: setting.default for setting in SETTINGS}
    for layer in reversed(layers):
        for token in TOKENS:
            pair = {token, f"{token}_file"}
            if pair <= layer.keys():
                raise ServeError(f"{token} and {token}_file are both given; give one of them")
            if pair & layer.keys():
                values |= dict.fromkeys(pair)
        values |= layer
    return values


def as_toml(values: Values) -> str:
    """All settings as a TOML file; secrets are masked, unset settings are commented out."""
    lines: list[str] = []
    for section in SECTIONS:
        lines += ["", f"[{section}]"]
        for setting in SETTINGS:
            if setting.section == section:
                value = values[setting.name]
                printed = setting.shown(value) if setting.shown and value is not None else value
                printed = MASK if setting.secret and not setting.shown else printed
                lines.append(f"# {setting.name} is not set" if value is None else f"{setting.name} = {_toml(printed)}")
    return "\n".join(lines[1:]) + "\n"


def _reader(setting: Setting) -> Any:
    def read(text: str) -> Any:
        try:
            return setting.kind.of_text(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {setting.kind.what}") from None

    return read


def _unknown(section: str, is_table: bool) -> str:
    if not is_table and section in BY_NAME:
        return f"{section} stands outside a section; put it under [{BY_NAME[section].section}]"
    kind = f"[{section}] is no section" if is_table else f"{section} is no setting"
    near = difflib.get_close_matches(section, SECTIONS if is_table else list(BY_NAME), n=1, cutoff=0.0)
    meant = near[0] if is_table else BY_NAME[near[0]].key
    return f"{kind}; did you mean {f'[{meant}]' if is_table else meant}?"


def _suggestion(section: str, name: str) -> str:
    """The key that was perhaps meant: the same name in another section, else the closest in this one, else of all."""
    if name in BY_NAME:
        return f"; did you mean {BY_NAME[name].key}?"
    own = [setting.name for setting in SETTINGS if setting.section == section]
    near = difflib.get_close_matches(name, own) or difflib.get_close_matches(name, list(BY_NAME))
    near = near or difflib.get_close_matches(name, own, cutoff=0.0)
    return f"; did you mean {BY_NAME[near[0]].key}?"


def _describe(setting: Setting, value: Any) -> str:
    """A value for an error's text; only the type of secrets and of values that may be long."""
    kind = TYPES.get(type(value), "a table" if isinstance(value, dict) else "a date or time")
    return kind if setting.secret or not isinstance(value, str | int | float) else f"{str(value)[:60]!r}, {kind}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(name)} = {_toml(part)}' for name, part in value.items())}}}"
    if isinstance(value, tuple):  # a range of ports
        return _toml("-".join(map(str, value)))
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
