"""Each kind of channel against a real other side: what arrives there, and what its answers mean."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import ssl
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.links.broker import Mosquitto, a_broker, a_link, subscribed
from tests.links.tls import Certificate, certificate
from tests.links.web import Answer as Reply
from tests.links.web import a_web_server, says, status
from tests.notify.houses import an_inbox
from tests.notify.mail import a_mail_server
from trioarm.core.alerts import Severity
from trioarm.engine.clock import SystemClock
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef
from trioarm.notify.channels import make_channel
from trioarm.notify.channels.apprise import NO_URL, SEVERAL
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain, send_within
from trioarm.notify.message import Message
from trioarm.notify.model import AppriseWay, ChannelSettings, CommandWay, MqttWay, NtfyWay, SmtpWay, Way, WebhookWay

__all__ = ["certificate"]

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise, on Python 3.11

MESSAGE = Message(
    id="0123456789abcdef",
    title="error: šopa",
    text="střecha teče\nmend it",
    severity=Severity.ERROR,
    alerts=({"id": "x"},),
)
SECRET = "very-secret-4711"
PORT_OF_NOBODY = 9
PATIENCE_S = 30.0  # of a test, on a busy machine
HANGS_S = 600.0  # whoever does not answer


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", SECRET)


async def send(way: Way, message: Message = MESSAGE, timeout_s: float = 5.0) -> Answer:
    """Send a message by a way, as a node does."""
    channel = make_channel(ChannelSettings(name="phone", way=way, timeout_s=timeout_s), SystemClock(60.0))
    answer = await send_within(channel, message, timeout_s)
    assert SECRET not in str(answer)
    return answer


REF = SecretRef(env="THE_SECRET")
MISSING = SecretRef(env="NO_SUCH_SECRET")


def mail(port: int, **more: Any) -> SmtpWay:
    """Return a way by a mail server of this machine, unencrypted unless said otherwise."""
    usual: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "house@example.org",
        "recipients": ("ann@example.org", "bob@example.org"),
    }
    return SmtpWay(**{**usual, **more})


# On the web


async def test_a_webhook_is_signed_and_knows_what_comes_again() -> None:
    """The body is signed as commands of panels are; the key is that of the message."""
    with an_inbox() as inbox:
        assert await send(WebhookWay(url=inbox.web.url("/x"), secret=REF, token=REF)) == Delivered()
    [body], [headers] = inbox.messages, inbox.headers
    stamp = headers["X-Trioarm-Timestamp"]
    content = json.dumps(body).encode()
    signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + content, hashlib.sha256).hexdigest()
    assert headers["X-Trioarm-Signature"] == f"sha256={signed}"
    assert (headers["Authorization"], headers["Idempotency-Key"]) == (f"Bearer {SECRET}", MESSAGE.id)
    assert (body["title"], body["text"], body["severity"], body["count"]) == (MESSAGE.title, MESSAGE.text, "error", 1)


async def test_ntfy_gets_its_topic_priority_and_tags() -> None:
    """By severity; what is over makes no sound."""
    with an_inbox() as inbox:
        way = NtfyWay(topic="house", url=inbox.web.url("/"), token=REF, tags=("home",))
        assert await send(way) == Delivered()
        assert await send(way, attrs.evolve(MESSAGE, severity=Severity.WARNING, text="x" * 9_000)) == Delivered()
        assert await send(way, attrs.evolve(MESSAGE, over=True)) == Delivered()
    urgent, warning, over = inbox.messages
    assert urgent == {
        "topic": "house",
        "title": "error: šopa",
        "message": "střecha teče\nmend it",
        "priority": 5,
        "tags": ["rotating_light", "home"],
    }
    assert (warning["priority"], warning["tags"][0], len(warning["message"])) == (3, "warning", 3_500)
    assert (over["priority"], over["tags"][0]) == (2, "white_check_mark")
    assert inbox.headers[0]["Authorization"] == f"Bearer {SECRET}"


def both(url: str) -> list[Way]:
    """Return the ways that speak HTTP."""
    return [WebhookWay(url=url, token=REF), NtfyWay(topic="house", url=url, token=REF)]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (status(200), Delivered),
        (status(302, "/elsewhere"), Refused),
        (status(401), Refused),
        (status(404), Refused),
        (status(413), Refused),
        (status(408), TryAgain),
        (status(429), TryAgain),
        (status(500), TryAgain),
        (status(503), TryAgain),
        (says(f"no such token: {SECRET}".encode(), 403), Refused),
    ],
)
async def test_an_answer_on_the_web_means_what_its_status_says(reply: Reply, kind: type[Answer]) -> None:
    """Success is delivered; what may pass is tried again; all else is refused, and quotes nothing."""
    with a_web_server(reply) as web:
        for way in both(web.url("/x")):
            assert isinstance(await send(way), kind)


def garbage(request: BaseHTTPRequestHandler) -> None:
    """Answer what is no HTTP."""
    request.wfile.write(b"\x00\xffthis is no HTTP\r\n\r\n")


@pytest.mark.parametrize("what", ["nobody", "garbage", "silence"])
async def test_trouble_on_the_web_is_tried_again(what: str) -> None:
    """Nobody there, no HTTP, no answer: within the time it has."""
    with a_web_server() as web:
        web.answer = {"garbage": garbage, "silence": lambda _: bool(web.over.wait(HANGS_S)) or None}.get(
            what, status(204)
        )
        url = f"http://127.0.0.1:{PORT_OF_NOBODY}/" if what == "nobody" else web.url()
        for way in both(url):
            with trio.fail_after(PATIENCE_S):
                assert isinstance(await send(way, timeout_s=1.0), TryAgain)
        web.over.set()


async def test_an_address_that_is_a_secret_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And named nowhere, even where it is no address."""
    with an_inbox() as inbox:
        monkeypatch.setenv("HOOK", inbox.web.url(f"/{SECRET}"))
        assert await send(WebhookWay(url=SecretRef(env="HOOK"))) == Delivered()
        assert inbox.web.asked[0][0] == f"/{SECRET}"
    monkeypatch.setenv("HOOK", f"gopher://{SECRET}")
    assert isinstance(await send(WebhookWay(url=SecretRef(env="HOOK"))), Refused)


@pytest.mark.parametrize(
    "way",
    [
        WebhookWay(url="http://127.0.0.1:9/", secret=MISSING),
        WebhookWay(url=MISSING),
        NtfyWay(topic="x", url="http://127.0.0.1:9/", token=MISSING),
        mail(PORT_OF_NOBODY, username="house", password=MISSING),
        AppriseWay(MISSING),
    ],
)
async def test_a_secret_that_is_not_there_is_named(way: Way) -> None:
    """Its place, that is; nothing is sent."""
    answer = await send(way)
    assert isinstance(answer, Refused)
    assert answer.why.startswith("environment variable NO_SUCH_SECRET is not set")


# Mail


async def test_a_mail_arrives_as_it_was_meant() -> None:
    """With what makes it one mail for whoever gets it twice, and after a login."""
    async with a_mail_server() as server:
        assert await send(mail(server.port, username="house", password=REF)) == Delivered()
    [(recipients, found)] = server.mails
    assert recipients == ["ann@example.org", "bob@example.org"]
    assert (found["Subject"], found["From"], found["Importance"]) == (MESSAGE.title, "house@example.org", "high")
    assert found["Message-ID"] == "<0123456789abcdef@trioarm>"
    assert found.get_content().splitlines() == MESSAGE.text.splitlines()
    assert server.logins == [("house", SECRET)]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_mail_is_encrypted(certificate: Certificate, security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a server whose certificate is trusted; by no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    async with a_mail_server(**{security: context}) as server:
        way = mail(server.port, security=security, username="house", password=REF)
        answer = await send(way)
        assert isinstance(answer, Refused)
        assert answer.why.startswith("its certificate is not trusted: ")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca))
        assert await send(way) == Delivered()
    assert server.logins == [("house", SECRET)]


async def test_no_password_is_sent_where_encryption_is_not_offered() -> None:
    """Who asked for starttls gets no mail sent in the clear."""
    async with a_mail_server() as server:
        answer = await send(mail(server.port, security="starttls", username="house", password=REF))
    assert isinstance(answer, Refused)
    assert (server.logins, server.mails) == ([], [])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"greeting": "554 go away"}, Refused("it answered with 554 go away")),
        ({"greeting": "421 later"}, TryAgain("it answered with 421 later")),
        ({"AUTH": f"535 {SECRET} is wrong"}, Refused("it answered with 535 *** is wrong")),
        ({"AUTH": "454 later"}, TryAgain("it answered with 454 later")),
        ({"MAIL": "550 who is that"}, Refused("it answered with 550 who is that")),
        ({"content": "552 too much"}, Refused("it answered with 552 too much")),
        ({"content": "451 later"}, TryAgain("it answered with 451 later")),
        (
            {"RCPT ann@example.org": "550 no such user", "RCPT bob@example.org": "450 busy"},
            TryAgain("it refused ann@example.org (550 no such user), bob@example.org (450 busy)"),
        ),
        (
            {"RCPT ann@example.org": "550 no", "RCPT bob@example.org": "550 no"},
            Refused("it refused ann@example.org (550 no), bob@example.org (550 no)"),
        ),
        ({"RCPT ann@example.org": "550 no such user"}, Delivered("ann@example.org (550 no such user)")),
        ({"QUIT": "500 what"}, Delivered()),
    ],
)
async def test_what_a_mail_server_says_decides(answers: Mapping[str, str], expected: Answer) -> None:
    """What passes is tried again, what lasts is refused, and who got it is not sent it again."""
    async with a_mail_server(answers) as server:
        assert await send(mail(server.port, username="house", password=REF)) == expected


@pytest.mark.parametrize(
    "answers", [{"greeting": ""}, {"EHLO": "\x00\x00", "HELO": ""}, {"content": ""}, {"greeting": "no number"}]
)
async def test_a_mail_server_that_is_silent_or_talks_nonsense_is_tried_again(answers: Mapping[str, str]) -> None:
    """Within the time it has, and the line is cut."""
    async with a_mail_server(answers) as server:
        with trio.fail_after(PATIENCE_S):
            assert isinstance(await send(mail(server.port), timeout_s=1.0), TryAgain)
    assert not server.mails


async def test_a_mail_server_that_is_not_there_is_tried_again() -> None:
    """Nobody listens."""
    assert await send(mail(PORT_OF_NOBODY)) == TryAgain("Connection refused")


# apprise


async def test_apprise_delivers_to_any_of_its_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here to its plain JSON, of which the whole URL is the secret."""
    with an_inbox() as inbox:
        monkeypatch.setenv("PHONE_URL", f"json://user:{SECRET}@127.0.0.1:{inbox.web.port}/house")
        assert await send(AppriseWay(SecretRef(env="PHONE_URL"))) == Delivered()
    [message] = inbox.messages
    assert (message["title"], message["message"], message["type"]) == (MESSAGE.title, MESSAGE.text, "failure")


class Ear(logging.Handler):
    """Hears all that a program would write."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


@pytest.mark.parametrize("reply", [status(500), status(401), garbage])
async def test_what_apprise_cannot_deliver_is_tried_again(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of its URL gets into the log of the program, however much that tells."""
    ear = Ear()
    monkeypatch.setattr(logging.root, "handlers", [ear])
    monkeypatch.setattr(logging.getLogger("apprise"), "level", logging.DEBUG)
    with a_web_server(reply) as web:
        monkeypatch.setenv("PHONE_URL", f"json://user:{SECRET}@127.0.0.1:{web.port}/{SECRET}")
        logging.getLogger("heard").warning("this is heard")
        assert isinstance(await send(AppriseWay(SecretRef(env="PHONE_URL"))), TryAgain)
    assert "this is heard" in ear.lines
    assert SECRET not in "".join(ear.lines)


@pytest.mark.parametrize(
    ("url", "why"), [("nonsense://x", NO_URL), ("what", NO_URL), ("json://a/, json://b/", SEVERAL)]
)
async def test_apprise_must_know_the_service(url: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them."""
    monkeypatch.setenv("PHONE_URL", url)
    assert await send(AppriseWay(SecretRef(env="PHONE_URL"))) == Refused(why)


async def test_apprise_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many messages hang there: each ends in time, and two threads are all that it costs."""
    with a_web_server() as web:
        web.answer = lambda _: bool(web.over.wait(HANGS_S)) or None
        monkeypatch.setenv("PHONE_URL", f"json://127.0.0.1:{web.port}/?rto={HANGS_S:.0f}")
        settings = ChannelSettings(name="phone", way=AppriseWay(SecretRef(env="PHONE_URL")))
        channel = make_channel(settings, SystemClock(60.0))
        with trio.fail_after(PATIENCE_S):
            for _ in range(4):
                with trio.move_on_after(0.5) as scope:
                    await channel.send(MESSAGE)
                assert scope.cancelled_caught
        assert len(web.asked) <= 2
        web.over.set()


# At a broker


def topic_at(broker: Mosquitto, **more: Any) -> MqttWay:
    """Return a way to a topic of a broker of this machine."""
    return MqttWay(broker=MqttBroker(name="home", host="127.0.0.1", port=broker.port, **more), topic="house/alerts")


async def test_a_broker_is_given_the_message_as_json(tmp_path: Path) -> None:
    """What a webhook gets; acknowledged is delivered, and nothing stays there for who comes later (A3.6)."""
    with a_broker(tmp_path) as broker:
        async with a_link(broker.settings()) as link, subscribed(link, "#") as heard:
            assert await send(topic_at(broker)) == Delivered()
            message = await heard.receive()
        assert message.topic == "house/alerts"
        assert json.loads(message.payload) == {
            "id": MESSAGE.id,
            "title": MESSAGE.title,
            "text": MESSAGE.text,
            "severity": "error",
            "over": False,
            "count": 1,
            "alerts": [{"id": "x"}],
        }
        async with a_link(broker.settings()) as link, subscribed(link, "#") as heard:
            await link.publish("the/end", b"", within_s=5)
            assert (await heard.receive()).topic == "the/end"


async def test_a_message_too_large_for_a_broker_is_told_without_its_parts(tmp_path: Path) -> None:
    """What people read is in the text."""
    parts: tuple[dict[str, Any], ...] = tuple({"text": "x" * 10_000} for _ in range(20))
    with a_broker(tmp_path) as broker:
        async with a_link(broker.settings()) as link, subscribed(link, "house/alerts") as heard:
            assert await send(topic_at(broker), attrs.evolve(MESSAGE, alerts=parts, count=20)) == Delivered()
            told = json.loads((await heard.receive()).payload)
    assert (told["text"], told["count"], told["alerts"]) == (MESSAGE.text, 20, [])


async def test_a_broker_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    """Away, or refusing who we are, which it may stop to; neither takes longer than it was given."""
    with a_broker(tmp_path, users={"house": "another"}) as broker:
        refused = await send(topic_at(broker, username="house", password=REF))
        assert isinstance(refused, TryAgain)
        assert "it refuses us" in refused.why
        unset = await send(topic_at(broker, username="house", password=MISSING))
        assert isinstance(unset, TryAgain)
        assert "NO_SUCH_SECRET is not set" in unset.why
        broker.freeze()
        assert await send(topic_at(broker), timeout_s=1.0) == TryAgain("no answer within 1s")
        broker.kill()
        away = await send(topic_at(broker))
    assert isinstance(away, TryAgain)
    assert "connection refused" in away.why


# Programs


def program(text: str) -> CommandWay:
    """Return a way by a program of these lines."""
    return CommandWay((sys.executable, "-c", text))


async def test_a_program_finds_the_message_on_its_standard_input(tmp_path: Path) -> None:
    """And the rest in its environment, in which nothing else of ours is."""
    out = tmp_path / "out"
    text = (
        "import json, os, sys\n"
        "env = {name: value for name, value in os.environ.items() if name.startswith(('TRIOARM', 'THE_'))}\n"
        f"open({str(out)!r}, 'w', encoding='utf-8').write(json.dumps([sys.stdin.buffer.read().decode(), env]))\n"
    )
    assert await send(program(text), timeout_s=30.0) == Delivered()
    said, env = json.loads(out.read_text(encoding="utf-8"))
    assert said == MESSAGE.text
    assert env == {
        "TRIOARM_MESSAGE_ID": MESSAGE.id,
        "TRIOARM_TITLE": MESSAGE.title,
        "TRIOARM_SEVERITY": "error",
        "TRIOARM_ALERTS": '[{"id": "x"}]',
    }


async def test_its_exit_code_decides() -> None:
    """64 is for what is no use to try again; a program that hangs is ended."""
    assert await send(program("raise SystemExit(1)"), timeout_s=30.0) == TryAgain(f"{sys.executable} ended with 1")
    assert await send(program("raise SystemExit(64)"), timeout_s=30.0) == Refused(f"{sys.executable} ended with 64")
    assert await send(CommandWay(("/no/such/program",))) == Refused(
        "cannot start /no/such/program: No such file or directory"
    )
    assert isinstance(await send(program("import time; time.sleep(60)"), timeout_s=1.0), TryAgain)
