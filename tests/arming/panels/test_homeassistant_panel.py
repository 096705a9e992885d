"""The driver of panels of Home Assistant: what entities say, what refusals mean, and what nobody is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from tests.arming.premises import some_parts
from tests.links.fake_home_assistant import HOUSE, TOKEN, FakeHomeAssistant, Panel, a_home_assistant
from trioarm.arming.model import HomeAssistantInstance, HomeAssistantPanel, Partition, Reported, Target
from trioarm.arming.panels import Parts, make_panel
from trioarm.arming.panels.base import NAME_MAX, OURSELVES, FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.base import Panel as Driver
from trioarm.arming.panels.homeassistant import SENSORS_ASKED, HomeAssistantDriver
from trioarm.arming.panels.homeassistant_entity import FEATURES, SERVICES, refusal_of, report_of, sensors_of
from trioarm.core.errors import ConfigurationError
from trioarm.links.homeassistant import Refused, State, link
from trioarm.links.secrets import SecretRef

CODE = "00x42-öäü"
AWAY, NIGHT = Target.ARMED_AWAY, Target.ARMED_NIGHT
REJECTED, BLOCKED, UNAVAILABLE = FailureKind.REJECTED, FailureKind.BLOCKED, FailureKind.UNAVAILABLE
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def secrets_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put code and token where drivers look for them."""
    monkeypatch.setenv("HOUSE_CODE", CODE)
    monkeypatch.setenv("HOME_TOKEN", TOKEN)


def a_partition_of(url: str, entity: str = HOUSE) -> Partition:
    instance = HomeAssistantInstance(name="home", url=url, token=SecretRef(env="HOME_TOKEN"))
    panel = HomeAssistantPanel(instance=instance, entity=entity)
    return Partition(name="house", site="home", panel=panel, code=SecretRef(env="HOUSE_CODE"))


@asynccontextmanager
async def a_driver(home: FakeHomeAssistant, entity: str = HOUSE, parts: Parts | None = None) -> AsyncIterator[Driver]:
    """Open a driver, and keep up what it needs while the context lasts."""
    parts = parts or some_parts()
    driver = make_panel(a_partition_of(home.url, entity), parts)
    async with trio.open_nursery() as nursery:
        await nursery.start(parts.connections.run)
        yield driver
        nursery.cancel_scope.cancel()


async def failure_of(driver: Driver, target: Target | None = None, code: str | None = CODE) -> PanelFailure:
    """Return how a read, or a command, fails."""
    with trio.fail_after(PATIENCE_S), pytest.raises(PanelFailure) as caught:
        await (driver.read_state() if target is None else driver.command(target, code))
    assert "\n" not in str(caught.value)
    return caught.value


# what entities say


def report(state: str, **attributes: object) -> PanelReport:
    return report_of(State(state=state, attributes=attributes), (), str, ours=False)


@pytest.mark.parametrize("state", Reported)
def test_its_words_are_ours(state: Reported) -> None:
    """Each state is what it is called, and nothing else is said where there are no attributes."""
    assert report(state.value) == PanelReport(state=state)


@pytest.mark.parametrize("word", ["", "on", "ARMED_AWAY", "armed"])
def test_another_word_is_unknown(word: str) -> None:
    """It is never taken for a state."""
    assert report(word) == PanelReport(state=Reported.UNKNOWN)


@pytest.mark.parametrize(
    ("state", "attributes", "expected"),
    [
        ("arming", {"next_state": "armed_away"}, (Reported.ARMING, AWAY)),
        ("arming", {"arm_mode": "armed_night"}, (Reported.ARMING, NIGHT)),
        ("arming", {"next_state": "disarmed"}, (Reported.ARMING, None)),
        ("arming", {"next_state": 1, "arm_mode": None}, (Reported.ARMING, None)),
        ("pending", {"post_pending_state": "armed_away"}, (Reported.ARMING, AWAY)),
        ("pending", {"post_pending_state": "triggered"}, (Reported.PENDING, None)),
        ("pending", {"next_state": "triggered"}, (Reported.PENDING, None)),
        ("armed_away", {"arm_mode": "armed_away", "next_state": "armed_away"}, (Reported.ARMED_AWAY, None)),
    ],
)
def test_what_it_is_on_its_way_to(state: str, attributes: dict[str, object], expected: object) -> None:
    """`manual`, Alarmo and `manual_mqtt` each say it in their way; the last one means its exit delay by `pending`."""
    found = report(state, **attributes)
    assert (found.state, found.toward) == expected


@pytest.mark.parametrize(
    ("value", "name"),
    [("anna", "anna"), ("", None), (" ", None), (None, None), (5, None), ("a\nb\x00", "a b?"), ("x" * 200, None)],
)
def test_names_are_one_line(value: object, name: str | None) -> None:
    """Whatever an integration puts there."""
    expected = "x" * NAME_MAX + "..." if value == "x" * 200 else name
    assert report("disarmed", changed_by=value).changed_by == expected


def test_what_we_did_is_ours() -> None:
    """Whatever name the panel has for our code."""
    state = State(state="armed_away", attributes={"changed_by": "keypad"}, changed_at=5)
    assert report_of(state, (), str, ours=True).changed_by == OURSELVES
    assert report_of(state, (), str, ours=True).since_at == 5


@pytest.mark.parametrize("sensors", [None, "x", 5, [], {}, [1, None, "", "a/b", "x.\ud800", "x." + "y" * 300]])
def test_sensors_of_another_form_are_none(sensors: object) -> None:
    """An attribute of that name may mean anything."""
    assert sensors_of(State(state="disarmed", attributes={"open_sensors": sensors})) == ()


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("service_validation_error", "x", REJECTED),
        ("unauthorized", "Unauthorized", REJECTED),
        ("invalid_format", "expected str", REJECTED),
        ("home_assistant_error", "Invalid alarm code provided", REJECTED),
        ("home_assistant_error", "Entity x does not support this service.", REJECTED),
        ("unknown_error", "Wrong Code", REJECTED),
        ("home_assistant_error", "the cloud does not answer", UNAVAILABLE),
        ("not_found", "Service not found.", UNAVAILABLE),
        ("timeout", "", UNAVAILABLE),
        ("unknown_error", "", UNAVAILABLE),
        ("the answer is 500 Internal Server Error", "500", REJECTED),
        ("the answer is 400 Bad Request", "", REJECTED),
    ],
)
def test_what_a_refusal_means(code: str, message: str, kind: FailureKind) -> None:
    """For good where a later call would meet the same; else it may be tried after a fresh read."""
    found, line = refusal_of(Refused(code, message), str)
    assert found is kind
    assert code in line


# asked for real


@pytest.mark.parametrize("has_websocket", [True, False])
async def test_an_entity_that_is_not_there_is_a_failure(has_websocket: bool) -> None:
    """Though Home Assistant lets a service call on it succeed: nothing is sent, and it is said where to look."""
    async with a_home_assistant() as home:
        home.has_websocket = has_websocket
        async with a_driver(home, "alarm_control_panel.hosue") as driver:
            for failure in (await failure_of(driver), await failure_of(driver, AWAY)):
                assert failure.kind is UNAVAILABLE
                assert f"{home.url}: there is no entity alarm_control_panel.hosue there: look at entity" in str(failure)
            assert home.calls == []


@pytest.mark.parametrize("target", FEATURES)
async def test_each_mode_has_its_service(target: Target) -> None:
    """And one that the entity does not have is rejected before anything is sent."""
    async with a_home_assistant(Panel(modes=(target.value,))) as home, a_driver(home) as driver:
        other = next(each for each in FEATURES if each is not target)
        failure = await failure_of(driver, other)
        assert failure.kind is REJECTED
        assert f"{HOUSE} has no mode {other}: nothing was sent" in str(failure)
        assert home.calls == []
        await driver.command(target, None)
        assert home.calls == [("websocket", SERVICES[target], {"entity_id": HOUSE})]
        read = await driver.read_state()
        assert (read.state.value, read.changed_by) == (target.value, OURSELVES)


async def test_a_mode_that_is_refused_is_rejected_in_its_words() -> None:
    """Where an entity names no modes, it is asked."""
    async with a_home_assistant(Panel(modes=())) as home, a_driver(home) as driver:
        failure = await failure_of(driver, AWAY)
        assert failure.kind is REJECTED
        assert "does not support action" in str(failure)


async def test_over_rest_a_wrong_code_says_where_to_look() -> None:
    """A 500 is all that Home Assistant says."""
    async with a_home_assistant(Panel(code="1")) as home:
        home.has_websocket = False
        async with a_driver(home) as driver:
            failure = await failure_of(driver, AWAY)
            assert failure.kind is REJECTED
            assert "the answer is 500 Internal Server Error: over REST that is all it says of a wrong code" in str(
                failure
            )


async def test_what_home_assistant_repeats_is_masked() -> None:
    """Code and token are in no message and no name, however it spells them (A5.2)."""
    spelt = f"{CODE} {json.dumps(CODE)} {TOKEN}"
    async with a_home_assistant() as home, a_driver(home) as driver:
        home.put(HOUSE, "disarmed", changed_by=f"{CODE} of anna")
        assert (await driver.read_state()).changed_by == "*** of anna"
        home.panels[HOUSE].code = "1"
        home.has_websocket = False
        home.rest = lambda *_: (400, spelt.encode())
        await home.restart()
        failure = await failure_of(driver, AWAY)
        assert not any(secret in str(failure) for secret in (CODE, TOKEN, "00x42"))
    refused = Refused("service_validation_error", f"the code {CODE} is wrong")
    assert CODE not in refusal_of(refused, lambda text: text.replace(CODE, "***"))[1]


async def test_only_sensors_that_are_still_open_count() -> None:
    """Alarmo remembers those of its last try: what was closed meanwhile hinders nobody, what cannot be seen does."""
    async with a_home_assistant(Panel(code=CODE)) as home, a_driver(home) as driver:
        for sensor in ("binary_sensor.back_door", "lock.front_door"):
            home.open_sensor(sensor)
        failure = await failure_of(driver, AWAY)
        assert (failure.kind, failure.zones) == (BLOCKED, ("Back door", "Front door"))
        home.close_sensor("lock.front_door")
        home.put("lock.front_door", "locked")
        assert (await driver.read_state()).open_zones == ("Back door",)
        home.put("binary_sensor.back_door", None)
        assert (await driver.read_state()).open_zones == ("binary_sensor.back_door",)
        home.put("binary_sensor.back_door", "off")
        assert (await driver.read_state()).open_zones == ()
        many = [f"binary_sensor.s{number}" for number in range(SENSORS_ASKED + 5)]
        home.put(HOUSE, "disarmed", open_sensors=many)
        before = len(home.requests)
        assert (await driver.read_state()).open_zones == tuple(many)
        assert len(home.requests) == before + SENSORS_ASKED
        home.put(HOUSE, "triggered", open_sensors=many)  # what set it off hinders nothing
        assert (await driver.read_state()).open_zones == ()


async def test_panels_of_one_instance_share_a_connection() -> None:
    """And are commanded in order; each knows its own entity (A3.8)."""
    async with a_home_assistant() as home:
        home.panels["alarm_control_panel.shed"] = Panel()
        home.put("alarm_control_panel.shed", "disarmed")
        parts = some_parts()
        shed = make_panel(a_partition_of(home.url, "alarm_control_panel.shed"), parts)
        async with a_driver(home, parts=parts) as house:
            await shed.command(AWAY, None)
            assert (await shed.read_state()).state is Reported.ARMED_AWAY
            assert (await house.read_state()).state is Reported.DISARMED
            assert (home.connections, len(home.requests)) == (1, 1)
            assert house.name == shed.name == f"homeassistant:{home.url}"


def test_without_the_library_a_node_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a mistake of the configuration, with the key that asks for it."""
    monkeypatch.setattr(link, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"^homeassistant\.home: Home Assistant needs wsproto: python -m pip"):
        make_panel(a_partition_of("http://h"), some_parts())


@pytest.mark.parametrize(("field", "value"), [("url", "ftp://h"), ("url", "http://a:b@h"), ("url", "http://h/?x=1")])
def test_an_instance_made_in_code_is_checked(field: str, value: Any) -> None:
    """As one that is read from a file."""
    instance = HomeAssistantInstance(name="home", url="http://h", token=SecretRef(env="T"))
    with pytest.raises(ConfigurationError, match=r"^url: "):
        attrs.evolve(instance, **{field: value})


async def test_whoever_waits_is_woken_by_a_change() -> None:
    """Which is then read."""
    async with a_home_assistant() as home, a_driver(home) as driver:
        assert isinstance(driver, HomeAssistantDriver)
        await driver.read_state()
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(driver.changed)
                await trio.testing.wait_all_tasks_blocked(0.05)
                home.press("armed_home")
        assert (await driver.read_state()).changed_by == "anna"
