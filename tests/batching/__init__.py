"""A night of merges against registries of the farm."""
