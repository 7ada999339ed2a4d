"""One file a fact; `audit.fact` lists this folder."""
