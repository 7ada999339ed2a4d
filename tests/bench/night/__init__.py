"""A whole night of merges, rehearsed: a real fleet's workload behind a proxy that counts, limits and injures."""
