"""Exceptions: what is otherwise than the timetable for some days, as said, as kept, and as schedules yield it."""
