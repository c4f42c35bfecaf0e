"""``catalog.json``: what it says must be of the very kind that it is, and of the very bundle."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import BundleMismatchError, FormatError
from catalog.layout import FILE, check_bundle, layout_of, read_layout, write_layout
from engines.bundle import Bundle


def test_what_was_written_is_read(tmp_path: Path, bundle: Bundle) -> None:
    write_layout(tmp_path, layout_of(bundle))
    assert read_layout(tmp_path) == layout_of(bundle)


@pytest.mark.parametrize(
    ("name", "value"),
    [("clip_dim", True), ("embedding_dim", 8.0), ("clip_dim", "8"), ("bundle", 7), ("bundle_name", None)],
)
def test_a_value_of_another_kind_is_refused(tmp_path: Path, bundle: Bundle, name: str, value: object) -> None:
    write_layout(tmp_path, layout_of(bundle))
    said = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**said, name: value}))
    with pytest.raises(FormatError, match=f"{name} is "):
        read_layout(tmp_path)


def test_a_bundle_of_the_same_name_is_another_bundle(tmp_path: Path, bundle: Bundle) -> None:
    layout = layout_of(bundle)
    check_bundle(tmp_path, layout, bundle)
    check_bundle(tmp_path, replace(layout, bundle_name="called otherwise"), bundle)
    with pytest.raises(BundleMismatchError, match="made with bundle"):
        check_bundle(tmp_path, replace(layout, bundle="0" * 64), bundle)
