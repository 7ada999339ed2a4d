"""A night of merges as values: what a plan says, what is merged once for several tags, what became of each tag.

    BatchPlan --units--> Unit        entries with the same sources and options: merged once, under all their tags
    Unit --(audit.batching)--> TagReport   one for every tag, whatever happened
    TagReports --report--> text      one file a format in `reports/`

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
