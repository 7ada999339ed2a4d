"""Tests of audit/wire."""
