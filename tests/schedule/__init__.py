"""Schedules: the texts of units and crontabs."""
