"""Drift: two checks against each other."""
