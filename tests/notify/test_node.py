"""Alerts of a whole node, told by real channels to real servers: on time, once, and never in the way of arming."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.links.web import a_web_server
from tests.notify.houses import DEADLINE_S, a_house, an_inbox, until


async def test_an_alert_reaches_a_webhook(tmp_path: Path) -> None:
    """Within the second, with all that is known of it, signed, under a key of its own."""
    (tmp_path / "hook.key").write_text("a-long-random-line\n", encoding="utf-8")
    with an_inbox() as inbox:
        channel = f"""
            [notify.hook]
            kind = "webhook"
            url = "{inbox.web.url("/alerts")}"
            secret = {{ file = "{tmp_path / "hook.key"}" }}
            """
        async with a_house(tmp_path, channel) as scheduler:
            await scheduler.runs.fire("bell")
            await inbox.has(1)
    [message], [headers] = inbox.messages, inbox.headers
    [alert] = message["alerts"]
    assert message["title"] == "error: shed"
    assert message["text"].startswith("the roof leaks\nmend it\nsince ")
    assert (alert["subject"], alert["kind"], alert["times"], alert["over"]) == ("shed", "leaking", 1, False)
    assert headers["Idempotency-Key"] == message["id"]
    assert headers["X-Trioarm-Signature"].startswith("sha256=")


async def test_a_service_that_hangs_delays_no_arming(tmp_path: Path) -> None:
    """While a message waits for an answer that does not come, the house is armed within the second, and confirmed."""
    house = """
        [site.home]
        timezone = "UTC"
        [partition.house]
        site = "home"
        panel = { kind = "virtual", exit_delay = "0s" }
        [[schedule]]
        name = "night"
        partition = "house"
        target = "armed_night"
        once = "2100-01-01T00:00:00Z"
        """

    def hang(request: BaseHTTPRequestHandler) -> None:
        web.over.wait(DEADLINE_S)

    with a_web_server(hang) as web:
        channels = "".join(f'[notify.a{n}]\nkind = "ntfy"\ntopic = "x"\nurl = "{web.url()}"\n' for n in range(3))
        async with a_house(tmp_path, channels + house) as scheduler:
            await scheduler.runs.fire("bell")
            await until(lambda: len(web.asked) == 3)
            run = await scheduler.runs.wait((await scheduler.runs.fire("night/house")).id)
            assert (run.state, len(web.asked)) == ("succeeded", 3)
            assert run.finished_at is not None
            assert (run.finished_at - run.due_at).total_seconds() < 1
            web.over.set()
