"""Panels that misbehave at a real broker, all at once: what the program does, what a person reads, what is on record.

Each is a program of its own, with a client that is not ours; the node is the program, its telephone a real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from tests.arming.panels.mqtt_panels import AlarmProcess, an_alarm
from tests.cli.programs import DEADLINE_S, Program, rows, said, started
from tests.cli.test_secrets import pages
from tests.links.broker import Mosquitto, a_broker
from tests.notify.houses import Inbox, an_inbox

CODE: Final = "90210-wrong"
COMMAND: Final = "ARM_AWAY"
WITH_CODE: Final = """command_template = '{"action": "{action}", "code": "{code}"}'
code = { env = "HOUSE_CODE" }"""
AGAIN: Final = "trioarm partitions arm"
LEFT: Final = "on its way to armed_away the panel went to disarmed: it is left as it is"
NO_EFFECT: Final = "3 commands had no effect: the panel still reports disarmed"
FORGOTTEN: Final = "somebody, or the panel itself, made it disarmed; a schedule had made it armed_away"


@attrs.frozen(kw_only=True)
class Case:
    """A panel, and what has to come of it.

    Args:
        settings: of the program that is the panel.
        panel: of the partition's panel, in the file.
        exit_delay: as the file says.
        confirm: likewise.
        heard: the commands that it hears, in order.
        told: what a person is sent, but for when it was: the title, and each line; None for nothing.
        audit: verb, before, after and reason of each entry.
    """

    settings: dict[str, Any]
    panel: str = 'preset = "manual_mqtt"'
    exit_delay: str = "1s"
    confirm: str = "2s"
    heard: list[str]
    told: list[str] | None
    audit: list[tuple[str, str, str, str]]


def failure(name: str, text: str, advice: str, facts: str) -> list[str]:
    """Return what a person reads of an arming that failed."""
    facts = f"{facts}, last state: disarmed"
    return [f"error: partition/{name}", f"it did not become armed_away: {text}", advice, facts]


CASES: Final = {
    "drops": Case(
        settings={"drops": 1, "exit_delay_s": 0.5},
        heard=[COMMAND] * 2,
        told=None,
        audit=[("arm", "disarmed", "armed_away", "2 sent")],
    ),
    "lags": Case(
        settings={"lag_s": 20, "exit_delay_s": 0.5},
        confirm="60s",
        heard=[COMMAND],
        told=None,
        audit=[("arm", "disarmed", "armed_away", "1 sent")],
    ),
    "refuses": Case(
        settings={"kind": "alarmo"},
        panel='preset = "alarmo"\nevent_topic = "refuses/event"',
        heard=['{"command": "arm_away"}'],
        told=failure(
            "refuses",
            "mqtt home: zones are open: Kitchen window",
            f"close them, then {AGAIN} refuses --target armed_away",
            "zones: Kitchen window, attempts: 1, commands: 1",
        ),
        audit=[("arm_failed", "disarmed", "disarmed", "blocked: mqtt home: zones are open: Kitchen window")],
    ),
    "locked": Case(
        settings={"kind": "alarmo", "code": "0042"},
        panel='preset = "alarmo"\nevent_topic = "locked/event"\ncode = { env = "HOUSE_CODE" }',
        heard=[f'{{"command": "arm_away", "code": "{CODE}"}}'],
        told=failure(
            "locked",
            "mqtt home: the panel refuses the code",
            f"remove the cause, then {AGAIN} locked --target armed_away",
            "attempts: 1, commands: 1",
        ),
        audit=[("arm_failed", "disarmed", "disarmed", "rejected: mqtt home: the panel refuses the code")],
    ),
    "mute": Case(  # it refuses the code, too, and does not say so
        settings={"code": "0042"},
        panel=f'preset = "manual_mqtt"\n{WITH_CODE}',
        heard=[f'{{"action": "{COMMAND}", "code": "{CODE}"}}'] * 3,
        told=failure(
            "mute",
            NO_EFFECT,
            f"look at the panel, then {AGAIN} mute --target armed_away",
            "attempts: 1, commands: 3",
        ),
        audit=[("arm_failed", "disarmed", "disarmed", f"timeout: {NO_EFFECT}")],
    ),
    "reverts": Case(
        settings={"reverts": True, "exit_delay_s": 2.0},
        exit_delay="4s",
        heard=[COMMAND],
        told=failure(
            "reverts",
            LEFT,
            f"if that was not meant, {AGAIN} reverts --target armed_away",
            "attempts: 1, commands: 1",
        ),
        audit=[("arm_failed", "disarmed", "disarmed", f"reverted: {LEFT}")],
    ),
    "restarts": Case(  # on its way
        settings={"exit_delay_s": 60.0},
        exit_delay="60s",
        heard=[COMMAND],
        told=failure(
            "restarts",
            LEFT,
            f"if that was not meant, {AGAIN} restarts --target armed_away",
            "attempts: 1, commands: 1",
        ),
        audit=[("arm_failed", "disarmed", "disarmed", f"reverted: {LEFT}")],
    ),
    "forgets": Case(  # restarts once it is armed, and comes back disarmed
        settings={"exit_delay_s": 0.2},
        heard=[COMMAND],
        told=[
            "warning: partition/forgets",
            f"it did not stay armed_away: {FORGOTTEN}; it is left as it is",
            "do it by hand if it is still wanted",
            "last state: disarmed",
        ],
        audit=[
            ("arm", "disarmed", "armed_away", "1 sent"),
            ("observed", "armed_away", "disarmed", FORGOTTEN),
        ],
    ),
}
TOLD: Final = [name for name, case in CASES.items() if case.told is not None]


def file_of(port: int, inbox: Inbox, cases: Mapping[str, Case]) -> str:
    """Return a configuration with a partition for each case."""
    parts = [
        f"""
        [site.home]
        timezone = "Europe/Prague"
        [scheduler]
        store = "sqlite:///trioarm.db"
        [log]
        level = "debug"
        [arming]
        watch = "5s"
        [mqtt.home]
        host = "127.0.0.1"
        port = {port}
        [notify.phone]
        kind = "webhook"
        url = "{inbox.web.url("/phone")}"
        limit = {{ messages = 100, per = "10m" }}
        """
    ]
    for name, case in cases.items():
        parts.append(
            f"""
            [partition.{name}]
            site = "home"
            confirm = "{case.confirm}"
            min_gap = "0s"
            [partition.{name}.panel]
            kind = "mqtt"
            broker = "home"
            state_topic = "{name}/state"
            command_topic = "{name}/command"
            exit_delay = "{case.exit_delay}"
            {case.panel}
            [[schedule]]
            name = "{name}"
            partition = "{name}"
            target = "armed_away"
            once = "2999-01-01T22:00:00Z"
            """
        )
    return "\n".join(parts)


@contextmanager
def the_panels(broker: Mosquitto) -> Iterator[dict[str, AlarmProcess]]:
    """Run all of them while the context lasts."""
    with ExitStack() as stack:
        panels = {}
        for name, case in CASES.items():
            heard = str(broker.directory / f"{name}.txt")
            settings = {"exit_delay_s": 0.3, **case.settings}
            panels[name] = stack.enter_context(an_alarm(broker, prefix=name, heard=heard, **settings))
        panels["refuses"].press(open=["Kitchen window"])
        yield panels


RUN: Final = ("-m", "trioarm", "run")


async def let_happen(folder: Path, program: Program, panels: dict[str, AlarmProcess], inbox: Inbox) -> None:
    """Let each be armed, and two of them be started again; return once people were told of all there is."""

    async def fire(*names: str) -> None:
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(said, folder, "schedules", "fire", f"{name}/{name}")

    for name, line in (("restarts", "restarts: arming (armed_away)"), ("forgets", "forgets/forgets  succeeded")):
        await fire(name)
        await program.line_with(line)
        panels[name].kill()
        panels[name].start()
    await fire(*(CASES.keys() - {"restarts", "forgets"}))
    await program.line_with("lags/lags  succeeded")
    await inbox.has(len(TOLD))


def read_by_people(inbox: Inbox) -> dict[str, list[str]]:
    """Return what was sent of each partition: the title, and the lines but for the one that says since when."""
    found: dict[str, list[str]] = {}
    for message in inbox.messages:
        *lines, since = message["text"].splitlines()
        assert re.fullmatch(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+]\d\d:00", since), since
        [alert] = message["alerts"]
        name = alert["subject"].removeprefix("partition/")
        assert name not in found, "told twice"
        found[name] = [message["title"], *lines]
    return found


async def test_each_is_told_of_as_it_is_and_is_on_record_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that drops, lags 20 s, refuses, reverts or restarts: commands, words and audit (A3.2, A3.3, A3.4, A5.1)."""
    monkeypatch.setenv("HOUSE_CODE", CODE)
    with a_broker(tmp_path) as broker, an_inbox() as inbox, the_panels(broker) as panels:
        (tmp_path / "scheduler.toml").write_text(file_of(broker.port, inbox, CASES), encoding="utf-8")
        async with started(tmp_path, RUN) as program:
            await program.line_with("restarts: disarmed")
            await let_happen(tmp_path, program, panels, inbox)
            program.process.terminate()
            assert await program.end() == (0, "")
        assert {name: panel.heard for name, panel in panels.items()} == {
            name: case.heard for name, case in CASES.items()
        }
    assert read_by_people(inbox) == {name: CASES[name].told for name in TOLD}
    audit: dict[str, list[tuple[str, str, str, str]]] = {name: [] for name in CASES}
    listed = await rows(tmp_path, "audit", "list")
    for row in listed:
        audit[row["partition"]].append((row["verb"], row["before"], row["after"], row["reason"]))
    assert audit == {name: case.audit for name, case in CASES.items()}
    assert "the audit is what was written" in await said(tmp_path, "audit", "verify")
    shown = "\n".join([*program.lines, str(listed), str(inbox.messages)]).encode()
    assert {name for name, text in {**pages(tmp_path), "shown": shown}.items() if CODE.encode() in text} == set()


async def test_who_disarms_while_no_node_runs_is_not_fought(tmp_path: Path) -> None:
    """Armed by a schedule, killed, disarmed by hand, started again twice: it stays so, which is told once (A3.7)."""
    with a_broker(tmp_path) as broker, an_inbox() as inbox, an_alarm(broker, prefix="forgets") as panel:
        text = file_of(broker.port, inbox, {"forgets": CASES["forgets"]})
        (tmp_path / "scheduler.toml").write_text(text, encoding="utf-8")
        async with started(tmp_path, RUN) as program:
            await program.line_with("forgets: disarmed")
            await said(tmp_path, "schedules", "fire", "forgets/forgets")
            await program.line_with("forgets/forgets  succeeded")
            program.process.kill()
            await program.process.wait()
        panel.press(say="disarmed")
        for _ in range(2):
            async with started(tmp_path, RUN) as program:
                await program.line_with("trioarm/watch  succeeded")
                await inbox.has(1)
                await program.line_with("trioarm/watch  succeeded")
                [row] = await rows(tmp_path, "partitions", "list")
                assert row["reported"] == "disarmed"
                program.process.terminate()
                assert await program.end() == (0, "")
        assert panel.heard == [COMMAND]
    assert read_by_people(inbox) == {"forgets": CASES["forgets"].told}
    [alert] = await rows(tmp_path, "alerts", "list", "--all")
    assert (alert["kind"], alert["state"]) == ("overridden", "open")
    assert [row["verb"] for row in await rows(tmp_path, "audit", "list")] == ["arm", "observed"]


async def test_who_arms_and_does_not_wait_is_on_record_with_what_became_of_it(tmp_path: Path) -> None:
    """A panel that names nobody: the audit says who had asked, both times."""
    case = attrs.evolve(CASES["forgets"], settings={"exit_delay_s": 3.0}, exit_delay="3s")
    with a_broker(tmp_path) as broker, an_inbox() as inbox, an_alarm(broker, prefix="leaves", exit_delay_s=3.0):
        (tmp_path / "scheduler.toml").write_text(file_of(broker.port, inbox, {"leaves": case}), encoding="utf-8")
        async with started(tmp_path, RUN) as program:
            await program.line_with("leaves: disarmed")
            out = await said(tmp_path, "partitions", "arm", "leaves", "--no-wait", "--as", "ann")
            assert "leaves: arming" in out
            await program.line_with("leaves: armed_away")
            audit: list[tuple[str, ...]] = []
            with trio.fail_after(DEADLINE_S):
                while len(audit) < 2:
                    listed = await rows(tmp_path, "audit", "list")
                    audit = [(row["actor"], row["verb"], row["before"], row["after"], row["reason"]) for row in listed]
    assert audit == [
        ("ann", "arm", "disarmed", "arming", "1 sent, on its way when it was last looked at"),
        ("ann", "observed", "arming", "armed_away", "it has become armed_away, as ann had asked"),
    ]
    assert inbox.messages == []
