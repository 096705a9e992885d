"""Where schedules, runs, documents and journals are kept: adapters of `engine.ports.ScheduleRepository`."""
