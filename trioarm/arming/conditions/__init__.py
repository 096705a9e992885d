"""Conditions: what has to be so for a schedule to be carried out, asked anew each time (A4.5)."""
