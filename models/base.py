"""The common ground of every record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value on a topic. Unknown fields are refused: a producer that speaks another version is told so.

    So are NaN and Infinity, which JSON does not have: written as null, they could not be read back.
    ``models.bounds`` has how large values may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
