"""Discovery: schedules and partitions as entities of Home Assistant, over a broker (A6.1)."""
