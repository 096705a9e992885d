"""Whole nodes that ask real brokers, servers and programs before they arm, and find out the same after a crash."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from tests.cli.programs import said, started
from tests.config.writing import config_of, write
from tests.crash.node import Place
from tests.crash.papers import papers_of
from tests.links.broker import a_broker
from tests.links.fake_home_assistant import TOKEN, a_home_assistant, until
from trioarm import open_scheduler
from trioarm.arming.audit import AUDIT
from trioarm.arming.conditions.verdict import Truth
from trioarm.arming.installation import Installation
from trioarm.arming.ledger import COMMANDS
from trioarm.bootstrap import scheduler_components
from trioarm.core.alerts import AlertQuery
from trioarm.core.run import Run
from trioarm.core.states import Reason, State
from trioarm.engine.scheduler import Scheduler

WITHIN_S = 60.0  # for anything, on a busy machine
HOUSE = """
[scheduler]
store = "sqlite:///trioarm.db"
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "EXIT" }
"""
EVENING = """
[[schedule]]
name = "evening"
partition = "house"
target = "armed_away"
once = "2999-01-01T22:00:00Z"
"""
PRESENCE = """
[mqtt.home]
host = "127.0.0.1"
port = PORT
[condition.somebody_home]
kind = "mqtt"
broker = "home"
topic = "presence/house"
path = "present"
yes = ["true"]
no = ["false"]
timeout = "TIMEOUT"
"""


def presence(port: int, more: str, *, exit_delay: str = "0s", timeout: str = "10s") -> str:
    text = HOUSE + PRESENCE + EVENING + more
    for word, meant in (("PORT", str(port)), ("TIMEOUT", timeout), ("EXIT", exit_delay)):
        text = text.replace(word, meant)
    return text


@attrs.frozen
class House:
    scheduler: Scheduler
    installation: Installation

    async def evening(self) -> Run:
        """Let it be evening, and return what became of it."""
        fired = await self.scheduler.runs.fire("evening/house")
        with trio.fail_after(WITHIN_S):
            return await self.scheduler.runs.wait(fired.id)

    async def reported(self) -> str:
        return (await self.installation.reported("house")).state.value

    async def until(self, condition: str, truth: Truth) -> None:
        """Return once a condition says so: what was published is on its way."""
        with trio.fail_after(WITHIN_S):
            while True:
                if (await self.installation.conditions.ask([condition]))[condition].truth is truth:
                    return
                await trio.sleep(0.01)

    async def alerts(self) -> list[str]:
        page = await self.scheduler.alerts.find(AlertQuery(states=None))
        return [stored.alert.kind for stored in page.rows if stored.alert is not None]


@asynccontextmanager
async def a_house(folder: Path, text: str) -> AsyncIterator[House]:
    container = scheduler_components(config_of(folder, text))
    async with open_scheduler(container=container) as scheduler:
        yield House(scheduler, container.get(Installation))


async def test_somebody_who_is_home_is_heard_of_at_the_broker(tmp_path: Path) -> None:
    """Another mode while somebody is, away once nobody is; each evening asks anew."""
    with a_broker(tmp_path) as broker:
        broker.put("presence/house", '{"present": true}', retain=True)
        more = 'not_if = "somebody_home"\notherwise = "armed_night"'
        async with a_house(tmp_path, presence(broker.port, more)) as house:
            run = await house.evening()
            assert run.state is State.SUCCEEDED
            assert run.result == {"partition": "house", "reported": "armed_night", "sends": 1}
            broker.put("presence/house", '{"present": false}', retain=True)
            await house.until("somebody_home", Truth.NO)
            run = await house.evening()
            assert run.result == {"partition": "house", "reported": "armed_away", "sends": 1}
            assert await house.alerts() == []


@pytest.mark.parametrize(
    ("on_unknown", "state", "reported", "alerts"),
    [
        ("proceed", State.SUCCEEDED, "armed_away", ["condition_unknown"]),
        ("block", State.FAILED, "disarmed", ["arm_failed"]),
    ],
)
async def test_a_broker_that_is_away_keeps_nobody_waiting(
    on_unknown: str, state: State, reported: str, alerts: list[str], tmp_path: Path
) -> None:
    """Within the limit it is armed or not, as was wanted; and people are told."""
    with a_broker(tmp_path) as broker:
        broker.kill()
        more = f'not_if = "somebody_home"\non_unknown = "{on_unknown}"'
        async with a_house(tmp_path, presence(broker.port, more, timeout="1s")) as house:
            run = await house.evening()
            assert (run.state, await house.reported(), await house.alerts()) == (state, reported, alerts)
            assert run.started_at is not None
            assert run.finished_at is not None
            assert (run.finished_at - run.started_at).total_seconds() < 20


async def test_an_entity_of_home_assistant_keeps_it_from_arming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`home` leaves it, `unavailable` does not: arming proceeds where nobody can tell."""
    monkeypatch.setenv("HOME_TOKEN", TOKEN)
    async with a_home_assistant() as home:
        home.put("group.family", "home")
        text = (
            HOUSE.replace("EXIT", "0s")
            + f'[homeassistant.home]\nurl = "{home.url}"\ntoken = {{ env = "HOME_TOKEN" }}\n'
            '[condition.family]\nkind = "homeassistant"\ninstance = "home"\nentity = "group.family"\n'
            f'yes = ["home"]\nno = ["not_home"]\n{EVENING}not_if = "family"\n'
        )
        async with a_house(tmp_path, text) as house:
            run = await house.evening()
            assert (run.state, run.reason) == (State.OVERRIDDEN, Reason.CONDITION)
            assert run.error == 'house was not made armed_away: family says yes (group.family is "home")'
            home.put("group.family", "unavailable")
            await house.until("family", Truth.UNKNOWN)
            assert (await house.evening()).state is State.SUCCEEDED
            assert await house.alerts() == ["condition_unknown"]
            assert await house.reported() == "armed_away"


RUN = ("-m", "trioarm", "run")


async def test_a_node_that_begins_again_asks_again(tmp_path: Path) -> None:
    """Killed while a program takes its time to answer: the next one asks anew, and nothing was sent in between."""
    answer = tmp_path / "answer"
    script = f"""if [ -e "{answer}" ]; then exit 1; fi; touch "{tmp_path / "asked"}"; sleep 600"""
    condition = f"[condition.out]\nkind = 'command'\nrun = ['sh', '-c', '''{script}''']\ntimeout = '20s'\n"
    write(tmp_path, HOUSE.replace("EXIT", "0s") + condition + EVENING + 'only_if = "out"\n')
    async with started(tmp_path, RUN) as program:
        await program.line_with("house: disarmed")
        await said(tmp_path, "schedules", "fire", "evening/house")
        await until((tmp_path / "asked").exists)
        program.process.kill()
        await program.process.wait()
    answer.touch()
    async with started(tmp_path, RUN) as program:
        line = await program.line_with("evening/house  overridden")
        assert "a condition says no" in line
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")
    kept = await papers_of(Place(tmp_path).store)
    [run] = kept.runs
    assert (run.state, run.reason, run.attempt) == (State.OVERRIDDEN, Reason.CONDITION, 2)
    assert (COMMANDS, "house") not in kept.documents
    [entry] = kept.journals[AUDIT]
    assert (entry["verb"], entry["reason"]) == ("arm_left", "out says no (sh ended with 1)")


async def test_kill_9_after_the_command_confirms_what_was_sent(tmp_path: Path) -> None:
    """Though whoever was home has left by then: what was commanded is on record, and is not sent again (A3.5)."""
    gone = tmp_path / "gone"
    condition = f"[condition.out]\nkind = 'command'\nrun = ['test', '-e', '{gone}']\n"
    text = HOUSE.replace("EXIT", "12s") + condition + EVENING + 'only_if = "out"\notherwise = "armed_night"\n'
    write(tmp_path, text)
    async with started(tmp_path, RUN) as program:
        await program.line_with("house: disarmed")
        await said(tmp_path, "schedules", "fire", "evening/house")
        await program.line_with("house: arming (armed_night)")
        program.process.kill()
        await program.process.wait()
    gone.touch()
    async with started(tmp_path, RUN) as program:
        await program.line_with("evening/house  succeeded")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")
    kept = await papers_of(Place(tmp_path).store)
    [run] = kept.runs
    assert run.result == {"partition": "house", "reported": "armed_night", "sends": 1}
    [entry] = kept.journals[AUDIT]
    assert "armed_night instead of armed_away: as conditions said before it was sent" in str(entry["reason"])
