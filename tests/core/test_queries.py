"""Questions are bounded: nobody is handed a whole history at once."""

from __future__ import annotations

import pytest

from trioarm.core.queries import PAGE_MAX, RunQuery, ScheduleQuery


@pytest.mark.parametrize("limit", [0, -1, PAGE_MAX + 1])
@pytest.mark.parametrize("query", [RunQuery, ScheduleQuery])
def test_a_page_has_a_limit(query: type[RunQuery] | type[ScheduleQuery], limit: int) -> None:
    """The bounds themselves are allowed."""
    with pytest.raises(ValueError, match=f"limit is {limit}: it must lie between 1 and {PAGE_MAX}"):
        query(limit=limit)
    assert (query(limit=1).limit, query(limit=PAGE_MAX).limit) == (1, PAGE_MAX)
