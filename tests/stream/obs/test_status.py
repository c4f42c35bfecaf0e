"""The message ``obs``: told when viewers would see a difference, and only then."""

from stream.obs.status import ObsBoard


def test_only_a_difference_is_told() -> None:
    told: list[dict[str, object]] = []
    board = ObsBoard(lambda: told.append(board.status.message()))
    board.set(connected=False)
    assert not told
    board.set(connected=True, scene="Game", ducked_db=-11.96)
    board.set(ducked_db=-11.98)
    assert len(told) == 1
    assert told[0]["type"] == "obs" and told[0]["ducked_db"] == -12.0
    board.set(ducked_db=-12.1, plays=True)
    assert len(told) == 2 and told[1]["plays"] is True and told[1]["scene"] == "Game"
