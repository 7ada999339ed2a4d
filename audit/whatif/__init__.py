"""A worker that does not exist yet: the facts after a change, what they would change, and what that breaks."""
