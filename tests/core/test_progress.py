from __future__ import annotations

import pytest

from trioarm.core.progress import PROGRESS_BYTES_MAX, Progress, bounded


def test_only_what_was_said_last_is_left_to_write() -> None:
    """What is written is noted, unless something else was said meanwhile."""
    progress = Progress(before="half")
    assert (progress.before, progress.value, progress.kept) == ("half", None, True)
    progress.say([1])
    said = progress.value
    assert not progress.kept
    progress.say([2])
    progress.written(said)
    assert not progress.kept
    progress.written(progress.value)
    assert (progress.value, progress.kept) == ([2], True)


def test_it_is_a_place_in_the_work_and_not_the_work() -> None:
    """A copy of what is small; what is large, or no JSON, is refused in one line."""
    said = {"at": [1, 2]}
    copy = bounded(said)
    assert copy == said
    assert copy is not said
    assert bounded("x" * (PROGRESS_BYTES_MAX - 2)) == "x" * (PROGRESS_BYTES_MAX - 2)
    with pytest.raises(ValueError, match=r"^progress: 4097 bytes of JSON cannot be kept: at most 4096$"):
        bounded("x" * (PROGRESS_BYTES_MAX - 1))
    with pytest.raises(ValueError, match="progress"):
        bounded(object())
