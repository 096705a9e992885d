"""Commanding: an occurrence is carried out by verified commands, step by step, until the panel itself says so."""
