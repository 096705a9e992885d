"""Examples that ship with the package: a unit for systemd, and a year of a family's schedules as a test."""
