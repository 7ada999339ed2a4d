"""What carries a step out, one file an engine: each says whether it is able, and what would be done; none does it."""
