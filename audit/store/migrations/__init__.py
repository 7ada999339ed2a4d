"""How the schema came to be what it is: one file of `versions/` a step, carried out by Alembic.

A new step: change `tables.py`; write `versions/rNNNN_what.py` after the newest there, with its own spelling of what it
makes (it must mean the same for ever, so it imports nothing of ours); add the number to `tables.REVISIONS`; run
`make docs`. `tests/store/test_schema.py` compares a file that was migrated from every older revision with a new one.

There is no way back: an older fleet-audit refuses a newer file.
"""
