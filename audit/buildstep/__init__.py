"""One build on one worker, as values: the script that runs there, what its output says, and what came of it.

Nothing is run here: `audit.building` sends the script over a session and asks the registry.
"""

from audit.buildstep.answers import Hearing, last_words
from audit.buildstep.result import Attempt, Built, Report, State, When
from audit.buildstep.script import Job, do_script, stdin_of, undo_script

__all__ = [
    "Attempt", "Built", "Hearing", "Job", "Report", "State", "When", "do_script", "last_words", "stdin_of",
    "undo_script",
]  # fmt: skip
