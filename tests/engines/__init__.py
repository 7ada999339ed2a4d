"""Merge engines: what each of them would do, and whether the real tools agree."""
