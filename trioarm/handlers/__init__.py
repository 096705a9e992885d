"""Handlers by registered name: how they get one, and those that come with trioarm."""
