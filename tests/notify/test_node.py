"""Alerts of a whole node, told by real channels to real servers: on time, once, and never in the way of arming."""

from __future__ import annotations

from pathlib import Path

from tests.notify.houses import a_house, an_inbox


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
