"""Events that say something of themselves."""

from __future__ import annotations

import pytest

from trioarm.core.events import ConfigChanged, SettingChange


@pytest.mark.parametrize(
    "changed",
    [
        ConfigChanged((SettingChange("scheduler.drain", "30s", "1m"),)),
        ConfigChanged(added=("a",)),
        ConfigChanged(changed=("a",)),
        ConfigChanged(removed=("a",)),
        ConfigChanged(waiting=("scheduler.store",)),
    ],
)
def test_a_change_of_the_configuration_is_one_where_anything_changed_or_waits(changed: ConfigChanged) -> None:
    """One thing is enough, and without any it is none."""
    assert changed
    assert not ConfigChanged()
