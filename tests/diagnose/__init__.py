"""Logs that are known, and hostile ones."""
