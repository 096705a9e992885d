"""Whole nodes that arm through Home Assistant: a run is what the entity itself reports, whatever the way to it does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

import trioarm
from tests.config.writing import config_of
from tests.links.fake_home_assistant import HOUSE, TOKEN, FakeHomeAssistant, Panel, Socket, a_home_assistant, until
from trioarm.core.alerts import Alert, AlertQuery
from trioarm.core.queries import RunQuery
from trioarm.core.run import Run
from trioarm.core.states import FINAL
from trioarm.engine.scheduler import Scheduler

CODE = "00x42-öäü"
LOOK_S = 0.05  # between two looks into the store
WITHIN_S = 60.0  # real seconds for a whole run, on a busy machine
EVENING = "evening/house"


@attrs.frozen
class Evening:
    """A node, the instance it arms through, and the file with its token."""

    scheduler: Scheduler
    home: FakeHomeAssistant
    token: Path

    async def fire(self) -> str:
        """Begin the run of the evening, and return its name."""
        return (await self.scheduler.runs.fire(EVENING)).id

    async def end(self, run: str) -> Run:
        """Return the run once it has ended."""
        with trio.fail_after(WITHIN_S):
            return await self.scheduler.runs.wait(run)

    async def all_ended(self, runs: int) -> None:
        """Return once there were so many runs of the evening, and each of them has ended."""
        with trio.fail_after(WITHIN_S):
            while True:
                states = [run.state for run in (await self.scheduler.runs.find(RunQuery(schedule=EVENING))).rows]
                if len(states) == runs and all(state in FINAL for state in states):
                    return
                await trio.sleep(LOOK_S)

    async def alerts(self, kind: str) -> list[Alert]:
        """Return the alerts of a kind, closed ones too."""
        page = await self.scheduler.alerts.find(AlertQuery(states=None, limit=100))
        return [row.alert for row in page.rows if row.alert is not None and row.alert.kind == kind]

    async def alerted(self, kind: str, count: int = 1) -> list[Alert]:
        """Return the alerts of a kind, once there are so many."""
        with trio.fail_after(WITHIN_S):
            while len(alerts := await self.alerts(kind)) < count:  # noqa: ASYNC110
                await trio.sleep(LOOK_S)
        return alerts


@asynccontextmanager
async def an_evening(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    panel: Panel,
    *,
    exit_delay: str = "0s",
    confirm: str = "20s",
    more: str = "",
    of_panel: str = "",
    has_websocket: bool = True,
) -> AsyncIterator[Evening]:
    """Run an instance and a node that has connected to it."""
    monkeypatch.setenv("HOUSE_CODE", CODE)
    monkeypatch.setenv("HOME_TOKEN", TOKEN)
    said = f'exit_delay = "{exit_delay}"{of_panel}'
    token = folder / "home.token"
    token.write_text(f"{TOKEN}\n")
    async with a_home_assistant(panel) as home:
        home.has_websocket = has_websocket
        text = f"""
            [executor]
            retry_delay_base = "100ms"
            [site.home]
            timezone = "UTC"
            [homeassistant.home]
            url = "{home.url}"
            token = {{ file = "{token}" }}
            [partition.house]
            site = "home"
            min_gap = "0s"
            confirm = "{confirm}"
            panel = {{ kind = "homeassistant", instance = "home", entity = "{HOUSE}", {said} }}
            code = {{ env = "HOUSE_CODE" }}
            {more}
            [[schedule]]
            name = "evening"
            partition = "house"
            target = "armed_away"
            every = "24h"
            """
        async with trioarm.open_scheduler(config=config_of(folder, text)) as scheduler:
            await until(lambda: home.connections == (1 if has_websocket else 0))
            yield Evening(scheduler, home, token)


async def test_it_is_armed_and_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One command with the code, over the one WebSocket; it succeeds once the exit delay is over. No secret is told."""
    caplog.set_level(logging.DEBUG)
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE, exit_delay_s=0.3)) as evening:
        run = await evening.end(await evening.fire())
        assert run.state == "succeeded", run.error
        assert run.result == {"partition": "house", "reported": "armed_away", "sends": 1}
        assert [(over, service, data["code"]) for over, service, data in evening.home.calls] == [
            ("websocket", "alarm_arm_away", CODE)
        ]
        assert [path for _, path in evening.home.requests] == ["/api/websocket"]
    assert TOKEN not in caplog.text
    assert CODE not in caplog.text
    assert "connected to Home Assistant at http://127.0.0.1" in caplog.text


async def test_it_is_armed_over_rest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something on the way lets no WebSocket through: read until it is armed."""
    panel = Panel(code=CODE, exit_delay_s=0.3)
    async with an_evening(tmp_path, monkeypatch, panel, exit_delay="1m", has_websocket=False) as evening:
        run = await evening.end(await evening.fire())
        assert run.state == "succeeded", run.error
        assert [(over, service) for over, service, _ in evening.home.calls] == [("rest", "alarm_arm_away")]


async def test_trouble_of_an_integration_is_tried_again_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its device may do a moment later is tried three times, each after a fresh read, and then people are told."""
    panel = Panel(code=CODE, trouble="the cloud does not answer")
    async with an_evening(tmp_path, monkeypatch, panel, confirm="1s") as evening:
        run = await evening.end(await evening.fire())
        assert run.state == "failed"
        assert evening.home.sent() == 3
        [alert] = await evening.alerts("unreachable")
        assert "it refuses: the cloud does not answer (home_assistant_error)" in str(alert)
        assert len(await evening.alerts("arm_failed")) == 1


async def test_a_call_that_does_nothing_is_sent_three_times_and_alerted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success of the service counts for nothing: it is read, sent again after its time, and people are told (A3.2)."""
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE, deaf=None), confirm="1s") as evening:
        run = await evening.end(await evening.fire())
        assert run.state == "failed"
        assert "3 commands had no effect: the panel still reports disarmed" in (run.error or "")
        assert evening.home.sent() == 3
        assert len(await evening.alerts("arm_failed")) == 1


async def test_a_call_that_is_not_heard_at_first_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fresh read, and once more only."""
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE, deaf=1), confirm="1s") as evening:
        run = await evening.end(await evening.fire())
        assert run.state == "succeeded", run.error
        assert evening.home.sent() == 2
        assert await evening.alerts("arm_failed") == []


async def test_a_restart_in_the_middle_is_waited_for_and_nothing_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was armed, then went away, came back without the entity, and reports armed at last: one command."""
    panel = Panel(code=CODE, exit_delay_s=120)
    async with an_evening(tmp_path, monkeypatch, panel, exit_delay="2m") as evening:
        home, run = evening.home, await evening.fire()
        await until(lambda: home.states[HOUSE]["state"] == "arming")
        await home.stop()
        home.states["sun.sun"] = {"entity_id": "sun.sun", "state": "below_horizon"}  # so much is there
        await home.start(is_ready=False)
        await until(lambda: home.connections == 1)
        home.put(HOUSE, "unavailable", restored=True)
        home.put(HOUSE, "unknown")
        home.ready()
        ended = await evening.end(run)
        assert ended.state == "succeeded", ended.error
        assert home.sent() == 1
        assert await evening.alerts("overridden") == []


async def test_a_command_whose_answer_is_lost_is_read_before_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is cut between the command and its answer: it worked, so nothing is sent again."""
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE)) as evening:
        evening.home.loses_answers = True
        run = await evening.end(await evening.fire())
        assert run.state == "succeeded", run.error
        assert evening.home.sent() == 1


async def test_a_wrong_code_ends_the_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One command, one alert in words of Home Assistant; no secret in it, in metrics or in answers (A3.3, A5.2)."""
    caplog.set_level(logging.DEBUG)
    async with an_evening(tmp_path, monkeypatch, Panel(code="1234")) as evening:
        run = await evening.end(await evening.fire())
        assert run.state == "failed"
        assert "Invalid alarm code provided" in (run.error or "")
        assert evening.home.sent() == 1
        [alert] = await evening.alerts("arm_failed")
        node = evening.scheduler
        answers = [node.metrics(), await node.health(), await node.statistics(), await node.explain(EVENING)]
        for secret in (CODE, TOKEN, "00x42"):
            assert secret not in f"{alert} {run} {answers} {caplog.text}"


async def test_an_open_zone_ends_the_run_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alarmo takes the command and stays disarmed: the sensor is named as people know it."""
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE)) as evening:
        evening.home.open_sensor("binary_sensor.kitchen_window")
        run = await evening.end(await evening.fire())
        assert run.state == "failed"
        assert "zones are open: Kitchen window" in (run.error or "")
        [alert] = await evening.alerts("arm_failed")
        assert "Kitchen window" in str(alert)
        evening.home.close_sensor("binary_sensor.kitchen_window")  # Alarmo still remembers it
        run = await evening.end(await evening.fire())
        assert run.state == "succeeded", run.error


async def test_a_zone_that_opens_on_the_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alarmo gives up at the end of its exit delay: it is not armed, and people are told what stands open."""
    panel = Panel(code=CODE, exit_delay_s=0.5)
    async with an_evening(tmp_path, monkeypatch, panel, exit_delay="1m") as evening:
        run = await evening.fire()
        await until(lambda: evening.home.states[HOUSE]["state"] == "arming")
        evening.home.open_sensor("binary_sensor.kitchen_window")
        ended = await evening.end(run)
        assert ended.state == "failed"
        assert "the panel went to disarmed, and zones are open: Kitchen window" in (ended.error or "")
        assert evening.home.sent() == 1


async def test_a_restart_after_it_was_due_is_no_persons_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All states are as old as the start, which is later than the run was due: it is armed all the same."""
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE)) as evening:
        await evening.home.stop()
        run = await evening.fire()
        await evening.alerted("unreachable")
        await evening.home.start()
        ended = await evening.end(run)
        assert ended.state == "succeeded", ended.error
        assert evening.home.sent() == 1
        assert await evening.alerts("overridden") == []


async def test_what_a_restart_disarmed_is_armed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A panel that forgets is armed as it was, by the schedule that had done so; what a person does after it stays."""
    wanted, forgets = 'drift = "reassert"', ", forgets = true"
    async with an_evening(tmp_path, monkeypatch, Panel(code=CODE), more=wanted, of_panel=forgets) as evening:
        assert (await evening.end(await evening.fire())).state == "succeeded"
        await evening.home.fall_back()
        await until(lambda: evening.home.sent() == 2)
        await evening.all_ended(2)
        assert evening.home.states[HOUSE]["state"] == "armed_away"
        assert await evening.alerts("overridden") == []
        evening.home.press("disarmed")
        await evening.alerted("overridden")
        assert evening.home.sent() == 2


async def test_what_a_person_did_after_it_was_due_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Armed by us, disarmed at the keypad on the way: it is left as it is (A3.7)."""
    panel = Panel(code=CODE, exit_delay_s=120)
    async with an_evening(tmp_path, monkeypatch, panel, exit_delay="2m") as evening:
        run = await evening.fire()
        await until(lambda: evening.home.states[HOUSE]["state"] == "arming")
        evening.home.press("disarmed")
        ended = await evening.end(run)
        assert ended.state == "failed"
        assert "changed by anna: it is left as it is" in (ended.error or "")
        assert evening.home.sent() == 1


async def test_a_token_revoked_in_the_middle_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is shown again once only, people are told what to do, and with a new one the run goes on."""
    panel = Panel(code=CODE, exit_delay_s=0.5)
    async with an_evening(tmp_path, monkeypatch, panel, exit_delay="1m") as evening:
        home, run = evening.home, await evening.fire()
        await until(lambda: home.states[HOUSE]["state"] == "arming")
        home.revoke()
        await until(lambda: "is out of reach" in caplog.text)
        [alert] = await evening.alerts("unreachable")
        assert "it refuses the token: make a long-lived access token" in str(alert)
        assert 1 <= home.refused <= 2  # over REST, perhaps at the same time over a WebSocket
        home.tokens.add("another-token")
        evening.token.write_text("another-token\n")
        ended = await evening.end(run)
        assert ended.state == "succeeded", ended.error
        assert home.sent() == 1
        await until(lambda: home.connections == 1)


async def test_another_that_is_out_of_order_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A house whose instance is silent and a shed whose instance floods are waited for; the garage is armed at once."""

    async def floods(socket: Socket) -> None:
        while True:
            await socket.say(" " * 100_000)

    async with a_home_assistant() as silent, a_home_assistant() as flooding:
        silent.is_silent, flooding.before, flooding.rest = True, floods, lambda *_: (200, b"x" * 10_000_000)
        more = "".join(
            f"""
            [homeassistant.{name}]
            url = "{home.url}"
            token = {{ env = "HOME_TOKEN" }}
            timeout = "1s"
            [partition.{name}]
            site = "home"
            panel = {{ kind = "homeassistant", instance = "{name}", entity = "{HOUSE}" }}
            [[schedule]]
            name = "{name}"
            partition = "{name}"
            target = "armed_away"
            every = "24h"
            """
            for name, home in (("silent", silent), ("flooding", flooding))
        )
        async with an_evening(tmp_path, monkeypatch, Panel(code=CODE), more=more) as evening:
            stuck = [(await evening.scheduler.runs.fire(f"{name}/{name}")).id for name in ("silent", "flooding")]
            run = await evening.end(await evening.fire())
            assert run.state == "succeeded", run.error
            assert run.finished_at is not None
            assert (run.finished_at - run.due_at).total_seconds() < 10
            alerts = await evening.alerted("unreachable", 2)
            said = "".join(sorted(str(alert) for alert in alerts))
            assert "no answer within 1 s" in said
            assert "the answer has more than 262144 bytes" in said
            assert all("\n" not in str(alert) for alert in alerts)
            states = {(await evening.scheduler.runs.get(run)).state.value for run in stuck}
            assert not states & {"succeeded", "failed"}
