"""One file a rule; `audit.rule` lists this folder."""
