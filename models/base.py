"""The base class of all records."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value on a topic. Unknown fields are refused: the record is of another version of the producer.

    NaN and Infinity are refused too: JSON does not have them, and written as null they could not be read back.
    ``models.bounds`` limits how large values may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
