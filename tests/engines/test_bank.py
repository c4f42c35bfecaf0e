"""A bundle's bank: what was written is read, what is no bank is refused, and a bundle without one is as before."""

import hashlib
import io
import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from engines.bank import LEAST, Bank, read, to_bytes
from engines.bundle import MANIFEST, default_bundle, load_bundle
from engines.errors import BundleError
from features.spec import FEATURES


def made(windows: int = LEAST, width: int = 6, moods: bool = True) -> Bank:
    rng = np.random.default_rng(2)
    queries = rng.normal(size=(windows, width)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return Bank(queries, rng.random((windows, 3), dtype=np.float32) if moods else None)


@pytest.mark.parametrize("moods", [True, False])
def test_what_was_written_is_read(moods: bool) -> None:
    bank = made(moods=moods)
    found = read(to_bytes(bank), 6, "here")
    np.testing.assert_array_equal(found.queries, bank.queries)
    assert (found.moods is None) is not moods and len(found) == LEAST
    if moods:
        np.testing.assert_array_equal(found.moods, bank.moods)
    assert to_bytes(bank) == to_bytes(found)


def packed(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no bank"),
        (b"PK\x03\x04 and no more", "is no bank"),
        (packed(other=np.zeros(3)), "missing"),
        (packed(queries=np.zeros((9, 5))), r"must be \(n, 6\)"),
        (packed(queries=np.zeros((3, 6))), "must be 8 to 1024"),
        (packed(queries=np.zeros((9, 6)), moods=np.zeros((9, 2))), "three numbers"),
        (packed(queries=np.full((9, 6), np.nan)), "not finite"),
        (packed(queries=np.array([{}], object)), "is no bank"),
        (packed(queries=np.full((9, 6), "a")), "not finite"),
        (packed(queries=np.zeros((9, 6))), "unit norm"),
        (packed(queries=np.eye(9, 6)[[0] * 9], moods=np.full((9, 3), 2.0)), "moods not in"),
    ],
)
def test_what_is_no_bank_is_refused_with_the_cure(data: bytes, says: str) -> None:
    with pytest.raises(BundleError, match=says) as refused:
        read(data, 6, "bundle b: bank.npz")
    assert str(refused.value).startswith("bundle b: bank.npz") and "segue bank" in str(refused.value)


def given(bundle: Path, folder: Path, **changes: Any) -> Path:
    """A copy of a bundle with a bank of its width."""
    copytree(bundle, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    data = to_bytes(made(width=manifest["embedding_dim"]))
    (folder / "bank.npz").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    manifest["bank"] = {"file": "bank.npz", "sha256": digest, "videos": 4} | changes
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_a_bundle_brings_its_bank(tiny_bundle: Path, tmp_path: Path) -> None:
    assert load_bundle(tiny_bundle, FEATURES).bank is None
    bundle = load_bundle(given(tiny_bundle, tmp_path / "b"), FEATURES)
    assert bundle.bank is not None and len(bundle.bank) == LEAST
    assert bundle.identity != load_bundle(tiny_bundle, FEATURES).identity
    (tmp_path / "b" / "bank.npz").write_bytes(b"damaged")
    with pytest.raises(BundleError, match="damaged"):
        load_bundle(tmp_path / "b", FEATURES)
    (tmp_path / "b" / "bank.npz").unlink()
    with pytest.raises(BundleError, match="of the bank is missing"):
        load_bundle(tmp_path / "b", FEATURES)


@pytest.mark.parametrize("changes", [{"file": "../bank.npz"}, {"videos": 0}, {"sha256": "none"}])
def test_a_contradiction_in_the_manifest_is_refused(tiny_bundle: Path, tmp_path: Path, changes: Any) -> None:
    with pytest.raises(BundleError, match="bank"):
        load_bundle(given(tiny_bundle, tmp_path / "b", **changes), FEATURES)


def test_the_bundle_that_ships_has_one() -> None:
    default = load_bundle(default_bundle(), FEATURES)
    assert default.bank is not None and 20 <= len(default.bank) <= 40 and default.bank.moods is not None
    np.testing.assert_allclose(np.linalg.norm(default.bank.queries, axis=1), 1.0, atol=1e-5)
