"""Commanding: an occurrence is carried out by verified commands, step by step, until its panel itself says so (A2, A3)."""
