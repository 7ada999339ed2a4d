"""Measurements against peers; each prints a table and writes `.bench/NAME.json`."""
