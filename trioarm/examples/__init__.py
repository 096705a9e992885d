"""Examples that ship with the package: a unit for systemd."""
