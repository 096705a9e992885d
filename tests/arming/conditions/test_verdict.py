"""Three-valued logic, and what follows from it for what arms and what disarms: every combination (A4.5)."""

from __future__ import annotations

from itertools import product

import pytest

from trioarm.arming.conditions.settings import Depends, OnUnknown
from trioarm.arming.conditions.verdict import Answer, Await, Block, Leave, Proceed, Truth, all_of, negated, verdict
from trioarm.arming.model import Target

YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
AWAY, NIGHT, DISARMED = Target.ARMED_AWAY, Target.ARMED_NIGHT, Target.DISARMED


def answers(**truths: Truth) -> dict[str, Answer]:
    return {name: Answer(truth, "seen") for name, truth in truths.items()}


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (YES, YES, YES),
        (YES, NO, NO),
        (YES, UNKNOWN, UNKNOWN),
        (NO, YES, NO),
        (NO, NO, NO),
        (NO, UNKNOWN, NO),
        (UNKNOWN, YES, UNKNOWN),
        (UNKNOWN, NO, NO),
        (UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_what_is_not_so_decides_whatever_else_is_unknown(one: Truth, other: Truth, both: Truth) -> None:
    """Kleene's conjunction; of none at all, everything holds."""
    assert all_of([one, other]) is both
    assert all_of([]) is YES


def test_the_opposite_of_what_nobody_knows_nobody_knows() -> None:
    """And twice the opposite is what it was."""
    assert [negated(truth) for truth in (YES, NO, UNKNOWN)] == [NO, YES, UNKNOWN]


@pytest.mark.parametrize(
    ("only_if", "not_if", "on_unknown", "otherwise", "target"),
    list(product(Truth, Truth, [None, *OnUnknown], [None, NIGHT], [AWAY, DISARMED])),
)
def test_every_combination_has_one_meaning(
    only_if: Truth, not_if: Truth, on_unknown: OnUnknown | None, otherwise: Target | None, target: Target
) -> None:
    """One of `only_if` and one of `not_if`, each of three truths, under every policy, for arming and disarming."""
    depends = Depends(only_if=("out",), not_if=("ill",), on_unknown=on_unknown, otherwise=otherwise)
    found = verdict(depends, target, answers(out=only_if, ill=not_if))
    if only_if is NO or not_if is YES:
        assert isinstance(found, Leave if otherwise is None else Proceed)
        if isinstance(found, Proceed):
            assert (found.target, found.is_sure) == (NIGHT, True)
    elif only_if is YES and not_if is NO:
        assert found == Proceed(target, "out says yes (seen); ill says no (seen)")
    elif on_unknown is OnUnknown.WAIT:
        assert isinstance(found, Await)
    elif on_unknown is OnUnknown.BLOCK or (on_unknown is None and target is DISARMED):
        assert isinstance(found, Block)
    else:
        assert isinstance(found, Proceed)
        assert (found.target, found.is_sure) == (target, False)


def test_it_is_said_which_condition_decides_and_no_other() -> None:
    """Why is what people read at night."""
    depends = Depends(only_if=("out", "late"), not_if=("ill",))
    said = answers(out=NO, late=UNKNOWN, ill=NO)
    assert verdict(depends, AWAY, said) == Leave("out says no (seen)")
    said = answers(out=YES, late=UNKNOWN, ill=UNKNOWN)
    found = verdict(depends, AWAY, said)
    assert found == Proceed(AWAY, "nobody can tell late (seen); nobody can tell ill (seen)", is_sure=False)
    found = verdict(Depends(only_if=("out",), otherwise=NIGHT), AWAY, answers(out=NO))
    assert found == Proceed(NIGHT, "out says no (seen)")


def test_what_it_depends_on_is_said_in_words() -> None:
    """As previews show it."""
    depends = Depends(only_if=("out",), not_if=("ill",), otherwise=NIGHT, on_unknown=OnUnknown.WAIT)
    assert depends.describe() == "only if out and not if ill, otherwise armed_night, wait if unknown"
    assert depends.names == ("out", "ill")
