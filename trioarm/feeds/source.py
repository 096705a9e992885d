"""Source: where the events of a calendar come from, and how often they are looked for."""

from __future__ import annotations

from typing import Final

import attrs

REFRESH_S: Final = 3_600.0  # what most servers can live with, and nobody plans a day in less
REFRESH_S_MIN: Final = 60.0  # more often is a burden to whoever serves it
REFRESH_S_MAX: Final = 7 * 86_400.0  # what is known ends after a year, and people move events


@attrs.frozen(slots=True, kw_only=True)
class FeedSource:
    """A calendar that is fetched again and again.

    Args:
        name: of the calendar (S2.4).
        address: of the web, or the path of a file. It may be secret.
        timezone: where its days are, and its times that name no zone.
        refresh_s: seconds between two looks.
    """

    name: str
    address: str = attrs.field(repr=False)
    timezone: str = "UTC"
    refresh_s: float = REFRESH_S

    @property
    def is_file(self) -> bool:
        """Whether it is a file: looking at one costs nobody anything."""
        return "://" not in self.address
