"""Tests of the probe's pure part."""
