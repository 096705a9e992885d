"""Simulation: drawn histories of whole nodes, checked against the guarantee (S2)."""
