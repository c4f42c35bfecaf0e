import pytest

from catalog.errors import SearchIndexError
from catalog.index.reach import Reach


def test_after_a_failure_one_tries_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("catalog.index.reach.time.monotonic", lambda: now[0])
    reach = Reach(retry_s=0.5)
    reach.check()
    reach.fail("gone; start it")
    with pytest.raises(SearchIndexError, match="gone; start it"):
        reach.check()
    now[0] += 0.6
    reach.check()  # this one tries
    with pytest.raises(SearchIndexError, match="gone"):
        reach.check()
    now[0] += 4.0  # it still does
    with pytest.raises(SearchIndexError):
        reach.check()
    reach.succeed()
    for _ in range(3):
        reach.check()
