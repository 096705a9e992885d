"""Panels on the web: what can be said of them in a file, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import HttpPanel, Reported
from trioarm.cli.masking import known_secrets
from trioarm.links.secrets import SecretRef

SITE = '[site.home]\ntimezone = "Europe/Prague"\n'
HOUSE = SITE + '[partition.house]\nsite = "home"\n[partition.house.panel]\nkind = "http"\n'
URLS = 'set = "http://panel/{address}"\nread = "http://panel/{address}/state"\n'
SAMPLE = "https://panel.example/alarm/{address}"
AT = "partition.house.panel"


def panel_of(folder: Path, text: str) -> object:
    return config_of(folder, HOUSE + text).premises.partitions["house"].panel


def test_it_needs_only_its_urls(tmp_path: Path) -> None:
    """All the rest has a default, or is not there."""
    assert panel_of(tmp_path, URLS) == HttpPanel(
        set_url="http://panel/{address}", read_url="http://panel/{address}/state"
    )


def test_every_key_is_read(tmp_path: Path) -> None:
    """URLs, what it authenticates with, where things are in an answer, what words mean, and how long it may take."""
    text = URLS + (
        'secret = { file = "hook.key" }\ntoken = { env = "HOUSE_TOKEN" }\ncode = { env = "HOUSE_CODE" }\n'
        'state = "areas.0.mode"\nchanged_by = "who"\nsince = "at"\nstarted = "up"\nopen_zones = "zones.open"\n'
        'states = { AWAY = "armed_away", 2 = "arming" }\ntimeout = "5s"\nexit_delay = "90s"\n'
    )
    assert panel_of(tmp_path, text) == HttpPanel(
        set_url="http://panel/{address}",
        read_url="http://panel/{address}/state",
        secret=SecretRef(file="hook.key"),
        token=SecretRef(env="HOUSE_TOKEN"),
        code=SecretRef(env="HOUSE_CODE"),
        state_path="areas.0.mode",
        changed_by_path="who",
        since_path="at",
        started_path="up",
        open_zones_path="zones.open",
        states={"AWAY": Reported.ARMED_AWAY, "2": Reported.ARMING},
        timeout_s=5,
        exit_delay_s=90,
    )


def test_what_it_authenticates_with_is_masked_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like codes, also where it is longer than any of them; what cannot be read is no reason not to start."""
    (tmp_path / "hook.key").write_text("k" * 1000 + "\n")
    monkeypatch.setenv("HOUSE_TOKEN", "t0ken")
    monkeypatch.delenv("HOUSE_CODE", raising=False)
    text = f'{URLS}secret = {{ file = "{tmp_path}/hook.key" }}\ntoken.env = "HOUSE_TOKEN"\ncode.env = "HOUSE_CODE"\n'
    assert known_secrets(config_of(tmp_path, HOUSE + text)) == {"k" * 1000, "t0ken"}


@pytest.mark.parametrize("key", ["secret", "token", "code"])
def test_a_secret_in_the_file_is_refused_and_never_shown(key: str, tmp_path: Path) -> None:
    """The line names the place where it could be, and does not repeat it (A5.2)."""
    places = f'{{ env = "HOUSE_{key.upper()}" }} or {{ file = "house.{key}" }}'
    assert problems_of(tmp_path, f"{HOUSE}{URLS}{key} = 's3cr3t'") == (
        f"{AT}.{key}: a {key} is not written into a file that others read: name where it is, like {places}",
    )
    assert problems_of(tmp_path, f"{HOUSE}{URLS}{key} = {{}}") == (f"{AT}.{key}: name one place: {places}",)
    assert problems_of(tmp_path, f"{HOUSE}{URLS}{key} = {{ file = '' }}") == (
        f"{AT}.{key}.file: names nothing: a {key} is in an environment variable or in a file",
    )


@pytest.mark.parametrize("key", ["set", "read"])
@pytest.mark.parametrize("userinfo", ["me:s3cr3t@", "s3cr3t@", ":s3cr3t@", "@"])
def test_a_password_in_a_url_is_refused_and_never_shown(key: str, userinfo: str, tmp_path: Path) -> None:
    """It would be in a file that others read: there is a token for that."""
    [line] = problems_of(tmp_path, HOUSE + URLS.replace(f'{key} = "http://', f'{key} = "http://{userinfo}'))
    assert line == (
        f'{AT}.{key}: has a user or a password in it: name a token instead, like token = {{ env = "HOUSE_TOKEN" }}'
    )


def test_what_is_missing_is_said_with_a_sample(tmp_path: Path) -> None:
    """Both URLs at once, and what else is wrong."""
    assert problems_of(tmp_path, HOUSE + "timeout = 0") == (
        f'{AT}.set: is missing: commands are posted to it, like set = "{SAMPLE}"',
        f'{AT}.read: is missing: its state is read from there, like read = "{SAMPLE}/state"',
        f"{AT}.timeout: 0 is outside 1s to 1m",
    )


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("file:///etc/passwd", f'"file:///etc/passwd" is neither http nor https: write it like "{SAMPLE}"'),
        ("panel/x", f'"panel/x" is neither http nor https: write it like "{SAMPLE}"'),
        ("http:///x", f'"http:///x" names no host: write it like "{SAMPLE}"'),
        ("http://panel:x/", "\"http://panel:x/\" is no URL: Port could not be cast to integer value as 'x'"),
        ("http://panel/a b", '"http://panel/a b" has characters that no URL has: write them as %20 and the like'),
        ("http://{address}.lan/", f'has {{address}} in the host: it belongs behind it, like "{SAMPLE}"'),
        (
            "http://panel/{partition}",
            f'has braces around something else than {{address}}: write it like "{SAMPLE}"',
        ),
    ],
)
def test_a_url_that_cannot_be_is_one_line(url: str, line: str, tmp_path: Path) -> None:
    """It is said what would be right."""
    for key in ("set", "read"):
        other = {"set": "read", "read": "set"}[key]
        text = f'{HOUSE}{key} = "{url}"\n{other} = "http://panel/"\n'
        assert problems_of(tmp_path, text) == (f"{AT}.{key}: {line}",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("state = ''", 'state: "" is no path: write it like "panel.mode" or "areas.0.mode"'),
        ("state = 'a..b'", 'state: "a..b" is no path: write it like "panel.mode" or "areas.0.mode"'),
        ("since = '.a'", 'since: ".a" is no path: write it like "panel.mode" or "areas.0.mode"'),
        (
            "started = 'up'",
            "started: needs since: what became so when it was started can only be told by both",
        ),
        ("changed_by = 5", 'changed_by: 5 is no text: put it between quotes, like "text"'),
        (f"open_zones = '{'a' * 201}'", f'open_zones: "{"a" * 39}... is longer than 200 characters'),
        ("states = 'AWAY'", 'states: "AWAY" is no table: write it like { key = value }'),
        (
            "states = { AWAY = 'armed_awy' }",
            'states: what "AWAY" means: "armed_awy" is unknown; did you mean armed_away?',
        ),
        ("states = { AWAY = 1 }", 'states: what "AWAY" means: 1 is no text: put it between quotes, like "text"'),
        (f"states = {{ {'a' * 101} = 'arming' }}", f'states: "{"a" * 39}... is longer than 100 characters'),
        ("timeout = '2m'", 'timeout: "2m" is outside 1s to 1m'),
        ("exit_delay = '2h'", 'exit_delay: "2h" is outside 0s to 1h'),
        ("stat = 'x'", "stat: unknown key; did you mean state?"),
        ("entry_delay = 5", "entry_delay: unknown key; did you mean exit_delay?"),
    ],
)
def test_a_mistake_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """With its path, its value and what would be right."""
    assert problems_of(tmp_path, f"{HOUSE}{URLS}{text}\n") == (f"{AT}.{line}",)


def test_words_for_states_are_few(tmp_path: Path) -> None:
    """A panel has not that many."""
    states = ", ".join(f"w{number} = 'arming'" for number in range(101))
    assert problems_of(tmp_path, f"{HOUSE}{URLS}states = {{ {states} }}\n") == (
        f"{AT}.states: 101 words are too many: at most 100",
    )
