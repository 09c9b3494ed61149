"""The common ground of every record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value on a topic. Unknown fields are refused: a producer that speaks another version is told so."""

    model_config = ConfigDict(extra="forbid", frozen=True)
