"""The unified tag target by hand."""

import math

import numpy as np
import pytest

from towers.tags import UNKNOWN, TagTargets

COLLECTIONS = [["sea", "sea", "calm"], ["sea", "city"], ["city", "night"], ["calm", "calm", "city"], ["fire", "calm"]]


def test_tfidf_by_hand() -> None:
    targets = TagTargets.fit(COLLECTIONS)
    weights = targets.tfidf(COLLECTIONS[0])
    # "sea" stands in 2 of 5 collections, twice of three here; "calm" in 3, once of three here.
    assert weights == pytest.approx({"calm": 1 / 3 * math.log(5 / 4), "sea": 2 / 3 * math.log(5 / 3)})


def test_labels_are_the_best_tags() -> None:
    targets = TagTargets.fit(COLLECTIONS)
    assert [targets.best(tags) for tags in COLLECTIONS] == ["sea", "sea", "night", "calm", "fire"]
    assert targets.labels == ("calm", "fire", "night", "sea")
    assert [targets.label(tags) for tags in COLLECTIONS] == [3, 3, 2, 0, 1]


def test_ties_fall_to_the_first_by_name() -> None:
    assert TagTargets.fit([["b", "a"], ["c"], ["d"]]).best(["b", "a"]) == "a"


def test_a_held_out_collection_gets_its_best_known_label() -> None:
    targets = TagTargets.fit(COLLECTIONS)
    assert targets.label(["city", "night", "unheard"]) == targets.labels.index("night")
    assert targets.label(["city"]) == UNKNOWN  # best of no collection in training
    assert targets.label(["unheard"]) == UNKNOWN


def test_vector_has_unit_norm_and_the_tfidf_proportions() -> None:
    targets = TagTargets.fit(COLLECTIONS)
    vector = targets.vector(["sea", "night"])
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    by_tag = dict(zip(targets.vocabulary, vector, strict=True))
    assert by_tag["night"] / by_tag["sea"] == pytest.approx(math.log(5 / 2) / math.log(5 / 3), rel=1e-5)
    assert np.linalg.norm(targets.vector(["unheard"])) == 0.0
