"""The same options mean the same in all benchmarks, and the table in the docs has them all."""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import MODULES, NOT_MEASURED, OWN, kinds_of, parser
from benchmarks.report.options import QUICK, make_quick

KINDS = kinds_of(parser())
MEASURED = sorted(set(KINDS) - set(NOT_MEASURED))
EVERYWHERE = {"--json", "--html", "--compare", "--fail-if", "--quick"}
DOCS = Path(__file__).parents[3] / "docs" / "BENCHMARKS.md"
# Options whose number or words differ by their nature: each bench says what in its help.
OWN_DEFAULTS = {"--seconds", "--jobs", "--only", "--threads", "--minutes", "--catalog", "--quick"}


def actions(kind: str) -> dict[str, argparse.Action]:
    return {
        option: action
        for action in KINDS[kind]._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }


def test_every_kind_has_a_function_and_a_parser() -> None:
    assert set(KINDS) == set(MODULES) | set(OWN)


@pytest.mark.parametrize("kind", MEASURED)
def test_what_every_benchmark_has(kind: str) -> None:
    assert set(actions(kind)) >= EVERYWHERE
    assert actions(kind)["--quick"].default is False and actions(kind)["--quick"].help


def test_an_option_is_of_one_kind_wherever_it_is() -> None:
    """Its type, how often it may be given, its short form and, but for measures of work, its default and choices."""
    found: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for kind in KINDS:
        for option, action in actions(kind).items():
            short = tuple(sorted(o for o in action.option_strings if not o.startswith("--")))
            same: tuple[Any, ...] = (type(action).__name__, action.type, action.nargs, short)
            if option not in OWN_DEFAULTS and not action.required:
                same += (action.default, action.choices)
            found[option][kind] = same
    for option, kinds in found.items():
        if option == "--bundle":  # it has a short form where it is what is measured
            kinds = {kind: same[:3] for kind, same in kinds.items()}
        if option == "--catalog":
            assert {same[3] for same in kinds.values()} == {("-c",)}
        assert len(set(map(repr, kinds.values()))) == 1, f"{option}: {kinds}"


def test_the_docs_have_every_option() -> None:
    text = DOCS.read_text(encoding="utf-8")
    table = text[text.index("## Options") :]
    missing = {option for kind in KINDS for option in actions(kind) if f"`{option}" not in table}
    assert not missing
    assert all(f"`{kind}`" in text for kind in KINDS)


@pytest.mark.parametrize("kind", sorted(kind for kind, (_, given) in QUICK.items() if given))
def test_quick_sets_options_that_there_are_and_leaves_what_was_given(kind: str) -> None:
    given = dict(QUICK[kind][1])
    own = KINDS[kind]
    options = argparse.Namespace(kind=kind, quick=True, **{name: own.get_default(name) for name in given})
    make_quick(options, own)
    assert {name: getattr(options, name) for name in given} == given
    name = next(iter(given))
    setattr(options, name, "by hand")
    make_quick(options, own)
    assert getattr(options, name) == "by hand"
    plain = argparse.Namespace(kind=kind, quick=False, **{name: own.get_default(name) for name in given})
    make_quick(plain, own)
    assert all(getattr(plain, name) == own.get_default(name) for name in given)


def test_quick_names_what_can_be_chosen() -> None:
    for kind, (_, given) in QUICK.items():
        for name, value in given.items():
            action = next(action for action in KINDS[kind]._actions if action.dest == name)
            if action.choices is not None:
                assert set(value) <= set(action.choices), f"{kind} --quick: {name}"
