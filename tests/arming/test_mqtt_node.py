"""Whole nodes that arm a panel at a real broker, in real time: lost commands, lost brokers, and panels gone astray."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from tests.arming.panels.mqtt_alarm import COMMAND, EVENT, STATE
from tests.arming.panels.mqtt_panels import an_alarm
from tests.cli.programs import said, started
from tests.crash.node import Place
from tests.crash.papers import papers_of
from tests.links.broker import Mosquitto, a_broker, a_link, subscribed
from trioarm import open_scheduler
from trioarm.arming.audit import AUDIT
from trioarm.arming.installation import Installation
from trioarm.arming.ledger import COMMANDS
from trioarm.arming.model import Reported
from trioarm.components import scheduler_components
from trioarm.config import SchedulerConfig
from trioarm.core.events import RunRequeued
from trioarm.core.run import Run
from trioarm.core.states import Reason, State
from trioarm.engine.scheduler import Scheduler
from trioarm.links.mqtt import Message

WITHIN_S = 60.0  # for anything, on a busy machine
LINE = '{"action": "{action}", "code": "{code}"}'

EVENING = """
[site.home]
timezone = "Europe/Prague"

[scheduler]
store = "sqlite:///trioarm.db"

[mqtt.home]
host = "127.0.0.1"
port = PORT

[partition.house]
site = "home"
confirm = "CONFIRM"
min_gap = "0s"

[partition.house.panel]
kind = "mqtt"
broker = "home"
preset = "PRESET"
state_topic = "alarm/state"
command_topic = "alarm/command"
exit_delay = "EXIT"
MORE

[[schedule]]
name = "evening"
partition = "house"
target = "armed_away"
once = "2999-01-01T22:00:00Z"
"""


def written(folder: Path, port: int, *, exit_delay: str = "1s", confirm: str = "5s", preset: str, more: str) -> Path:
    path = folder / "scheduler.toml"
    words = {"PORT": str(port), "CONFIRM": confirm, "PRESET": preset, "EXIT": exit_delay, "MORE": more}
    text = EVENING
    for word, meant in words.items():
        text = text.replace(word, meant)
    path.write_text(text)
    return path


@attrs.define
class House:
    """A node, and what is at its broker."""

    scheduler: Scheduler
    installation: Installation
    heard: list[Message]
    _moved: trio.Event = attrs.Factory(trio.Event)

    async def listen(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self.heard.append(message)
            self._moved.set()

    async def hears(self, holds: Callable[[Message], bool]) -> None:
        """Return once something was published of which that holds."""
        with trio.fail_after(WITHIN_S):
            while not any(map(holds, self.heard)):
                self._moved = trio.Event()
                await self._moved.wait()

    async def hears_state(self, state: str) -> None:
        await self.hears(lambda message: (message.topic, message.payload) == (STATE, state.encode()))

    async def reports(self, state: Reported) -> None:
        """Return once the driver says so."""
        with trio.fail_after(WITHIN_S):
            while (await self.installation.reported("house")).state is not state:
                await self.installation.panels["house"].changed()

    async def fire(self) -> Run:
        return await self.scheduler.runs.fire("evening/house")

    async def end_of(self, run: Run) -> Run:
        with trio.fail_after(WITHIN_S):
            return await self.scheduler.runs.wait(run.id)

    async def alerts(self) -> list[str]:
        page = await self.scheduler.alerts.find()
        return [stored.alert.text for stored in page.rows if stored.alert is not None]


@asynccontextmanager
async def a_house(
    broker: Mosquitto, *, preset: str = "manual_mqtt", more: str = "", exit_delay: str = "1s", confirm: str = "5s"
) -> AsyncIterator[House]:
    """Run a node whose panel is at a broker, and listen there."""
    path = written(broker.directory, broker.port, preset=preset, more=more, exit_delay=exit_delay, confirm=confirm)
    container = scheduler_components(SchedulerConfig.from_file(path, environ={}))
    async with (
        open_scheduler(container=container) as scheduler,
        a_link(broker.settings()) as observer,
        subscribed(observer, "#") as messages,
        trio.open_nursery() as nursery,
    ):
        house = House(scheduler, container.get(Installation), [])
        nursery.start_soon(house.listen, messages)
        yield house
        nursery.cancel_scope.cancel()


async def retained_by(broker: Mosquitto) -> dict[str, bytes]:
    """Return what a broker keeps for whoever subscribes later."""
    found = {}
    async with a_link(broker.settings()) as link, subscribed(link, "#") as messages:
        await link.publish("the/end", b"", within_s=WITHIN_S)
        async for message in messages:
            if message.topic == "the/end":
                return found
            if message.is_retained:
                found[message.topic] = message.payload
    return found


async def test_it_succeeds_only_after_the_panel_says_armed(tmp_path: Path) -> None:
    """`pending` is the way there, the run works on through it; one command, which the broker does not keep (A3.6)."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=1.0) as alarm:
        async with a_house(broker) as house:
            fired = await house.fire()
            await house.hears_state("pending")
            run = await house.scheduler.runs.get(fired.id)
            assert run.state in (State.CLAIMED, State.RUNNING)
            assert "armed_away" not in [message.payload.decode() for message in house.heard]
            run = await house.end_of(fired)
            assert (run.state, run.attempt) == (State.SUCCEEDED, 1)
            assert run.result == {"partition": "house", "reported": "armed_away", "sends": 1}
            await house.hears_state("armed_away")
        assert await retained_by(broker) == {STATE: b"armed_away"}
        assert alarm.heard == ["ARM_AWAY"]


async def test_who_kills_the_broker_in_between_causes_no_second_command(tmp_path: Path) -> None:
    """What was known is not believed without a connection; after it has come back the panel itself confirms (A3.5)."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=2.0) as alarm:
        async with a_house(broker, exit_delay="2s", confirm="20s") as house:
            fired = await house.fire()
            await house.hears_state("pending")
            broker.kill()
            broker.start()
            run = await house.end_of(fired)
            assert run.state is State.SUCCEEDED
            assert run.result == {"partition": "house", "reported": "armed_away", "sends": 1}
        assert alarm.heard == ["ARM_AWAY"]


async def test_a_lost_command_is_sent_again_after_its_time(tmp_path: Path) -> None:
    """Not before exit delay and confirmation are over, and after a fresh read (A3.2)."""
    with a_broker(tmp_path) as broker, an_alarm(broker, drops=1) as alarm:
        async with a_house(broker, confirm="1s") as house:
            run = await house.end_of(await house.fire())
            assert run.state is State.SUCCEEDED
            assert run.result == {"partition": "house", "reported": "armed_away", "sends": 2}
            assert run.started_at is not None
            assert run.finished_at is not None
            assert (run.finished_at - run.started_at).total_seconds() >= 2  # exit delay and confirmation
        assert alarm.heard == ["ARM_AWAY", "ARM_AWAY"]


async def test_a_panel_that_lags_is_waited_for(tmp_path: Path) -> None:
    """Within its time, nothing is sent again."""
    with a_broker(tmp_path) as broker, an_alarm(broker, lag_s=1.5, exit_delay_s=0.2) as alarm:
        async with a_house(broker, confirm="20s") as house:
            run = await house.end_of(await house.fire())
            assert (run.state, run.attempt) == (State.SUCCEEDED, 1)
        assert alarm.heard == ["ARM_AWAY"]


async def test_a_wrong_code_of_which_nobody_tells_ends_after_three_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each had its time; then people are told, and never the code (A3.2, A3.4, A5.2)."""
    caplog.set_level(logging.DEBUG, logger="trioarm")
    monkeypatch.setitem(os.environ, "HOUSE_CODE", "9x210")
    more = f"code = {{ env = \"HOUSE_CODE\" }}\ncommand_template = '{LINE}'"
    with a_broker(tmp_path) as broker, an_alarm(broker, code="0042") as alarm:
        async with a_house(broker, confirm="1s", exit_delay="0s", more=more) as house:
            run = await house.end_of(await house.fire())
            assert run.state is State.FAILED
            [alert] = await house.alerts()
            assert "3 commands had no effect: the panel still reports disarmed" in alert
        assert alarm.heard == ['{"action": "ARM_AWAY", "code": "9x210"}'] * 3
    assert "9x210" not in alert + str(run) + caplog.text


@pytest.mark.parametrize("code", ["9x210", None])
async def test_a_wrong_code_of_which_the_panel_tells_ends_it_at_once(
    code: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command, and no other (A3.3)."""
    monkeypatch.setitem(os.environ, "HOUSE_CODE", code or "")
    more = f'event_topic = "{EVENT}"\n' + ('code = { env = "HOUSE_CODE" }' if code else "")
    with a_broker(tmp_path) as broker, an_alarm(broker, "alarmo", code="0042") as alarm:
        async with a_house(broker, preset="alarmo", more=more) as house:
            run = await house.end_of(await house.fire())
            assert run.state is State.FAILED
            [alert] = await house.alerts()
            assert ("refuses the code" if code else "wants a code") in alert
        assert len(alarm.heard) == 1


async def test_zones_that_stand_open_are_named(tmp_path: Path) -> None:
    """As the panel names them, to whoever is told."""
    more = f'event_topic = "{EVENT}"'
    with a_broker(tmp_path) as broker, an_alarm(broker, "alarmo") as alarm:
        alarm.press(open=["Kitchen window", "Cellar"])
        async with a_house(broker, preset="alarmo", more=more) as house:
            run = await house.end_of(await house.fire())
            assert run.state is State.FAILED
            [alert] = await house.alerts()
            assert "Kitchen window, Cellar" in alert
        assert len(alarm.heard) == 1


async def test_a_panel_that_goes_back_is_left_alone(tmp_path: Path) -> None:
    """It had obeyed, so it was somebody's will (A3.7)."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=1.0, reverts=True) as alarm:
        async with a_house(broker) as house:
            run = await house.end_of(await house.fire())
            assert run.state is State.FAILED
            [alert] = await house.alerts()
            assert "on its way to armed_away the panel went to disarmed" in alert
        assert alarm.heard == ["ARM_AWAY"]


async def test_a_panel_that_is_started_again_is_left_alone(tmp_path: Path) -> None:
    """It has forgotten everything, and shows itself disarmed: told, and not armed behind the back of whoever did it."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=30.0) as alarm:
        async with a_house(broker, exit_delay="30s") as house:
            fired = await house.fire()
            await house.reports(Reported.ARMING)
            await trio.testing.wait_all_tasks_blocked(0.1)  # the run has seen it, too
            alarm.kill()
            alarm.start()
            run = await house.end_of(fired)
            assert run.state is State.FAILED
        assert alarm.heard == ["ARM_AWAY"]


async def test_a_broker_that_is_away_keeps_no_node_from_starting(tmp_path: Path) -> None:
    """It is tried again for as long as the run may be carried out, and told of once."""
    with a_broker(tmp_path) as broker:
        broker.kill()
        path = written(tmp_path, broker.port, preset="manual_mqtt", more='timeout = "1s"')
        config = SchedulerConfig.from_file(path, environ={})
        with trio.fail_after(WITHIN_S):
            async with open_scheduler("memory://", config=config) as scheduler:
                with scheduler.subscribe(RunRequeued) as events:
                    fired = await scheduler.runs.fire("evening/house")
                    await anext(events)
                [stored] = (await scheduler.alerts.find()).rows
                assert stored.alert is not None
                assert "connection refused" in stored.alert.text
                broker.start()
                with an_alarm(broker) as alarm:
                    run = await scheduler.runs.wait(fired.id)
                    assert run.state is State.SUCCEEDED
                    assert alarm.heard == ["ARM_AWAY"]


RUN = ("-m", "trioarm", "run", "--set", "log.level=debug")


async def test_kill_9_between_sending_and_confirming_sends_nothing_again(tmp_path: Path) -> None:
    """Whoever comes after reads `pending`, knows from what was kept that it is its own exit delay, and waits (A6.2)."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=12.0) as alarm:
        written(tmp_path, broker.port, preset="manual_mqtt", more="", exit_delay="12s", confirm="30s")
        async with started(tmp_path, RUN) as program:
            await program.line_with("house: disarmed")
            await said(tmp_path, "schedules", "fire", "evening/house")
            await program.line_with("house: arming (armed_away)")
            program.process.kill()
            await program.process.wait()
        command = (await papers_of(Place(tmp_path).store)).documents[COMMANDS, "house"]
        assert command["sends"] == 1
        async with started(tmp_path, RUN) as program:
            await program.line_with("house: arming (armed_away)")
            line = await program.line_with("evening/house  succeeded")
            assert "attempt 2, begun again after its node was lost" in line
            program.process.send_signal(signal.SIGTERM)
            assert await program.end() == (0, "")
        kept = await papers_of(Place(tmp_path).store)
        [run] = kept.runs
        assert (run.state, run.reason, run.attempt) == (State.SUCCEEDED, Reason.RECOVERED, 2)
        assert run.result == {"partition": "house", "reported": "armed_away", "sends": 1}
        [entry] = kept.journals[AUDIT]
        assert (entry["before"], entry["after"]) == ("arming", "armed_away")
        assert alarm.heard == ["ARM_AWAY"]


async def test_commands_of_people_reach_it_with_no_node_running(tmp_path: Path) -> None:
    """They connect for as long as they take, read, command and wait for the panel; a listing reads alone."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=0.5) as alarm:
        written(tmp_path, broker.port, preset="manual_mqtt", more="", exit_delay="1s")
        assert "disarmed" in await said(tmp_path, "partitions", "list")
        out = await said(tmp_path, "partitions", "arm", "house", "--target", "night", "--as", "anna")
        assert "armed_night" in out
        assert "armed_night" in await said(tmp_path, "partitions", "show", "house")
        assert "disarmed" in await said(tmp_path, "partitions", "disarm", "house", "--as", "anna")
        assert alarm.heard == ["ARM_NIGHT", "DISARM"]
        assert COMMAND not in await retained_by(broker)
