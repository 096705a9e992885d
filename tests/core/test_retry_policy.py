"""Which errors are worth another attempt, after what delays, and until when (S6.4)."""

from __future__ import annotations

import ssl
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import Finished, Requeued
from trioarm.core.codec import InvalidDefinition, structure_schedule, unstructure_schedule
from trioarm.core.errors import InvalidSchedule
from trioarm.core.jitter import jitter_of
from trioarm.core.outcome import KINDS_MAX, Failed, Outcome, TimedOut, kinds_of
from trioarm.core.retry_policy import ErrorPolicy, RetryPolicy, Strategy
from trioarm.core.retrying import RetryRules, backoff_s, settle
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import Reason, State, Step

AT = NOW + 30 * SECOND
ONE = st.from_regex(r"[A-Z][a-z]{0,5}Error", fullmatch=True)
NAMES = st.lists(ONE, max_size=3).map(tuple)
SPANS = st.none() | st.sampled_from([0.0, 0.5, 1.0, 90.0, 3600.0])
RULES = st.builds(
    ErrorPolicy,
    on=st.lists(ONE, min_size=1, max_size=3),
    max_retries=st.none() | st.integers(0, 1000),
    base_s=SPANS,
    max_s=SPANS,
    factor=st.none() | st.floats(1, 100),
    strategy=st.none() | st.sampled_from(Strategy),
)
POLICIES = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 1000),
    base_s=st.floats(0, 1e6),
    max_s=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    strategy=st.sampled_from(Strategy),
    on=NAMES,
    never=NAMES,
    max_age_s=SPANS,
    per_error=st.lists(RULES, max_size=3),
)


def ended(
    outcome: Outcome, policy: RetryPolicy, *, attempt: int = 1, advanced: bool = True, **fields: Any
) -> Finished | Requeued:
    """Return what becomes of a run whose attempt ended half a minute after it was due."""
    run = fields.pop("run", None) or a_run(
        a_record(a_schedule(retry=policy)), state=State.RUNNING, attempt=attempt, token=attempt, **fields
    )
    rules = RetryRules(advanced=advanced)
    return settle(run, outcome, started_at=NOW, at=AT, rules=rules, chance=0.0)


def failed(error: BaseException) -> Failed:
    """Return the outcome of a handler that raised."""
    return Failed(str(error), kinds=kinds_of(error))


class TestKinds:
    def test_an_error_is_of_its_class_and_of_all_bases(self) -> None:
        """Each has its short name and the one with its module, its own first."""
        kinds = kinds_of(ConnectionResetError())
        assert kinds[:2] == ("ConnectionResetError", "builtins.ConnectionResetError")
        assert {"ConnectionError", "OSError", "builtins.OSError", "Exception"} < {*kinds}
        assert "ssl.SSLError" in kinds_of(ssl.SSLCertVerificationError())
        assert "object" not in kinds

    def test_a_group_is_of_the_classes_of_all_that_it_holds(self) -> None:
        """However deep they lie, within a limit."""
        group = ExceptionGroup("all", [OSError(), ExceptionGroup("inner", [ValueError()])])
        assert {"ExceptionGroup", "OSError", "ValueError"} < {*kinds_of(group)}
        classes = [type(f"E{number}", (Exception,), {}) for number in range(2 * KINDS_MAX)]
        assert len(kinds_of(ExceptionGroup("many", [kind() for kind in classes]))) == KINDS_MAX


class TestWorthAnotherAttempt:
    @pytest.mark.parametrize("name", ["ValueError", "builtins.ValueError", "Exception"])
    def test_never_by_class_base_or_module(self, name: str) -> None:
        """An error that is never tried again ends the run at once, and the reason says that trying is useless."""
        step = ended(failed(ValueError("bad")), RetryPolicy(never=[name]))
        assert isinstance(step, Finished)
        assert (step.step, step.reason, step.error) == (Step.FAIL, Reason.DISCARDED, "bad")
        assert isinstance(ended(failed(ValueError("bad")), RetryPolicy(never=["OSError", "my.ValueError"])), Requeued)

    def test_on_names_all_that_is_worth_it(self) -> None:
        """With a list of errors, every other one is final; never is stronger than on."""
        policy = RetryPolicy(on=["OSError"], never=["FileNotFoundError"])
        assert isinstance(ended(failed(ConnectionError()), policy), Requeued)
        for error in (ValueError(), FileNotFoundError(), ExceptionGroup("both", [OSError(), FileNotFoundError()])):
            step = ended(failed(error), policy)
            assert isinstance(step, Finished)
            assert step.reason is Reason.DISCARDED

    def test_a_timeout_is_worth_it_unless_never_says_otherwise(self) -> None:
        """An attempt that takes too long is tried again although `on` names other errors."""
        assert isinstance(ended(TimedOut("too long"), RetryPolicy(on=["OSError"], never=["OSError"])), Requeued)
        step = ended(TimedOut("too long"), RetryPolicy(never=["TimeoutError"]))
        assert isinstance(step, Finished)
        assert (step.step, step.reason) == (Step.TIME_OUT, Reason.TIMEOUT)

    def test_what_a_handler_asks_for_is_no_error_to_judge(self) -> None:
        """A handler that raises Retry is called again whatever errors are worth another attempt."""
        assert isinstance(ended(Failed("not yet"), RetryPolicy(on=["OSError"], never=["ValueError"])), Requeued)

    @given(POLICIES, st.sampled_from([OSError(), ValueError(), ConnectionResetError(), TimeoutError()]))
    @settings(max_examples=40, deadline=None, derandomize=True)
    def test_nothing_is_tried_again_that_never_names(self, policy: RetryPolicy, error: Exception) -> None:
        """Whatever else a policy says, an error it names under never is final, with or without advanced retries."""
        policy = attrs.evolve(policy, never=[*policy.never, type(error).__name__])
        for advanced in (True, False):
            assert isinstance(ended(failed(error), policy, advanced=advanced), Finished)


class TestMaxAge:
    def test_no_attempt_begins_later(self) -> None:
        """The age counts from the occurrence over all attempts, whenever the last one was due, to the microsecond."""
        policy = RetryPolicy(base_s=30, max_age_s=60, strategy=Strategy.CONSTANT)
        last = ended(failed(OSError("down")), policy, attempt=2, due_at=NOW + 29 * SECOND)
        assert isinstance(last, Requeued)
        assert last.due_at == NOW + 60 * SECOND
        step = ended(failed(OSError("down")), attrs.evolve(policy, max_age_s=59.999999), attempt=2, due_at=AT)
        assert isinstance(step, Finished)
        assert (step.step, step.reason) == (Step.FAIL, Reason.ERROR)
        assert step.error == "down; the next attempt would begin later than max_age allows, 59.999999s"

    def test_of_what_a_handler_asks_for_as_well(self) -> None:
        """A handler that asks to be tried again later than that has failed for good; a timeout likewise."""
        policy = RetryPolicy(max_age_s=3600)
        assert isinstance(ended(Failed("later", after_s=3500.0), policy), Requeued)
        step = ended(Failed("later", after_s=3600.0), policy)
        assert isinstance(step, Finished)
        assert step.error == "later; the next attempt would begin later than max_age allows, 1h"
        timed_out = ended(TimedOut("too long"), RetryPolicy(max_age_s=1))
        assert isinstance(timed_out, Finished)
        assert (timed_out.step, timed_out.reason) == (Step.TIME_OUT, Reason.TIMEOUT)
        assert timed_out.error == "too long; the next attempt would begin later than max_age allows, 1s"

    def test_from_when_a_jittered_occurrence_was_due(self) -> None:
        """What jitter adds is no age of the run; a run of a person's own making has no jitter."""
        schedule = a_schedule(jitter_s=50.0, retry=RetryPolicy(max_age_s=31, strategy="constant"))
        late = jitter_of(schedule, NOW, NOW + MINUTE)
        assert late > 5 * SECOND
        run = a_run(a_record(schedule), state=State.RUNNING, attempt=1, token=1, due_at=NOW + late)
        assert isinstance(settled_at(run, AT + late), Requeued)
        assert isinstance(settled_at(run, AT + late + 1), Finished)
        by_hand = a_run(a_record(schedule), state=State.RUNNING, attempt=1, token=1, origin=Origin.MANUAL)
        assert isinstance(settled_at(by_hand, AT), Requeued)
        assert isinstance(settled_at(by_hand, AT + 1), Finished)

    def test_of_what_is_backfilled_from_when_it_was_asked_for(self) -> None:
        """An occurrence of last year is tried again as often as one of now: its run is as old as the wish for it."""
        record = a_record(a_schedule(retry=RetryPolicy(max_age_s=31, strategy="constant")))
        run = a_run(record, state=State.RUNNING, attempt=1, token=1, origin=Origin.BACKFILL)
        run.decided_at = NOW + HOUR
        assert isinstance(settled_at(run, AT + HOUR), Requeued)
        assert isinstance(settled_at(run, AT + HOUR + 1), Finished)


def settled_at(run: RunRecord, at: int) -> Finished | Requeued:
    """Return what becomes of a run that fails at an instant."""
    return settle(run, failed(OSError()), started_at=NOW, at=at, rules=RetryRules(), chance=0.0)


class TestPerError:
    POLICY = RetryPolicy(
        max_retries=1,
        base_s=1,
        per_error=[
            ErrorPolicy(["ConnectionError"], max_retries=5, base_s=7, strategy="constant"),
            ErrorPolicy(["OSError", "TimeoutError"], max_retries=0),
        ],
    )

    def test_the_first_that_names_the_error_counts(self) -> None:
        """Its own number of retries and its own delays hold; other errors have those of the policy."""
        refused = ended(failed(ConnectionRefusedError()), self.POLICY, attempt=5)
        assert isinstance(refused, Requeued)
        assert refused.due_at == AT + 7 * SECOND
        assert isinstance(ended(failed(ConnectionRefusedError()), self.POLICY, attempt=6), Finished)
        assert isinstance(ended(failed(FileNotFoundError()), self.POLICY), Finished)
        assert isinstance(ended(TimedOut("too long"), self.POLICY), Finished)
        assert isinstance(ended(failed(ValueError()), self.POLICY), Requeued)
        assert isinstance(ended(failed(ValueError()), self.POLICY, attempt=2), Finished)

    def test_all_that_it_may_say(self) -> None:
        """Base, clamp, factor and strategy are its own where it says them, the policy's elsewhere."""
        rule = ErrorPolicy(["A"], 1, 2.0, 3.0, 4.0, Strategy.DECORRELATED)
        policy = RetryPolicy(9, 8.0, 7.0, 6.0, per_error=[rule, ErrorPolicy(["B"])])
        assert policy.of(("A",)) == attrs.evolve(
            policy, max_retries=1, base_s=2, max_s=3, factor=4, strategy="decorrelated"
        )
        assert policy.of(("B",)) == policy.of(()) == policy

    def test_without_the_feature_all_errors_are_the_same(self) -> None:
        """Then delays grow by the factor, exactly, and what is said per error is not heeded."""
        for error in (ConnectionRefusedError(), FileNotFoundError(), ValueError()):
            step = ended(failed(error), self.POLICY, advanced=False)
            assert isinstance(step, Requeued)
            assert step.due_at == AT + SECOND
        assert self.POLICY.is_advanced
        assert not self.POLICY.plain.is_advanced
        assert RetryPolicy(strategy="constant").is_advanced
        assert RetryPolicy(on=["OSError"], max_age_s=1).plain == RetryPolicy(on=["OSError"], max_age_s=1)


class TestDelays:
    @given(POLICIES, st.integers(1, 12), st.floats(0, 1, exclude_max=True), st.text(max_size=5))
    @settings(max_examples=80, deadline=None, derandomize=True)
    def test_every_delay_lies_within_its_bounds(
        self, policy: RetryPolicy, attempt: int, chance: float, seed: str
    ) -> None:
        """None exceeds the clamp; constant ones are the base; decorrelated ones lie between base and clamp."""
        delay = backoff_s(policy, attempt, chance, seed=seed)
        assert 0 <= delay <= policy.max_s
        least = min(policy.base_s, policy.max_s)
        if policy.strategy is Strategy.CONSTANT:
            assert delay == least
        elif policy.strategy is Strategy.DECORRELATED:
            assert least <= delay <= policy.max_s

    @given(POLICIES, st.integers(2, 12), st.text(max_size=5))
    @settings(max_examples=40, deadline=None, derandomize=True)
    def test_a_decorrelated_delay_depends_on_the_one_before(self, policy: RetryPolicy, attempt: int, seed: str) -> None:
        """It is at most the factor times that, and the same whoever asks."""
        policy = attrs.evolve(policy, strategy=Strategy.DECORRELATED)
        before, delay = (backoff_s(policy, number, 0.0, seed=seed) for number in (attempt - 1, attempt))
        assert delay <= max(before * policy.factor, min(policy.base_s, policy.max_s)) * (1 + 1e-9)
        assert delay == backoff_s(policy, attempt, 0.7, jitter=False, seed=seed)

    @given(POLICIES, st.floats(0, 1e6), st.integers(1, 12), st.floats(0, 1, exclude_max=True))
    @settings(max_examples=40, deadline=None, derandomize=True)
    def test_a_higher_clamp_never_makes_a_delay_shorter(
        self, policy: RetryPolicy, more: float, attempt: int, chance: float
    ) -> None:
        """Clamps are monotone, whatever the strategy."""
        higher = attrs.evolve(policy, max_s=policy.max_s + more)
        assert backoff_s(policy, attempt, chance, seed="a") <= backoff_s(higher, attempt, chance, seed="a") * (1 + 1e-9)

    def test_decorrelated_delays_of_several_runs_lie_apart(self) -> None:
        """A hundred runs that fail together are spread over the whole range, and none is tried again with another."""
        policy = RetryPolicy(base_s=1, max_s=30, factor=3, strategy="decorrelated")
        first, fifth = ([backoff_s(policy, number, 0.0, seed=f"{run}") for run in range(100)] for number in (1, 5))
        assert len({*first}) == len({*fifth}) == 100
        assert 1 <= min(first) < 1.2 < 2.8 < max(first) <= 3
        assert min(fifth) < 3 < 20 < max(fifth)

    def test_a_run_has_delays_of_its_own(self) -> None:
        """Two occurrences that fail in the same way are tried again at different instants."""
        policy = RetryPolicy(base_s=10, max_s=60, strategy="decorrelated")
        record = a_record(a_schedule(retry=policy))
        runs = [a_run(record, NOW - n * SECOND, state=State.RUNNING, attempt=1, token=1) for n in range(2)]
        steps = [settle(one, failed(OSError()), started_at=NOW, at=AT, rules=RetryRules(), chance=0.0) for one in runs]
        assert steps[0].at == steps[1].at
        assert len({step.due_at for step in steps if isinstance(step, Requeued)}) == 2


class TestForm:
    @given(POLICIES)
    @settings(max_examples=40, deadline=None, derandomize=True)
    def test_every_policy_is_read_back_as_it_was_written(self, policy: RetryPolicy) -> None:
        """Whatever it says, a store holds it."""
        schedule = a_schedule(retry=policy)
        assert structure_schedule(unstructure_schedule(schedule)) == schedule

    def test_as_a_person_writes_it(self) -> None:
        """Durations are text, errors names, and what is said per error a list of tables."""
        retry = {
            "on": ["OSError"],
            "never": ["builtins.ValueError"],
            "max_age": "1h",
            "strategy": "decorrelated",
            "per_error": [{"on": ["ssl.SSLError"], "max_retries": 1, "base": "5m", "max": "10m", "factor": 3}],
        }
        tree = {"name": "a", "every": "1s", "handler": "b", "retry": retry}
        found = structure_schedule(tree)
        assert structure_schedule(unstructure_schedule(found)) == found
        assert found.retry == RetryPolicy(
            on=["OSError"],
            never=["builtins.ValueError"],
            max_age_s=HOUR / SECOND,
            strategy=Strategy.DECORRELATED,
            per_error=[ErrorPolicy(["ssl.SSLError"], 1, 300, 600, 3)],
        )

    @pytest.mark.parametrize(
        ("retry", "line"),
        [
            ({"on": "OSError"}, 'retry.on: "OSError" is no list'),
            ({"never": ["not a name"]}, "retry.never: 'not a name' is no class of errors: write it like ValueError"),
            ({"never": ["a..b"]}, "retry.never: 'a..b' is no class of errors"),
            ({"never": ["A" * 256]}, "is no class of errors"),
            ({"never": ["A"] * 33}, "retry.never: 33 errors are too many: at most 32"),
            ({"never": [3]}, "retry.never: 3 is no text"),
            ({"max_age": "-1s"}, "retry.max_age: "),
            ({"strategy": "linear"}, 'retry.strategy: "linear" is unknown'),
            ({"per_error": [{"max_retries": 1}]}, "retry.per_error[0].on: is missing: name the errors it is for"),
            ({"per_error": [{"on": []}]}, "retry.per_error[0].on: it names no error"),
            ({"per_error": [{"on": ["A"], "retries": 1}]}, "retry.per_error[0].retries: unknown key; did you mean"),
            ({"per_error": [{"on": ["A"]}] * 17}, "retry.per_error: 17 entries are too many: at most 16"),
        ],
    )
    def test_what_is_wrong_is_said_in_a_line(self, retry: dict[str, object], line: str) -> None:
        """With its path, and what would be right."""
        with pytest.raises(InvalidDefinition) as found:
            structure_schedule({"name": "a", "every": "1s", "handler": "b", "retry": retry})
        [problem] = found.value.problems
        assert line in problem

    @pytest.mark.parametrize(
        ("policy", "message"),
        [
            ({"on": "OSError"}, r"^retry errors 'OSError': give a list of names, such as \['OSError'\]$"),
            ({"on": [OSError]}, r"^retry error <class 'OSError'>: name its class, such as 'ValueError'$"),
            (
                {"never": ["a b"]},
                r"^retry error 'a b' is no class of errors: write it like ValueError or ssl.SSLError$",
            ),
            ({"never": ["A"] * 33}, "^retry names 33 errors in one list: at most 32$"),
            ({"max_age_s": -1}, "^retry max_age_s is -1: it must lie between 0 and"),
            ({"strategy": "linear"}, "^retry strategy 'linear': it is one of exponential, constant, decorrelated$"),
            ({"per_error": [{"on": ["A"]}]}, r"^retry per_error \{'on': \['A'\]\}: give a list of ErrorPolicy$"),
            ({"per_error": [ErrorPolicy(["A"])] * 17}, "^retry per_error has 17 entries: at most 16$"),
        ],
    )
    def test_a_policy_that_exists_is_valid(self, policy: dict[str, Any], message: str) -> None:
        """What a program hands in is refused in one line."""
        with pytest.raises(InvalidSchedule, match=message):
            RetryPolicy(**policy)

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ({"on": []}, "^retry per_error: name the errors that it is for$"),
            ({"on": ["A"], "max_retries": 1001}, "^max_retries is 1001: it must lie between 0 and 1000$"),
            ({"on": ["A"], "base_s": -1}, "^retry per_error base_s is -1: it must lie between 0 and"),
            ({"on": ["A"], "max_s": "1s"}, "^retry per_error max_s is '1s': it must be a number of seconds"),
            ({"on": ["A"], "factor": 0.5}, "^retry per_error factor is 0.5: it must lie between 1 and 100$"),
            ({"on": ["A"], "strategy": "linear"}, "^retry strategy 'linear': it is one of"),
        ],
    )
    def test_a_rule_that_exists_is_valid(self, rule: dict[str, Any], message: str) -> None:
        """The bounds of a rule are those of the policy."""
        with pytest.raises(InvalidSchedule, match=message):
            ErrorPolicy(**rule)
