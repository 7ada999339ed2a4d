"""Telling people: the words, the channels, the flags of `check`."""
