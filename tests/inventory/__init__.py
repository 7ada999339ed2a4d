"""Tests of audit.inventory."""
