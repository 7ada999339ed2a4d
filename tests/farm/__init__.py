"""Servers that misbehave, and real ones under our control, all on loopback addresses."""
