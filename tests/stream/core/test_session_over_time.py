"""A whole session over time: scenes, what is on air, taste, steering and speech, the same for the same calls."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from answered import answered
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Filters
from features.appearance import ColourStats
from features.frame import FrameFeatures
from stream.core.events import (
    Accepted,
    Beats,
    Event,
    Refused,
    Scene,
    Search,
    Steer,
    Suggestions,
    Switch,
    Weights,
)
from stream.core.history import PENALTY
from stream.core.hysteresis import HysteresisOptions
from stream.core.ranking import STEER_SHARE
from stream.core.session import Session, SessionOptions
from stream.core.speech import VOCAL_PENALTY
from stream.core.taste import LIKE_SPAN, SKIP_SPAN
from stream.driver.runtime import Runtime

Fake = Callable[..., Any]
PLAIN = SessionOptions(suggestions=12, hysteresis=HysteresisOptions(past=0.0))
NIGHT, BEACH = (40, 0.1), (200, 0.8)


def name(number: int) -> str:
    return f"{number:016x}"


class Show:
    """A session whose questions are answered at once. ``hop`` plays a second of video and gives its list."""

    def __init__(self, runtime: Any, options: SessionOptions = PLAIN) -> None:
        self.runtime, self.session, self.slot = runtime, Session(runtime.model, options), 0
        self.said: list[Event] = []

    def hop(self, look: tuple[float, float] = NIGHT, cut: bool = False) -> Suggestions:
        for eighth in range(8):
            self.drive(self.session.push(frame(self.slot, *look, 0.9 if cut and eighth == 0 else 0.0), self.slot))
            self.slot += 1
        return next(event for event in reversed(self.said) if isinstance(event, Suggestions))

    def command(self, **message: Any) -> Event:
        first = len(self.said)
        self.drive(self.session.command(message))
        return self.said[first]

    def drive(self, events: list[Event]) -> None:
        self.said += answered(self.session, self.runtime, events)


def frame(slot: int, grey: float, colourful: float, cut: float = 0.0) -> FrameFeatures:
    noise = np.random.default_rng(slot).normal(0, 6, (64, 64))
    thumb = np.clip(grey + noise, 0, 255).astype(np.uint8)
    return FrameFeatures(thumb, ColourStats(grey / 255, 0.3, colourful, 0.5), 0.3, 0.1, 0, 0, cut)


def scores(told: Suggestions) -> dict[str, float]:
    return {item.track: round(item.score - item.lift, 9) for item in told.items}


def adjusts(told: Suggestions) -> dict[str, float]:
    return {item.track: item.adjust for item in told.items}


def test_a_new_scene_shortens_the_window_and_the_list_is_about_it_alone(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    for second in range(10):
        assert show.hop().window_s == second + 1
    told = [show.hop(BEACH, cut=second == 0) for second in range(6)]
    assert [event.window_s for event in told] == [11, 2, 3, 4, 5, 6]
    assert [event for event in show.said if isinstance(event, Scene)] == [Scene(10.0)]
    masks = [q.inputs["mask"][0].sum() for q in show.runtime.asked if getattr(q, "graph", "") == "video_sequence"]
    assert masks[-6:] == [3, 1, 1, 1, 2, 2]
    alone = Show(fake_runtime())
    alone.slot = 0
    for _ in range(10):
        alone.slot += 8  # nothing before the beach
    first = [alone.hop(BEACH) for _ in range(6)]
    assert [scores(event) for event in told[1:]] == [pytest.approx(scores(event)) for event in first[1:]]


def test_a_cut_within_a_scene_leaves_the_window(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    for _ in range(6):
        show.hop()
    assert [show.hop((46, 0.15), cut=second == 0).window_s for second in range(5)] == [7, 8, 9, 10, 11]
    assert not [event for event in show.said if isinstance(event, Scene)]


@pytest.mark.parametrize(("look", "hops"), [(BEACH, 2), (NIGHT, 5)])
def test_in_a_new_scene_the_advice_follows_sooner(fake_runtime: Fake, look: tuple[float, float], hops: int) -> None:
    """Another track becomes somewhat better: in a new scene that is enough once it is told, else it must last."""
    runtime = fake_runtime(matcher=False)
    search, best = runtime._search, name(5)
    middle = np.zeros(4, np.float32)
    runtime._search = lambda *given: [
        replace(c, similarity=float(c.track.id == best), standing=middle) for c in search(*given)
    ]
    quick = HysteresisOptions(
        margin=0.03, dwell_s=4, large=1.0, after_cut=1.0, hold_s=0, past=0.5, eased_dwell_s=1, on_air_s=0
    )
    show = Show(runtime, SessionOptions(suggestions=12, hysteresis=quick))
    for _ in range(12):
        before = show.hop()
    assert before.items[0].track == best
    show.command(type="playing", track=best)
    assert show.hop().advice == "stay"
    best = name(7)
    told = [show.hop(look, cut=second == 0) for second in range(6)]
    assert [event.advice == "switch" for event in told] == [False] * (hops - 1) + [True] * (7 - hops)
    assert {event.switch.track for event in told[hops - 1 :] if event.switch is not None} == {best}


def test_beats_are_asked_once_and_say_when_to_switch(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    top = show.hop().items[0].track
    assert show.hop().switch is None
    show.command(type="playing", track=top)
    assert show.hop().switch == Switch(None, (), None)
    assert show.command(type="playing", track=top, position_s=10.0) == Accepted("playing", top)  # at 3 s
    told = show.hop()  # at 4 s the stream is 11 s into the track; its bars are at 0.25, 2.25, ...
    assert told.switch == Switch(None, (12.25, 14.25, 16.25, 18.25), 1.25)
    show.command(type="pin", track=next(t for t in scores(told) if t != top))
    switch = show.hop().switch
    assert switch is not None and switch.track == show.session._preferences.wishes.pinned and switch.in_s == 0.25
    show.session.reset("time stepped back by 9 s")
    show.slot = 0
    assert show.hop().switch == replace(switch, at_s=(14.25, 16.25, 18.25, 20.25), in_s=1.25)
    assert [q.track for q in show.runtime.asked if isinstance(q, Beats)] == [top]
    show.command(type="playing", track=None)
    assert show.hop().switch is None


def test_one_question_for_beats_is_open_however_fast_the_track_changes(fake_runtime: Fake) -> None:
    session = Session(fake_runtime().model)
    accepted, first = session.command({"type": "playing", "track": "a", "position_s": 0})
    assert accepted == Accepted("playing", "a") and isinstance(first, Beats) and first.track == "a"
    for track in [f"track {n}" for n in range(5000)]:
        assert session.command({"type": "playing", "track": track}) == [Accepted("playing", track)]
    (second,) = session.result(first.id, np.arange(3.0))  # those of "a" say nothing of what is on air now
    assert isinstance(second, Beats) and second.track == "track 4999" and session._deck.on_air.beats is None
    assert session.result(second.id, np.arange(9.0)) == [] and len(session._deck.on_air.beats) == 9
    assert session.result(second.id, np.arange(9.0)) == [] and session.stale_answers == 1
    asked = session.command({"type": "playing", "track": "c"})[1]
    session.command({"type": "playing", "track": "d"})
    (again,) = session.give_up(asked.id)  # type: ignore[union-attr]
    assert isinstance(again, Beats) and again.track == "d"
    with pytest.raises(TypeError, match="beats"):
        session.result(again.id, [])


def test_beats_of_a_track_that_is_on_air_again_are_its_own(fake_runtime: Fake) -> None:
    session = Session(fake_runtime().model)
    first = session.command({"type": "playing", "track": "a"})[1]
    for track in ("b", None, "a"):
        session.command({"type": "playing", "track": track})
    assert session.result(first.id, np.arange(3.0)) == []  # type: ignore[union-attr]
    assert session._deck.on_air is not None and session._deck.on_air.beats is not None


def test_what_was_on_air_steps_back_and_fades_across_resets(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    top = show.hop().items[0].track
    show.command(type="playing", track=top)
    assert adjusts(show.hop())[top] == 0.0
    show.command(type="playing", track=None)
    assert adjusts(show.hop())[top] == pytest.approx(-PENALTY, abs=1e-3)
    show.session.tick(900.0 + 2.0)
    show.session.reset("time stepped back by 900 s")
    show.slot = 0
    assert adjusts(show.hop())[top] == pytest.approx(-PENALTY / 2, abs=1e-3)
    show.command(type="playing", track=top)
    assert adjusts(show.hop())[top] == 0.0


def test_likes_pull_what_sounds_alike(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    plain = show.hop()
    low = plain.items[-1].track
    liked = show.command(type="like", track=low)
    assert isinstance(liked, Accepted) and (liked.command, liked.track) == ("like", low)
    assert liked.effect is not None and liked.effect.up > 0 < liked.effect.down
    told = show.hop()
    moved = adjusts(told)
    assert moved[low] == max(moved.values()) > 0 > min(moved.values())
    assert max(moved.values()) - min(moved.values()) <= LIKE_SPAN
    assert [item.track for item in told.items if item.liked] == [low]
    show.command(type="unlike", track=low)
    assert set(adjusts(show.hop()).values()) == {0.0}


def test_a_like_before_the_first_list_is_looked_up_once(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    for track in (name(3), "elsewhere"):
        show.command(type="like", track=track)
    moved = adjusts(show.hop())
    assert moved[name(3)] == max(moved.values()) > 0
    show.hop()
    asked = [q.filters.only for q in show.runtime.asked if isinstance(q, Search) and q.filters.only is not None]
    assert [only for only in asked if "elsewhere" in only] == [frozenset({name(3), "elsewhere"})]


def test_a_skip_takes_away_and_pushes_what_sounds_alike_a_little(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    top = show.hop().items[0].track
    show.command(type="skip", track=top)
    moved = adjusts(show.hop())
    assert top not in moved and 0 < max(moved.values()) - min(moved.values()) <= SKIP_SPAN
    undone = show.command(type="undo")
    assert isinstance(undone, Accepted) and (undone.command, undone.track) == ("undo", top)
    back = adjusts(show.hop())
    assert top in back and set(back.values()) == {0.0}


def test_steering_and_weights_are_told_and_take_effect_at_once(fake_runtime: Fake) -> None:
    show, plain = Show(fake_runtime()), Show(fake_runtime())
    for each in (show, plain):
        each.hop()
    show.command(type="steer", tempo=1, energy=0.5)
    show.command(type="weights", content=0, mood=0, rhythm=1)
    told, asked = show.hop(), show.hop().asked
    assert all(item.score - item.lift == pytest.approx(item.reasons.rhythm + item.adjust) for item in told.items)
    quick = {item.track: item.tempo_bpm for item in told.items}
    assert quick[max(scores(told), key=scores(told).__getitem__)] > np.median(list(quick.values()))
    searches = [asked.lean for asked in show.runtime.asked if isinstance(asked, Search)]
    assert searches[0] == () and searches[-1] == (0.5, 0.0, 0.0, 1.0)
    assert asked is not None and asked.steer == Steer(energy=0.5, tempo=1.0) and asked.undo == 2
    assert asked.weights == Weights(0.0, 1.0, 0.0)
    show.command(type="undo")
    show.command(type="undo")
    for _ in range(2):
        plain.hop()
    assert scores(show.hop()) == scores(plain.hop())


def test_speech_lowers_vocals_and_ducks(fake_runtime: Fake) -> None:
    runtime = fake_runtime()
    search = runtime._search
    runtime._search = lambda *given: [
        replace(c, track=replace(c.track, tags=("Song",))) if c.track.id == name(0) else c for c in search(*given)
    ]
    show = Show(runtime)
    assert show.hop().duck_db is None
    for second in range(1, 7):
        assert show.session.hear(1.0, second) == []
        told = show.hop()
    assert told.duck_db is not None and -18 <= told.duck_db < -15
    assert adjusts(told) == {name(n): (-VOCAL_PENALTY if n == 0 else 0.0) for n in range(12)}
    for second in range(7, 12):
        show.session.hear(0.0, second)
        told = show.hop()
    assert told.duck_db == 0.0 and set(adjusts(told).values()) == {0.0}
    show.session.reset("time stepped back by 9 s")
    show.slot = 0
    assert show.hop().duck_db is None
    with pytest.raises(ValueError, match="share"):
        show.session.hear(2.0, 3)


def test_a_steady_steer_does_not_keep_the_first_place_loose(fake_runtime: Fake) -> None:
    show = Show(fake_runtime(), SessionOptions(hysteresis=HysteresisOptions(eased_s=2)))
    show.hop()
    show.command(type="steer", energy=0.1)
    show.hop()
    assert show.session._listing.hysteresis._eased_s <= 1
    for _ in range(3):
        show.hop()
    assert show.session._listing.hysteresis._eased_s == 0


TRACKS = st.sampled_from([name(n) for n in (0, 3, 7, 11)] + ["elsewhere"])
LEANS = st.one_of(st.none(), st.floats(-1, 1))
WISHES = st.one_of(
    st.builds(lambda kind, track: {"type": kind, "track": track}, st.sampled_from(["like", "unlike", "skip"]), TRACKS),
    st.builds(lambda track: {"type": "pin", "track": track}, st.one_of(st.none(), TRACKS)),
    st.builds(lambda e, v, t: {"type": "steer", "energy": e, "valence": v, "tempo": t}, LEANS, LEANS, LEANS),
    st.builds(lambda c, m: {"type": "weights", "content": c, "mood": m}, st.floats(0, 4), st.floats(0, 4)),
    st.builds(lambda low: {"type": "filters", "min_bpm": low}, st.floats(0, 120)),
)
OTHERS = st.one_of(
    st.just({"type": "undo"}),
    st.builds(lambda t, at: {"type": "playing", "track": t, "position_s": at}, TRACKS, st.floats(0, 60)),
    st.just({"type": "playing", "track": None}),
    st.just({"type": "jump"}),
)


@settings(max_examples=25, deadline=None)
@given(history=st.lists(WISHES, max_size=4), wish=WISHES)
def test_undo_after_any_command_restores_the_exact_list(
    fake_runtime: Fake, history: list[dict[str, Any]], wish: dict[str, Any]
) -> None:
    one, two = (Show(fake_runtime(), SessionOptions(suggestions=12)) for _ in range(2))
    for show in (one, two):
        show.hop()
        for message in history:
            show.command(**message)
            show.hop()
    steps = one.session._preferences.state().undo
    if isinstance(one.command(**wish), Accepted) and one.session._preferences.state().undo > steps:  # a change
        assert isinstance(one.command(type="undo"), Accepted)
    lists = [[show.hop(), show.hop(BEACH, cut=True), show.hop(BEACH)] for show in (one, two)]
    assert lists[0] == lists[1]


@settings(max_examples=25, deadline=None)
@given(wish=WISHES)
def test_undo_seconds_later_restores_the_exact_scores(fake_runtime: Fake, wish: dict[str, Any]) -> None:
    one, two = (Show(fake_runtime()) for _ in range(2))
    for show in (one, two):
        show.hop()
        show.hop()
    accepted = isinstance(one.command(**wish), Accepted)
    for show in (one, two):
        show.hop()
    if accepted:
        one.command(type="undo")
    assert scores(one.hop()) == scores(two.hop())


@settings(max_examples=25, deadline=None)
@given(
    script=st.lists(
        st.one_of(WISHES, OTHERS, st.floats(0, 1), st.sampled_from([NIGHT, BEACH]), st.just("reset")), max_size=20
    )
)
def test_any_sequence_stays_in_bounds_and_replays_alike(fake_runtime: Fake, script: list[Any]) -> None:
    def played() -> list[Event]:
        show = Show(fake_runtime(), SessionOptions(suggestions=12))
        for step in script:
            if isinstance(step, dict):
                assert isinstance(show.command(**step), Accepted | Refused)
            elif isinstance(step, float):
                show.session.hear(step, show.slot // 8)
            elif step == "reset":
                show.drive(show.session.reset("time jumped"))
                show.slot = 0
            else:
                show.hop(step, cut=True)
        show.hop()
        show.drive(show.session.finish())
        return show.said

    said = played()
    assert said == played()
    for event in said:
        if not isinstance(event, Suggestions):
            continue
        assert 0 < event.window_s <= 28 and event.asked is not None and event.asked.undo <= 50
        assert event.duck_db is None or -18 <= event.duck_db <= 0
        assert event.switch is None or (len(event.switch.at_s) <= 4 and (event.switch.in_s or 0) >= 0)
        reach = (LIKE_SPAN + SKIP_SPAN) / 2
        steer = STEER_SHARE * max(map(abs, event.asked.steer.lean), default=0.0)
        for item in event.items:
            assert -reach - PENALTY - VOCAL_PENALTY - steer <= item.adjust <= reach + steer
            parts = (item.reasons.content, item.reasons.rhythm, item.reasons.mood)
            assert all(0 <= part <= 1 for part in (item.score, *parts))
            weights = event.asked.weights
            mean = np.average(parts, weights=[weights.content, weights.rhythm, weights.mood])
            own = item.score - item.lift
            assert own == pytest.approx(min(1.0, max(0.0, mean + item.adjust)), abs=1e-9)
            assert item.lift >= 0 and (item.lift == 0) == (item.held == "") and len(item.facts) <= 2
        told = [item.score for item in event.items]
        assert told == sorted(told, reverse=True)


def test_a_real_catalogue_tells_beats_and_knows_none_of_music_from_elsewhere(runtime: Runtime) -> None:
    track = runtime.catalog.search(np.ones(runtime.model.graphs.query.width, np.float32), 1, Filters())[0].track
    beats = runtime.answer(Beats(1, track.id))
    assert isinstance(beats, np.ndarray) and len(beats) > 4 and (np.diff(beats) > 0).all()
    elsewhere = runtime.answer(Beats(2, "elsewhere"))
    assert isinstance(elsewhere, np.ndarray) and elsewhere.shape == (0,)


def test_a_catalogue_of_one_track_has_a_list_of_one(fake_runtime: Fake) -> None:
    show = Show(fake_runtime(tracks=1))
    told = [show.hop((30 * (second % 3), 0.3), cut=second % 4 == 0) for second in range(20)]
    assert all([item.track for item in each.items] == [name(0)] for each in told)
    assert {each.advice for each in told[1:]} == {"stay"} and {each.changed for each in told[1:]} == {""}
    show.command(type="playing", track=name(0), position_s=10)
    air = show.hop().on_air
    assert air is not None and air.next is None  # there is no other
    show.command(type="skip", track=name(0))
    gone = show.hop()
    assert gone.stale == "every track that is there was skipped; the list is the one before"
    show.command(type="undo")
    assert show.hop().stale == ""


def test_what_holds_a_place_is_searched_for_and_the_filters_still_count(fake_runtime: Fake) -> None:
    show = Show(fake_runtime())
    listed = {item.track: item.tempo_bpm for item in show.hop().items}
    show.hop()
    searches = [question for question in show.runtime.asked if isinstance(question, Search)]
    assert searches[-1].keep == frozenset(listed) and len(searches) == 2  # one question a hop
    slow = sorted(listed.values())[2]
    show.command(type="filters", max_bpm=slow)
    told = show.hop()
    assert told.changed in ("wish", "gone") and all(item.tempo_bpm <= slow for item in told.items)
