"""`trioarm help`: short texts on what people need to know once."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.settings import about
from trioarm.cli.terminal import Style, paint, say, wrapped
from trioarm.config import SchedulerConfig
from trioarm.core.reading import suggest

TRIGGERS: Final = """\
A schedule has one trigger: the rule that says when.

  once   = "2026-12-24T18:00:00+01:00"   one instant, with its offset
  every  = "10s"                         a fixed rate, whatever clocks do
  after  = "5m"                          a fixed delay after the run before ends
  weekly = { days = ["mon", "fri"], at = "22:30" }
                                         local time; at may be a list of times
  monthly = { day = 31, at = "22:30" }   also "last", "2nd tue", "last fri",
                                         "last workday", or a list of them
  yearly = { month = "dec", day = 24, at = "18:00" }
  every  = { days = 2, at = "22:30", start = "2026-11-23" }
                                         or weeks, months, years: local time
  cron   = "30 2 * * *"                  local time; 5 fields, or 6 with seconds
                                         in front, or 7 with years last as well;
                                         L, LW, 15W, fri#2, friL, ?; @daily
  rrule  = { rule = "FREQ=DAILY;INTERVAL=2", start = "2026-11-24T19:00:00" }
                                         as calendars write it (RFC 5545)
  union  = [ { cron = "0 6 * * *" }, { every = "5h" } ]
                                         what any member yields; intersect = ...
                                         what all yield, exclude = ... the first
                                         without the others; days may be members
  ahead  = { of = { cron = "0 6 * * *" }, by = "30m" }
                                         so long before each instant of another
  sun    = { event = "sunset", offset = "-30m", latest = "22:00" }
                                         dawn, sunrise, noon, sunset or dusk,
                                         seen from the site that is armed, or
                                         from its own latitude and longitude
  calendar = { name = "school", edge = "end", offset = "-15m" }
                                         where events of [calendar.school] end
                                         or start, or before or after that

Beside any but after, `on` limits it to days; `not_on` keeps it out of them:

  on     = ["mon", "tue"]                days of the week
  not_on = { dates = ["12-24", "2026-12-27/2027-01-02"] }
  on     = { days = "workday", country = "DE", subdivision = "BY" }
                                         or holiday, day_off, before_workday,
                                         before_holiday; dates and weekdays of
                                         your own beside them, or calendar =
                                         "work" for what [calendar.work] says
  not_on = { during = "school" }         during events of [calendar.school]

A calendar is one of days, by country and dates, or one of events, an ICS
file or address:

  [calendar.school]
  ics = "school.ics"                     or "https://..." or { env = "ICS" }
  refresh = "1h"                         how often it is looked at
  timezone = "Europe/Prague"             of what in it names no zone

In a cron whose day of month and day of week are both restricted, either is enough; a + in front of the
day of week asks for both: 0 0 13 * +fri. A month too short for a day has its last day instead, in monthly,
yearly and every, unless they say month_end = "skip"; in cron it has none.

Local times are those of `timezone`: the schedule's own, else that of the site it arms, else that of
[scheduler], else UTC. `start` and `end` bound any trigger, `max_runs` ends it after so many runs.
`trioarm explain NAME` puts a trigger into words, `trioarm preview` lists what it yields."""

POLICIES: Final = """\
What a schedule may say beside its trigger. Durations are written 90s, 5m, 1h30m or 1d.

  tolerance        lateness that still counts as on time
  misfire          latest, each or skip: see `trioarm help misfires`
  misfire_window   how old an occurrence may be and still run late
  overlap          what happens while the run before has not ended: skip (the
                   default), allow, buffer_one, buffer_latest, buffer_all or
                   cancel_running: see `trioarm help overlap`
  lane             runs of one lane never overlap, whatever their schedule
  resources        what its runs need beside a worker, such as ["nas"]: see
                   `trioarm help resources`
  supersede        in its lane only the newest of what came due together counts
  precedence       0 to 999; of one instant and one priority in such a lane the
                   highest counts; schedules that arm have one of their own
  timeout          how long one attempt may take
  retry            { max_retries = 3, base = "1s", max = "30s", factor = 2.0 };
                   also strategy, on and never (names of errors), max_age and
                   per_error: see trioarm/docs/retries.md
  pause_after_failures
                   paused, with an alert, once so many runs in a row failed
  delivery         at_least_once (the default): what was interrupted is started
                   again; at_most_once: one call per run, and what was
                   interrupted ends as unknown
  priority         0 to 9, 9 is most urgent; what has waited for a worker for
                   half of executor.queue_timeout goes before all others
  jitter           each occurrence starts up to so much later, always by the
                   same for the same one
  gap, fold        what happens when clocks change: see `trioarm help dst`
  start, end, max_runs, tags, enabled"""

MISFIRES: Final = """\
An occurrence that is noticed later than its tolerance is a misfire: the node was down, the machine
slept, or the clock was set forward. Every occurrence is decided, exactly once, and a decision not to run
is kept with its reason.

Of what one schedule missed, only the newest can still be on time. For the rest, `misfire` says:

  latest   the newest runs, if it is not older than misfire_window; the
           others are missed (this is the default)
  each     each runs that is not older than misfire_window
  skip     none runs

With scheduler.auto_recovery = false, nothing that came due while the node was down is caught up.
Arming has rules of its own: see `trioarm help arming`."""

RESOURCES: Final = """\
A resource is something that several schedules need, and that must not be asked too much: a disk, a mail
server, an alarm panel. What holds for it is said once, for all nodes of a store together:

  [resource.nas]
  limit = 2                              so many runs need it at once
  gap = "5s"                             between the beginnings of two
  rate = { runs = 10, per = "1m" }       so many begin within a time
  breaker = { failures = 5, pause = "1m" }

and a schedule names what its runs need: resources = ["nas"]. A run begins when all of them are free and a
worker is, too; until then it waits, and keeps nobody waiting who needs other things. A run between two
attempts holds nothing. What could only begin later than its misfire_window is given up, as missed. What a
run needs is what its schedule says now: where a resource is taken out, a run that works with it counts no more.

After `failures` attempts in a row that failed, or took too long, a breaker opens: nothing begins that needs
the resource, so that no attempts are wasted, and one alert says so. After `pause` one run at a time tries;
the first that goes well closes the breaker and resolves the alert. `trioarm resources list` shows who holds what,
and since when.

Each alarm panel has a breaker without this, by which every schedule still asks once at its instant. A schedule
that arms may share a limit, a gap or a rate; a breaker would keep it from asking at all, and is warned of."""

OVERLAP: Final = """\
An occurrence may come due while an earlier run of its schedule is unfinished: it works, waits for a worker,
or for its next attempt. `overlap` says what happens then.

  skip            the occurrence is skipped (this is the default)
  buffer_one      it waits, and is the only one that does; further ones are
                  skipped
  buffer_latest   it waits, and takes the place of one that waited before,
                  which is superseded
  buffer_all      it waits behind all before it; beyond 100 of them,
                  occurrences are skipped
  cancel_running  the run before is cancelled, and it starts once that has ended
  allow           both run at once

With the four in the middle, runs of the schedule never overlap, those fired by hand included, unless that is
done with `--overlap allow`. What waits shows as pending, with what it waits for. It is given up, as missed,
when it could only start later than its misfire_window. In a superseding lane older runs give way, so there
only skip and allow have a meaning. With skip and allow runs hold nothing that one fired by hand could wait for:
asked to wait, it is refused; with `--overlap cancel_running` it starts while the one before is still ending."""

DST: Final = """\
Once a year clocks skip an hour, once they repeat one. `gap` and `fold` say what that means.

  gap  = "run_after"  02:30 does not exist: it happens after the gap, at 03:00
         "shift"      it happens as if clocks had not changed yet, at 03:30
         "skip"       it is left out
  fold = "first"      02:30 comes twice: it happens the first time
         "second"     the second time
         "both"       both times

Without a word a fixed time uses run_after and first. A cron whose minutes or hours begin with * follows
the time that really passes: nothing is made up after a gap, and both passes of a fold count. `every` and
`after` know no clocks on walls at all. `trioarm preview` marks every occurrence that a change touches.
With features.dst = false, schedules keep to standard time all the year."""

ARMING: Final = """\
A schedule that names a partition and a target arms (or disarms) it. It becomes one schedule per
partition, such as weeknight/house, so that each has its own runs and its own outcome.

The panel is read before anything is sent. What already is as wanted is left alone; a run succeeds only
once the panel itself reports the target. At most three commands are sent, each after a fresh look.
A partition in alarm or in its entry delay is never touched.

What a partition speaks to is its panel: `virtual`, which is built in (trioarm/docs/panels-virtual.md);
`command`, programs that set it and read it back (trioarm/docs/panels-command.md); `http`, a webhook and a
URL to read its state back from (trioarm/docs/panels-http.md); `homeassistant`, an alarm panel there
(trioarm/docs/panels-homeassistant.md); or `mqtt`, topics of a broker, such as those of manual_mqtt and
of Alarmo (trioarm/docs/panels-mqtt.md).

With [discovery] and a broker, schedules and partitions are entities of Home Assistant, with a switch and
buttons to skip, postpone and run now (trioarm/docs/home-assistant.md).

After downtime, only the newest occurrence that came due for a partition counts; the others are
superseded, and nothing is sent for them. A late arm still applies until the partition's next occurrence,
at most for 24 hours; a late disarm for arming.late_disarm (15 minutes), then it is missed.

Of what comes at one instant for a partition, one counts: the higher priority, then what is once, then
exceptions, then what protects more. What contradicts itself is refused, and `trioarm check` tells what
is undone soon after and which nights may be mixed up (trioarm/docs/conflicts.md).

Schedules disarm only where the partition says allow_disarm = true. Codes are references,
code = { env = "HOUSE_CODE" } or { file = "house.code" }, and appear in no log.
Some days are otherwise: guests, holidays, vacations. `trioarm exceptions add` says so for a schedule, a tag
or a site, [[exception]] in the file does where it is known beforehand; trioarm/docs/exceptions.md of the
installed package has all of it. With only_if and not_if it depends on conditions, such as somebody who is
home: [condition.NAME] and trioarm/docs/conditions.md. `trioarm partitions hold` stops all scheduled commands at once.

This is not certified alarm equipment."""

SCHEDULES: Final = """\
Schedules are stored: those of scheduler.toml, which every start makes what the file says, and those that
people add. Commands open the store themselves, so they work whether or not a node is running; one that
runs acts on them at once. Who did what is kept, with the login name, or whoever --as says.

  schedules list       what is stored; --owner, --state, --tag and others
                       narrow it
  schedules add        from options, or with --toml or --file; its owner is cli
  schedules pause      nothing runs until it is resumed, or --until an instant;
                       what comes due meanwhile is never caught up
  schedules skip       one occurrence, the next or the one named by --at
  schedules postpone   one occurrence, --by 30m or --until an instant: at most
                       two hours, three times, never past the next one
  schedules undo       what was said of an occurrence
  schedules fire       a run now; --wait until it has ended
  schedules backfill   each occurrence of a range that is over, --from and
                       --until, whatever was decided of it; behind all else
  schedules remove     its runs stay; what a file declares is removed there

Instead of names, pause and resume take --tag, --owner, --handler, --lane or --under, with --dry-run to see
what they would do. `trioarm check --diff` says what the file would change. In the file, [owner.cli] with
max_schedules = 100 bounds how many schedules an owner may have. All of it, with examples, is in
trioarm/docs/managing.md of the installed package.

The name of a schedule that arms several partitions means each of them: weeknight means weeknight/house and
weeknight/garage. Instants are written 2026-12-24T18:00:00+01:00, or as a duration such as 2h."""

HANDLERS: Final = """\
A schedule calls a handler, by its name. Two come with the program: `log` writes a line, `command` runs a
program, never a shell.

  argv     the program and its arguments, a list
  env      variables for it, { NAME = "value" }
  inherit  names of variables of the node to pass on, or true for all; else
           it gets PATH, HOME, the language, the zone and who it is
  cwd      the directory it works in
  stdin    a text it can read

Its exit code decides; the end of what it said is kept and shown by `trioarm runs show`. At its timeout, all
it started is told to terminate, and killed three seconds later. It knows itself by TRIOARM_RUN_ID,
TRIOARM_SCHEDULE, TRIOARM_NOMINAL_AT, TRIOARM_DUE_AT, TRIOARM_ATTEMPT, TRIOARM_TOKEN and TRIOARM_ARGS.

Programs in Python bring handlers of their own: trioarm/docs/handlers.md says how."""

RUNS: Final = """\
Every occurrence of a schedule is decided exactly once: to run, or not to, and then why. Both are runs, and
are listed; many occurrences that were skipped together are one line with both ends and a count.

  pending            it waits until it is due, or for its lane or a worker
  claimed, running   a node has it
  succeeded          its handler returned
  failed, timed_out  and no retry is left
  cancelled          somebody asked for it, or a newer one took its place
  overridden         somebody did otherwise meanwhile
  unknown            it was interrupted, and may not be begun twice
  skipped, missed, superseded
                     it never ran

`trioarm runs list` shows the newest last, --all shows all, --follow tells of each as it changes. A run is
named by its schedule and its instant, backup@2026-11-23T01:30:00Z; one that somebody fired, retried or
backfilled ends in +manual, +retry or +backfill. `runs cancel` and `runs retry` take several of them; instead
of ids, `runs cancel` takes --schedule, --tag, --state, --origin and others. `trioarm statistics` says how
many went well, how late they began and how long they took.

`runs list --failed` shows what failed for good, `runs retry --failed` runs all of that again which nobody has
retried yet; --schedule, --tag, --since and others narrow it, --dry-run only looks. More on failures and
retries is in trioarm/docs/retries.md of the installed package."""

STORE: Final = """\
With scheduler.store = "sqlite:///trioarm.db", everything is kept in one file beside the configuration, with
-wal and -shm beside it while it is in use. Several nodes of one machine may live on it. Put it on a local
disk, not on a network share. memory:// forgets all at the end, and no command can see it.

  store backup FILE  a copy as of one moment, complete or not there at all;
                     nodes go on meanwhile. Copying the file by hand is not
                     safe while a node runs
  store check        looks at every page and row, and tells each problem;
                     exit code 1 when there is one
  store migrate      brings the tables up to date after trioarm was updated;
                     `run` does so, too, other commands refuse an older store
  store prune --dry-run
                     how much retention lets a node forget by now; forgets it
                     in a copy of the store, which goes again

To restore: stop the nodes, move trioarm.db, trioarm.db-wal and trioarm.db-shm away, put the copy there.
What cannot be read is kept, shown as quarantined or unknown, and stops nothing else."""

STATUS: Final = """\
`trioarm status` looks at the store, not into a node: it answers even when a node hangs.

  0  healthy
  1  degraded: a node is alive, but did not renew its lease, leaves schedules
     undecided or runs overdue, or a schedule is in quarantine
  4  down: no node is alive on the store

A node is alive while its process is there, holds its lock and renews its lease every ten seconds. With
--probe it is one short line, quickly, for a container's health check:

  HEALTHCHECK CMD trioarm status --probe"""

EXIT_CODES: Final = """\
  0    all went well
  1    something failed: the error says what
  2    the configuration, the store or the command line cannot be used
  3    `run` had to cancel runs: they had not ended when the drain deadline
       (scheduler.drain) came, or a second signal asked for it
  4    `status` found no living node; there, 1 is a node that does its work with
       something wrong
  130  Ctrl+C ended a command other than `run`

`trioarm run` takes the first SIGINT (Ctrl+C) or SIGTERM as a wish to end: nothing new begins, and runs may
end until scheduler.drain. The second cancels them at once. A handler that ignores even that is named, and
left behind.

SIGHUP reads the configuration again; where the terminal has been closed, it ends the node. As the first
process of a container (PID 1) the program hands signals on to the node, reaps orphans, and ends with the
node's exit code."""

SERVICE: Final = """`trioarm run` is made to be started by a supervisor. For systemd there is a unit to begin with, in
trioarm/examples/trioarm.service of the installed package, and a page on it and on containers, in
trioarm/docs/operating.md.

A supervisor that names NOTIFY_SOCKET is told when the node is ready, reads its configuration again, and
stops. One that sets WATCHDOG_USEC gets signs of life, which stop when the node hangs.

With scheduler.dead_man_url the node fetches that URL while it is well, so that whoever waits for it
elsewhere notices when the whole machine is off."""

LOGS: Final = """\
`trioarm run` logs to stdout, errors that end the program go to stderr.

Lines for people begin with the time of this machine and its offset. With log.format = "json" each line is
an object: at (UTC), level, logger, message, and fields such as kind and run; so is every error that keeps
`run` from starting. log.level is debug, info, warning or error. features.debug adds a line for every
decision of the engine.

Codes and keys of panels, and passwords in URLs, are replaced by *** in every line. Colours are for
terminals only, and never with NO_COLOR set."""

CONFIGURATION: Final = """\
The configuration is scheduler.toml, another file named by --config or $TRIOARM_CONFIG. `trioarm init` writes
one, `trioarm check` says all that is wrong with it, `trioarm config show` shows every setting.

What is said in several places, in order of strength: command line (--set KEY=VALUE), environment variable,
scheduler.local.toml beside the file, [environment.NAME], the file, the default. Durations in the file are
"90s" or "5m"; in environment variables they are whole milliseconds.

`trioarm config set KEY VALUE` writes scheduler.local.toml, and a running node takes over at once what is
live. SIGHUP has it read everything again: settings, and declared schedules. What is not live, and sites and
partitions, waits for the next start; a configuration with problems changes nothing.

[handler.NAME] with workers = 2 gives a handler workers of its own: it begins although all others hang, and
no more of it run at once. [notify.NAME] is a way by which people are told of alerts: docs/notifications.md
in the package says which ways there are, and `trioarm notify test NAME` whether one is open.

Settings, with their defaults:"""


@attrs.frozen(slots=True)
class Topic:
    """Something to read about.

    Args:
        title: one line.
        text: paragraphs, filled to the terminal's width; what is indented stays as it is.
    """

    title: str
    text: str


TOPICS: Final = {
    "triggers": Topic("the rules that say when", TRIGGERS),
    "policies": Topic("what else a schedule may say", POLICIES),
    "misfires": Topic("what becomes of what was noticed too late", MISFIRES),
    "resources": Topic("what runs need beside a worker: limits, gaps, rates, breakers", RESOURCES),
    "overlap": Topic("what happens while the run before has not ended", OVERLAP),
    "dst": Topic("what happens when clocks change", DST),
    "arming": Topic("schedules that arm alarm panels", ARMING),
    "schedules": Topic("what can be done with stored schedules", SCHEDULES),
    "handlers": Topic("what schedules call, and how programs are run", HANDLERS),
    "runs": Topic("what became of each occurrence, and how to read it", RUNS),
    "status": Topic("how a node is, for people and for containers", STATUS),
    "store": Topic("the file that everything is kept in, its backups and checks", STORE),
    "configuration": Topic("where settings come from, and every one of them", CONFIGURATION),
    "logs": Topic("what `trioarm run` writes, and how to have it as JSON", LOGS),
    "service": Topic("running under systemd or in a container, and being missed", SERVICE),
    "exit-codes": Topic("how the program ends, and what signals do", EXIT_CODES),
}


def help_(topic: Annotated[str | None, Parameter(name="TOPIC", help="What to read about.")] = None, /) -> Exit:
    """Show a short text on a topic, or the list of topics.

    For example:

    - `trioarm help`
    - `trioarm help dst`
    """
    if topic is None:
        say("Topics, to be read with `trioarm help TOPIC`:\n")
        for name, each in TOPICS.items():
            say(f"  {name:<14} {each.title}")
        say("\nEvery command has its own --help.")
        return Exit.CLEAN
    if topic not in TOPICS:
        raise UsageError(f"there is no topic {topic!r}{suggest(topic, TOPICS)}")
    for number, block in enumerate(TOPICS[topic].text.split("\n\n")):
        if number:
            say()
        for line in block.splitlines() if block.startswith(" ") else wrapped(block, ""):
            say(line)
    if topic == "configuration":
        for setting in SchedulerConfig().describe():
            say(f"\n  {paint(setting.key, Style.HEADING, sys.stdout)} = {setting.example}")
            for line in wrapped(about(setting), "      "):
                say(line)
    return Exit.CLEAN
