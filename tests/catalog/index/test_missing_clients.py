import sys
from pathlib import Path

import pytest

from catalog.errors import SearchIndexError
from catalog.index.base import IndexOptions
from catalog.index.registry import open_index


@pytest.mark.parametrize(("scheme", "package"), [("milvus", "pymilvus"), ("postgres", "pgvector")])
def test_a_client_that_is_not_installed_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SearchIndexError, match=rf"{package}.*pip install \"\.\[{scheme}\]\"") as raised:
        open_index(f"{scheme}://me:secret@host/name", IndexOptions(tmp_path, 4))
    assert "secret" not in str(raised.value)
