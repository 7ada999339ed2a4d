"""A night of merges carried out: every source read once, every blob placed once, every tag written last and noted.

    batch = Batch(client, journal, plan, units(plan.entries), kept=kept, wishes=Wishes())
    report = batch.run()

The rooms: `running` is the batch with its threads, windows and patience, `working` what is done with one set of sources
(`jobs`): `reading` gets the sources' manifests, `unit` brings what is missing, `placing` knows what stands in the
target repositories and lets each thing be brought by one thread alone, `standing` says what tags stood for before,
`tagging` writes them, `noting` keeps it. `trouble` parks and gives up, as `verdicts` says of each error; `guard` keeps
two batches apart; `rollback` takes a run back.

What an index holds is `audit.image.index`'s, what is asked of a registry `audit.engines.merge.registry`'s: a batch only
does each part once for all.
"""

from audit.batching.guard import Guard
from audit.batching.rollback import roll_back
from audit.batching.running import Batch, this_boot
from audit.batching.shared import Times, Wishes

__all__ = ["Batch", "Guard", "Times", "Wishes", "roll_back", "this_boot"]
