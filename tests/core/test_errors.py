from __future__ import annotations

import pytest

from tests.making import a_run
from trioarm.core import errors
from trioarm.core.changes import Claim, apply
from trioarm.core.states import State


def test_every_error_has_one_root() -> None:
    """Whoever catches `TrioarmError` catches every error that is raised on purpose."""
    assert all(issubclass(getattr(errors, name), errors.TrioarmError) for name in errors.__all__)


def test_a_configuration_error_keeps_its_problems_apart() -> None:
    """All problems are reported at once, one line each."""
    error = errors.ConfigurationError(("a: wrong", "b: wrong too"))
    assert error.problems == ("a: wrong", "b: wrong too")
    assert str(error) == "a: wrong\nb: wrong too"


def test_a_step_that_should_have_been_refused_changes_nothing() -> None:
    """Carrying out a claim of a run that is held raises, and leaves token and attempt as they are."""
    run = a_run(state=State.RUNNING, token=1, attempt=1)
    with pytest.raises(errors.InvalidTransition, match="a run that is running cannot claim"):
        apply(Claim(run, 1, "n2", 0))
    assert (run.state, run.token, run.attempt) == (State.RUNNING, 1, 1)
