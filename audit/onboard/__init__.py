"""A machine taken (back) into the fleet, as values: what each step saw, what is to be done, and whether it is ready.

    found = assess(seen)        `audit.onboard.seen.Seen`: what the shell found out
    found.ready                 every step is fine, and what a build there pushes was proved and merged

Nothing here asks or changes anything; `audit.onboarding` does.
"""

from audit.onboard.assess import assess
from audit.onboard.model import Onboarding, Step, Todo
from audit.onboard.seen import Identity, Offers, Rehearsal, Seen

__all__ = ["Identity", "Offers", "Onboarding", "Rehearsal", "Seen", "Step", "Todo", "assess"]
