"""The base class of all records."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value on a topic. Unknown fields are refused: the record is of another version of the producer.

    NaN and Infinity are refused too: JSON does not have them, and written as null they could not be read back.
    ``models.bounds`` limits how large values may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    _defaults: ClassVar[dict[str, Any]] = {}
    """By field, in their order: its default; None for one without."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Note the defaults, which pydantic's ``model_construct`` copies deeply each time."""
        super().__pydantic_init_subclass__(**kwargs)
        cls._defaults = {
            name: None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
            for name, field in cls.model_fields.items()
        }

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:  # type: ignore[override]
        """As pydantic's, for fields by name. Defaults are shared, not copied: records are not changed."""
        self = cls.__new__(cls)
        fields = cls._defaults.copy()
        fields.update(values)
        object.__setattr__(self, "__dict__", fields)
        object.__setattr__(self, "__pydantic_fields_set__", set(values) if _fields_set is None else _fields_set)
        object.__setattr__(self, "__pydantic_extra__", None)
        object.__setattr__(self, "__pydantic_private__", None)
        return self
