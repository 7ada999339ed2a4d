"""Tests of names, platforms and descriptors."""
