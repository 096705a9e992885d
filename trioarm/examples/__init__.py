"""Examples that ship with the package, each a program to read from top to bottom, to run, and to copy.

startup      what handlers need comes up first, a migration runs once, then work begins
health       what a supervisor asks, and what it is told
shutdown     SIGTERM, saving what is done, going on from there
recovery     retries, giving up, waiting, being called twice, a breaker
development  a store that forgets, a line for each decision, a week in a second
web          inside a web server, and ending with it
test_a_year  a year of a family's schedules (family.toml) as a test

Beside them: trioarm.service, a unit for systemd.
"""
