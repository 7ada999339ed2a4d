"""A night of merges as values: what a plan says, what is merged once for several tags, what became of each tag.

    text --reading--> BatchPlan      JSON, YAML, or the lines of a builds.expected file
    BatchPlan --units--> Unit        entries with the same sources and options: merged once, under all their tags
    Units --order, forecast-->       base images first; what it will cost, with Docker's clients beside it
    Unit --(audit.batching)--> TagReport   one for every tag, whatever happened
    TagReports --report--> text      one file a format in `reports/`; `progress` meanwhile

Pure: reading a plan takes its text, and the run itself is `audit.batching`'s.
"""

from audit.batch.model import (
    UNDONE,
    BatchPlan,
    BatchReport,
    BatchSource,
    Entry,
    ErrorSeen,
    TagReport,
    TagState,
    Unit,
    units,
)

__all__ = [
    "UNDONE",
    "BatchPlan", "BatchReport", "BatchSource", "Entry", "ErrorSeen", "TagReport", "TagState", "Unit", "units",
]  # fmt: skip
