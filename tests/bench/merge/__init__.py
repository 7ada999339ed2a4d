"""Merging, measured: the same sources into one tag by us and by the peers, against one registry that counts."""
