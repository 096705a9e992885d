"""The program: commands, listings, logs, signals. The outermost ring; nothing imports it."""
