"""Tests of audit.merging, and of the verbs merge and verify."""
