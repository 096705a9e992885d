"""The form of a retry policy in files and stores: `retry = { max_retries = 3, never = ["ValueError"] }`."""

from __future__ import annotations

from trioarm.core.bounds import DURATION_S_MAX
from trioarm.core.forms.scalars import write_duration
from trioarm.core.jsonable import Json
from trioarm.core.reading import Table, duration, listed, mapping, member, number, text, whole, within
from trioarm.core.retry_policy import (
    ERRORS_MAX,
    FACTOR_MAX,
    PER_ERROR_MAX,
    RETRIES_MAX,
    ErrorPolicy,
    RetryPolicy,
    Strategy,
    error_name,
)


def read_retry(table: Table) -> RetryPolicy | None:
    """Read the policy under `retry`; None where nothing is said."""
    retry = table.table("retry")
    if retry is None:
        return None
    plain = RetryPolicy()
    policy = RetryPolicy(
        max_retries=retry.take("max_retries", whole(0, RETRIES_MAX), plain.max_retries),
        base_s=retry.take("base", duration(0, DURATION_S_MAX), plain.base_s),
        max_s=retry.take("max", duration(0, DURATION_S_MAX), plain.max_s),
        factor=retry.take("factor", within(number, 1, FACTOR_MAX), plain.factor),
        strategy=retry.take("strategy", member(Strategy), plain.strategy),
        on=retry.take("on", _errors, ()),
        never=retry.take("never", _errors, ()),
        max_age_s=retry.take("max_age", duration(0, DURATION_S_MAX), None),
        per_error=_read_per_error(retry),
    )
    retry.close()
    return policy


def _errors(value: object) -> tuple[str, ...]:
    names = tuple(listed(lambda item: error_name(text(item)))(value))
    if len(names) > ERRORS_MAX:
        raise ValueError(f"{len(names)} errors are too many: at most {ERRORS_MAX}")
    return names


def _read_per_error(retry: Table) -> tuple[ErrorPolicy, ...]:
    trees = retry.take("per_error", _trees, [])
    found = [_read_one(Table(tree, f"{retry.at('per_error')}[{index}]", retry.problems)) for index, tree in trees]
    return tuple(policy for policy in found if policy is not None)


def _trees(value: object) -> list[tuple[int, dict[str, object]]]:
    trees = listed(lambda item: dict(mapping(item)))(value)
    if len(trees) > PER_ERROR_MAX:
        raise ValueError(f"{len(trees)} entries are too many: at most {PER_ERROR_MAX}")
    return list(enumerate(trees))


def _read_one(table: Table) -> ErrorPolicy | None:
    on = table.need("on", _some_errors, 'name the errors it is for, like on = ["ConnectionError"]')
    max_retries = table.take("max_retries", whole(0, RETRIES_MAX), None)
    base_s = table.take("base", duration(0, DURATION_S_MAX), None)
    max_s = table.take("max", duration(0, DURATION_S_MAX), None)
    factor = table.take("factor", within(number, 1, FACTOR_MAX), None)
    strategy = table.take("strategy", member(Strategy), None)
    table.close()
    return None if on is None else ErrorPolicy(on, max_retries, base_s, max_s, factor, strategy)


def _some_errors(value: object) -> tuple[str, ...]:
    if names := _errors(value):
        return names
    raise ValueError("it names no error")


def write_retry(policy: RetryPolicy) -> dict[str, Json]:
    """Write a policy as `read_retry` reads it; what is advanced or narrower only where something is said."""
    form: dict[str, Json | None] = {
        "max_retries": policy.max_retries,
        "base": write_duration(policy.base_s),
        "max": write_duration(policy.max_s),
        "factor": policy.factor,
        "strategy": None if policy.strategy is Strategy.EXPONENTIAL else policy.strategy.value,
        "on": [*policy.on] or None,
        "never": [*policy.never] or None,
        "max_age": write_duration(policy.max_age_s),
        "per_error": [_write_one(rule) for rule in policy.per_error] or None,
    }
    return _said(form)


def _write_one(rule: ErrorPolicy) -> dict[str, Json]:
    return _said(
        {
            "on": [*rule.on],
            "max_retries": rule.max_retries,
            "base": write_duration(rule.base_s),
            "max": write_duration(rule.max_s),
            "factor": rule.factor,
            "strategy": None if rule.strategy is None else rule.strategy.value,
        }
    )


def _said(form: dict[str, Json | None]) -> dict[str, Json]:
    return {key: value for key, value in form.items() if value is not None}
