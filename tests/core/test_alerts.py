"""Alerts as values: what is kept of one, what its id says, and what is made of one that cannot be understood."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.making import NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.alerts import (
    ACTIONS_MAX,
    FACTS_MAX,
    TEXT_MAX,
    Action,
    Alert,
    AlertQuery,
    AlertState,
    Closing,
    Fact,
    Severity,
    StoredAlert,
    alert_id,
    alerts_of,
    changing,
    closing,
    no_alerts,
    raised_by,
    raising,
    read_alert,
    stored_alert,
)
from trioarm.core.changes import Change, PutDocument
from trioarm.core.codec import to_json
from trioarm.core.errors import RepositoryError
from trioarm.core.run import Origin


def an_alert(**fields: Any) -> Alert:
    """Return an alert about the house."""
    whole = {"subject": "partition/house", "kind": "arm_failed", "severity": Severity.ERROR, "text": "not armed"}
    return Alert(**{**whole, "raised_at": NOW, **fields})


def test_an_alert_is_read_back_as_it_was_kept() -> None:
    """A document holds all of it, instants as text."""
    alert = an_alert(
        run="night@2026-11-23T22:00:00Z",
        facts=[Fact("zones", "door")],
        acknowledged=Closing("somebody", NOW + SECOND, "on my way"),
    )
    put = raising("a", alert)
    assert (put.namespace, put.key, put.expected_version) == ("alert", "a", 0)
    assert put.body is not None
    assert put.body["raised_at"] == "2026-11-23T22:00:00Z"
    assert read_alert("a", put.body) == alert
    assert changing("a", 3, alert).expected_version == 3


def test_what_can_be_done_is_kept_where_there_is_something() -> None:
    """A document of a version that knows of no actions is read, and one that has none is as it was before."""
    plain = raising("a", an_alert()).body
    assert plain is not None
    assert "actions" not in plain
    assert read_alert("a", plain) == an_alert()
    press = Action(name="skip", argv=("trioarm", "skip"), broker="home", topic="a/b", payload="PRESS")
    alert = an_alert(actions=[Action(name="skip", argv=("trioarm", "skip")), press])
    body = raising("a", alert).body
    assert body is not None
    assert read_alert("a", body) == alert
    assert len(an_alert(actions=[press] * 2 * ACTIONS_MAX).actions) == ACTIONS_MAX


def test_what_people_read_is_one_line_of_bounded_length() -> None:
    """Names of zones come from a panel: neither a line break nor their number makes a message unreadable."""
    alert = an_alert(text="two\nlines", advice="z" * 2 * TEXT_MAX, facts=[Fact("n", "a\tb")] * 2 * FACTS_MAX)
    assert (alert.text, len(alert.advice), alert.advice[-1]) == ("two lines", TEXT_MAX, "…")
    assert alert.facts == (Fact("n", "a b"),) * FACTS_MAX


def test_it_is_open_until_it_is_acknowledged_or_resolved() -> None:
    """Resolved says more than acknowledged; the later of both is when it was done with."""
    seen, over = Closing("somebody", NOW + 5), Closing("schedule:night/house", NOW + 9)
    assert (an_alert().state, an_alert().closed_at) == (AlertState.OPEN, None)
    acknowledged = an_alert(acknowledged=seen)
    assert (acknowledged.state, acknowledged.closed_at) == (AlertState.ACKNOWLEDGED, NOW + 5)
    both = attrs.evolve(acknowledged, resolved=over)
    assert (both.state, both.closed_at) == (AlertState.RESOLVED, NOW + 9)


def test_who_closes_one_is_in_the_journal_with_it() -> None:
    """One change: the alert as it is then, over the version that was read, and an entry on who, when and why."""
    how = Closing("schedule:night", NOW + SECOND, "it is armed")
    closed = an_alert(resolved=how)
    change = closing("a", 3, closed, "resolved", how)
    [put] = change.documents
    assert (put.namespace, put.key, put.expected_version) == ("alert", "a", 3)
    assert put.body is not None
    assert {**put.body, "actions": []} == to_json(closed)
    [entry] = change.journal
    assert (entry.namespace, entry.at) == ("alert", NOW + SECOND)
    assert entry.body == {"actor": "schedule:night", "verb": "resolved", "alert": "a", "note": "it is armed"}


def test_an_id_belongs_to_one_kind_of_one_run() -> None:
    """Schedule, instant, origin, epoch, kind and subject each make another id; when it is made does not."""
    run = a_run()
    made = alert_id("partition/house", "arm_failed", run)
    assert made == "partition/house:arm_failed#1@2026-11-23T22:00:00Z"
    others = [
        alert_id("partition/shed", "arm_failed", run),
        alert_id("partition/house", "overridden", run),
        alert_id("partition/house", "arm_failed", a_run(a_record(key=2))),
        alert_id("partition/house", "arm_failed", a_run(nominal_at=NOW + 1)),
        alert_id("partition/house", "arm_failed", a_run(origin=Origin.MANUAL)),
        alert_id("partition/house", "arm_failed", a_run(epoch=1)),
    ]
    assert len({made, *others}) == 7
    assert alert_id("partition/house", "arm_failed", a_run(a_record(a_schedule("other")), token=4)) == made
    assert made.startswith(alerts_of("partition/house"))
    assert not alert_id("partition/house/attic", "arm_failed", run).startswith(alerts_of("partition/house"))


def test_what_cannot_be_understood_is_shown_as_that() -> None:
    """A document that is no alert says what is wrong with it and where it lies."""
    stored = stored_alert("x", {"subject": "partition/house"})
    assert (stored.state, stored.alert) == (AlertState.UNREADABLE, None)
    assert "document alert/x.kind: is missing" in (stored.problem or "")
    with pytest.raises(RepositoryError, match="severity"):
        read_alert("x", {**(raising("x", an_alert()).body or {}), "severity": "loud"})
    assert StoredAlert("x", an_alert()).state is AlertState.OPEN


def test_a_change_raises_the_alerts_that_are_new_in_it() -> None:
    """Alerts that are changed or removed, and documents of others, are not raised."""
    alert = an_alert()
    documents = [
        raising("a", alert),
        changing("b", 1, alert),
        PutDocument("alert", "c", 0, None),
        PutDocument("panel", "d", 0, {}),
        PutDocument("alert", "e", 0, {}),
    ]
    a, e = raised_by(documents)
    assert (a, e.id, e.state) == (StoredAlert("a", alert), "e", AlertState.UNREADABLE)
    assert no_alerts(Change()) == ()


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_has_a_size(limit: int) -> None:
    """A question for no rows or for too many is refused."""
    with pytest.raises(ValueError, match="'limit' must be"):
        AlertQuery(limit=limit)
