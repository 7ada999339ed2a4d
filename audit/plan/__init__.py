"""Who builds what, with which flags, and how it is merged: every command, before anything is run.

    parse_request   what the user asks for, checked
    make_plan       a judged run and a request in, a Plan out

Pure: the same inputs give the same bytes. `model` holds the nouns, `workers` says who is fit and who comes first,
`attest` what becomes of attestations, `merging` which merge engine, `making` puts them together.
"""

from __future__ import annotations

from audit.plan.making import make_plan
from audit.plan.model import (
    Attestations,
    BuildStep,
    MergePlan,
    NotChosen,
    Placed,
    Plan,
    Problem,
    Request,
    Work,
    is_git,
)
from audit.plan.request import parse_request

__all__ = [
    "Attestations", "BuildStep", "MergePlan", "NotChosen", "Placed", "Plan", "Problem", "Request", "Work", "is_git",
    "make_plan", "parse_request",
]  # fmt: skip
