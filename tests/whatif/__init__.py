"""Cases of `whatif`: facts now, changes, and what is expected then."""
