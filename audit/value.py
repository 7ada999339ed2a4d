"""What every noun is: a frozen value. Apart from the nouns, since a verb that needs none of them starts sooner."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION: Literal[1] = 1
"""Version of the JSON that `--save` and `--report json` write; raised when a reader of the old one would misread."""


class Model(BaseModel):
    """A frozen value; unknown keys are refused and nothing is coerced from a wrong type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
