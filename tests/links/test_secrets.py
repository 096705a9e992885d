"""Codes are references, read when needed (A5.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from trioarm.links.secrets import SecretRef, SecretUnreadable, read_code, same_code


def test_a_code_comes_from_the_environment_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leading zeros stay, and a changed code is found at the next command."""
    monkeypatch.setenv("HOUSE_CODE", "0042")
    assert read_code(SecretRef(env="HOUSE_CODE")) == "0042"
    monkeypatch.setenv("HOUSE_CODE", "0043")
    assert read_code(SecretRef(env="HOUSE_CODE")) == "0043"


@pytest.mark.parametrize("content", [b"0042", b"0042\n", b"0042\r\nanything else\n"])
def test_a_code_is_the_first_line_of_its_file(tmp_path: Path, content: bytes) -> None:
    """Whatever ends the line, and whatever follows."""
    (tmp_path / "code").write_bytes(content)
    assert read_code(SecretRef(file=str(tmp_path / "code"))) == "0042"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n0042\n", "is empty"),
        (b"4" * 300, "too long"),
        (b"\xff0042\n", "no text"),
        (b"0042\t\n", "no line of text"),
        (None, "read"),
    ],
)
def test_a_file_without_a_code_is_named_and_not_quoted(tmp_path: Path, content: bytes | None, fault: str) -> None:
    """The message names the place, never what was found there."""
    path = tmp_path / "code"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretUnreadable, match=fault) as raised:
        read_code(SecretRef(file=str(path)))
    assert str(path) in str(raised.value)
    rest = str(raised.value).replace(str(path), "")  # digits of the place itself are no code
    assert "0042" not in rest
    assert "444" not in rest


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_without_a_code_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Unset and empty are both no code."""
    monkeypatch.delenv("HOUSE_CODE", raising=False)
    if value is not None:
        monkeypatch.setenv("HOUSE_CODE", value)
    with pytest.raises(SecretUnreadable, match="environment variable HOUSE_CODE"):
        read_code(SecretRef(env="HOUSE_CODE"))


@pytest.mark.parametrize("value", ["0042\n", "0042\n0043", "0042\x1b", "0042\udcff"])
def test_a_variable_that_is_no_line_is_named_and_not_quoted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could hand it on as one: a line break ends it too early, and what is no UTF-8 cannot be sent."""
    monkeypatch.setenv("HOUSE_CODE", value)
    with pytest.raises(SecretUnreadable) as raised:
        read_code(SecretRef(env="HOUSE_CODE"))
    assert str(raised.value) == (
        "environment variable HOUSE_CODE holds what is no line of text: it should hold the code"
    )


@pytest.mark.parametrize(
    ("given", "same"), [("0042", True), ("42", False), ("", False), (None, False), ("0042 ", False), ("ž", False)]
)
def test_only_the_very_same_text_is_the_code(given: str | None, same: bool) -> None:
    """No trimming, no numbers."""
    assert same_code(given, "0042") is same
