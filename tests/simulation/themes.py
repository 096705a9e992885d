"""Themes: what histories are drawn from, by Hypothesis; one that is about everything has too little of anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from hypothesis import strategies as st

from tests.simulation.history import (
    BEHAVIOURS,
    CALLS,
    CORRECTIONS_S,
    KINDS,
    LANES,
    NAMES,
    OF_ALL,
    OF_WHAT_IS_TO_COME,
    OWNERS,
    STEPS_S,
    STRAYS_S,
    VERBS,
    Act,
    Declared,
    History,
    Joined,
    Keeps,
    Killed,
    Pruned,
    Put,
    Resized,
    Said,
    Stalled,
    Stepped,
    Stopped,
    Strayed,
)
from trioarm import After, Cron, Delivery, ErrorPolicy, Every, Misfire, Once, Overlap, RetryPolicy, Schedule, Weekly
from trioarm.core.instants import MINUTE
from trioarm.testing import Fault
from trioarm.testing.faults import Away
from trioarm.testing.world import BEGIN

TRIGGERS = st.one_of(
    st.builds(Once, st.integers(1, 240).map(lambda minutes: BEGIN + minutes * MINUTE)),
    st.builds(Every, st.sampled_from([20.0, 60.0, 97.0, 600.0, 3600.0])),
    st.builds(After, st.sampled_from([45.0, 45 * 60.0])),
    st.builds(Cron, st.sampled_from(["*/7 * * * *", "5,35 * * * *", "0 0-6 * * *"])),
    st.builds(Weekly, st.just(("monday", "tuesday")), st.sampled_from([("23:10",), ("22:30", "01:00", "04:45")])),
)


@attrs.frozen
class Theme:
    """What a history is about: one that has a bit of everything has too little of anything to go wrong.

    Args:
        names: of its schedules; where they are few, most that is said is said of one that is there.
        behaviours: of its handlers.
        lanes: of its schedules.
        verbs: that are said.
        calls: of the store that go wrong.
        kinds: of acts.
        crowded: whether runs wait for workers, and nothing else goes wrong, so that it shows whose turn it is.
        forgets: whether little is kept of what is over.
        resizes: whether nodes are told to call more handlers at once, or fewer.
    """

    names: tuple[str, ...]
    behaviours: tuple[str, ...]
    lanes: tuple[str | None, ...]
    verbs: tuple[str, ...]
    calls: tuple[str, ...]
    kinds: tuple[str, ...]
    crowded: bool = False
    forgets: bool = False
    resizes: bool = False


def some(items: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    """Return what draws up to three of the items, or all of them."""
    return st.just(tuple(items)) | st.lists(st.sampled_from(items), min_size=1, max_size=3).map(tuple)


THEMES = st.builds(
    Theme,
    st.sampled_from([NAMES[:2], NAMES]),
    some(BEHAVIOURS),
    st.sampled_from([(None,), (None, *LANES), ("red",), ("blue",)]),
    some(VERBS),
    some(CALLS),
    some(KINDS),
)
CROWDED = st.builds(
    Theme,
    st.just(NAMES),
    st.just(("is_slow", "is_slow", "hangs", "fails_at_first", "succeeds", "always_fails")),
    st.just((None,)),
    some(("fire", "fire_alone", "fire_instead", "backfill", "cancel", "cancel", "retry", "postpone")),
    st.just(()),
    some(("said", "said", "killed", "stopped")),
    st.just(True),
)
SPOKEN_OF = st.builds(  # by people who change their minds
    Theme,
    st.sampled_from([NAMES[:1], NAMES[:2]]),
    some(BEHAVIOURS),
    st.sampled_from([(None,), (None, *LANES), ("red",), ("blue",)]),
    some(OF_WHAT_IS_TO_COME),
    some(CALLS),
    some(("said", "said", "said", "said", "killed", "stopped", "stalled")),
)
FORGETFUL = st.builds(
    Theme,
    st.sampled_from([NAMES[:1], NAMES[:2], NAMES]),
    some(BEHAVIOURS),
    st.sampled_from([(None,), (None, *LANES), ("red",), ("blue",)]),
    st.just(("retry", "backfill", "fire_alone")) | some(VERBS),
    some((*CALLS, "prune", "prune", "list_documents")),
    some(("put", *("said",) * 2, "declared", "killed", "stopped", "stalled", "stepped", *("pruned",) * 3)).map(
        lambda kinds: (*kinds, "pruned")
    ),
    forgets=st.just(True),
)
KEEPS = st.builds(
    Keeps,
    st.sampled_from([0.0, 60.0, 600.0, 86_400.0]),
    st.sampled_from([1, 2, 5, 1_000]),
    st.sampled_from([None, None, 1, 3]),
    st.sampled_from([600.0, 9_000.0]),
)
RESIZED = st.builds(
    Theme,
    st.sampled_from([NAMES[:2], NAMES]),
    some((*BEHAVIOURS, "is_slow", "is_slow")),
    st.sampled_from([(None,), (None, *LANES)]),
    some(("fire", "fire", "fire_alone", "fire_instead", "backfill", "cancel", "retry")),
    some(CALLS),
    some(("said", "said", "killed", "stopped", "stalled")).map(lambda kinds: (*kinds, "resized")),
    resizes=st.just(True),
)
RESIZED_IN_PEACE = st.builds(  # where it shows whether a worker is idle
    Theme,
    st.just(NAMES),
    st.just(("is_slow", "is_slow", "is_slow", "hangs", "fails_at_first", "succeeds", "always_fails")),
    st.just((None,)),
    some(("fire", "fire", "fire_alone", "fire_instead", "backfill", "cancel", "retry")),
    st.just(()),
    some(("said", "said", "killed", "stopped")).map(lambda kinds: (*kinds, "resized")),
    st.just(True),
    resizes=st.just(True),
)
SPOKEN_OF_TOGETHER = st.builds(
    Theme,
    st.sampled_from([NAMES[:2], NAMES]),
    some((*BEHAVIOURS, "breaks", "is_slow")),
    st.sampled_from([(None,), (None, *LANES)]),
    st.sampled_from([OF_ALL, (*OF_ALL, "fire", "pause", "pause_for", "resume", "backfill", "retry")]),
    some(CALLS),
    st.lists(st.sampled_from(["put", "declared", "killed", "stopped", "stalled", "stepped"]), max_size=2).map(
        lambda kinds: ("said", *kinds)
    ),
)
OFTEN = st.builds(Every, st.sampled_from([60.0, 97.0, 180.0, 600.0]))  # enough for workers to be wanting


RETRIES = (
    *(RetryPolicy(2, 5.0), RetryPolicy(2, 5.0), RetryPolicy(0)) * 2,
    RetryPolicy(3, 2.0, factor=4.0, max_s=9.0),
    RetryPolicy(2, 5.0, strategy="constant", never=["OSError"]),
    RetryPolicy(3, 2.0, strategy="decorrelated", never=["TimeoutError"]),
    RetryPolicy(3, 5.0, max_age_s=30.0),
    RetryPolicy(3, 5.0, per_error=[ErrorPolicy(["OSError"], max_retries=1, base_s=20.0, strategy="constant")]),
)
POLICIES: dict[str, st.SearchStrategy[Any]] = {  # made once: to make what draws costs more than to draw
    "misfire": st.sampled_from(Misfire),
    "overlap": st.sampled_from(Overlap),
    "tolerance_s": st.sampled_from([None, 0.0, 600.0]),
    "misfire_window_s": st.sampled_from([None, 0.0, 7200.0]),
    "max_runs": st.sampled_from([None, None, None, 1, 5]),
    "delivery": st.sampled_from(Delivery),
    "timeout_s": st.sampled_from([20.0, 100.0]),
    "retry": st.sampled_from(RETRIES),
    "pause_after_failures": st.sampled_from([None, None, None, None, None, None, 2]),
    "priority": st.integers(3, 6),
    "resources": st.sampled_from([(), (), (), (), (), ("nas",), ("mail",)]),
    "jitter_s": st.sampled_from([None, None, None, None, 30.0, 1_000.0]),
    "start_at": st.sampled_from([None, None, None, None, None, BEGIN + 5 * MINUTE]),
    "end_at": st.sampled_from([None, None, None, None, None, BEGIN + 20 * MINUTE]),
    "enabled": st.sampled_from([True, True, True, True, True, True, True, False]),
}


@st.composite
def schedules(draw: st.DrawFn, name: str, theme: Theme) -> Schedule:
    """Draw a schedule of a name."""
    lane = draw(st.sampled_from(theme.lanes))
    policies = {policy: draw(strategy) for policy, strategy in POLICIES.items()}
    if lane == "red" and policies["overlap"].keeps_apart:  # older runs give way there
        policies["overlap"] = Overlap.SKIP
    if theme.crowded and policies["overlap"].keeps_apart:
        policies["overlap"] = Overlap.ALLOW
    if lane == "red":
        policies["precedence"] = NAMES[::-1].index(name)  # the other way round than names, which decide last
    handler, trigger = draw(st.sampled_from(theme.behaviours)), draw(OFTEN if theme.crowded else TRIGGERS)
    return Schedule(name, trigger, handler=handler, lane=lane, supersede=lane == "red", **policies)


AWAY = st.sampled_from([None, None, Away.STALL, Away.FAIL])
MOSTLY, RARELY = st.sampled_from([True, True, True, False]), st.sampled_from([False, False, False, True])
WAITS_S = (0.0, 1.0, 13.0, 61.0, 130.0, 550.0, 1_800.0)
LONG_S = (0.0, 3.0, 45.0, 1_000.0, 9_000.0)
SHORT_S = (0.0, 3.0, 45.0)  # for what plays on files: several nodes that look for each other cost much


@st.composite
def sets(draw: st.DrawFn, known: Mapping[str, Schedule], owner: str | None, theme: Theme) -> Declared:
    """Draw a set of schedules that is declared: some that are known, some that are new or changed."""
    members = tuple(
        known[name] if name in known and draw(MOSTLY) else draw(schedules(name, theme))
        for name in draw(st.lists(st.sampled_from(theme.names), unique=True))
    )
    owners = st.sampled_from(OWNERS if owner is None else (*OWNERS, *[owner] * 5))
    return Declared(draw(owners), members, draw(RARELY), draw(st.sampled_from([None, None, 1, 4, 9, 16])))


def acts(down_s: Sequence[float], theme: Theme, declares: st.SearchStrategy[Declared]) -> st.SearchStrategy[Act]:
    """Return what draws an act; a node that dies or is stopped comes back after one of so many seconds."""
    down, name = st.sampled_from(down_s), st.sampled_from(theme.names)
    kinds: dict[str, st.SearchStrategy[Act]] = {
        "put": name.flatmap(lambda name: schedules(name, theme)).map(Put),
        "said": st.builds(Said, st.sampled_from(theme.verbs), name),
        "declared": declares,
        "killed": st.builds(Killed, down),
        "stopped": st.builds(Stopped, down, RARELY, st.just(None) if theme.crowded else AWAY),
        "stalled": st.builds(Stalled, st.sampled_from([4.0, 24.0, 40.0, 200.0])),
        "stepped": st.builds(Stepped, st.sampled_from(STEPS_S)),
        "corrected": st.builds(Stepped, st.sampled_from(CORRECTIONS_S)),
        "strayed": st.builds(Strayed, st.sampled_from(STRAYS_S), st.sampled_from([3.0, 20.0, 55.0])),
        "joined": st.builds(Joined),
        "pruned": st.builds(Pruned),
        "resized": st.builds(Resized, st.integers(1, 4), st.sampled_from([0, 0, 2])),
    }
    return st.one_of([kinds[kind] for kind in theme.kinds])


def faults(theme: Theme) -> st.SearchStrategy[dict[tuple[str, int], Fault]]:
    """Return what draws faults: some calls in a row go wrong in the same way, here and there."""
    if theme.crowded:
        return st.just({})
    row = st.tuples(
        st.sampled_from(theme.calls), st.integers(3, 60), st.sampled_from([1, 1, 3, 12]), st.sampled_from(list(Fault))
    )
    return st.lists(row, max_size=8).map(
        lambda rows: {
            (call, number): fault for call, first, count, fault in rows for number in range(first, first + count)
        }
    )


LACKS = st.sampled_from([(), (), (), ("succeeds", "is_slow", "fails_at_first"), tuple(BEHAVIOURS)])
CHUNKS = (1_000, 1, 2)
EVERYTHING = st.one_of(*[THEMES] * 6, CROWDED, SPOKEN_OF)
ABOUT = {  # what histories may be about, which are drawn apart
    "everything": EVERYTHING,
    "forgetting": FORGETFUL,
    "many": SPOKEN_OF_TOGETHER,
    "resizing": RESIZED | RESIZED_IN_PEACE,
}


@st.composite
def histories(draw: st.DrawFn, *, with_file: bool = False, about: str = "everything") -> History:
    """Draw some hours in the life of a store."""
    theme = draw(THEMES if with_file and about == "everything" else ABOUT[about])
    least = 3 if theme.crowded else 1
    first = tuple(draw(schedules(name, theme)) for name in theme.names[: draw(st.integers(least, len(theme.names)))])
    waits = st.sampled_from(WAITS_S[:5] if with_file or theme.crowded else WAITS_S)
    owner = None if theme.resizes else draw(st.sampled_from([None, None, *OWNERS]))  # a file has none in it
    declares = sets({one.name: one for one in first}, owner, theme)
    one = acts(SHORT_S if with_file or theme.crowded else LONG_S, theme, declares)
    then = tuple(draw(st.lists(st.tuples(waits, one), min_size=1, max_size=9)))
    if with_file:  # what one node cannot have
        then = ((0.0, Joined()), *then, (draw(waits), Stalled(draw(st.sampled_from([40.0, 200.0])))))
    workers, spare = draw(st.integers(1, 2 if theme.crowded else 3)), draw(st.sampled_from([0, 0, 2]))
    idles = not with_file and draw(RARELY)
    lacks = () if theme.crowded else draw(LACKS)
    keeps = draw(KEEPS) if theme.forgets else None
    chunk = CHUNKS[len(then) % len(CHUNKS)]  # as good as drawn, and no other history for it
    rest = (owner, idles, lacks, keeps, theme.resizes, chunk)
    return History(first, then, draw(faults(theme)), workers, with_file, spare, *rest)
