"""A handler with its description: the path, parameters and answer that ``web.api.openapi`` documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from web.api.responses import API_PREFIX
from web.feed import Feed

Tag = Literal["session", "marts", "service"]
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[web.StreamResponse]])

SESSION_PATH = f"{API_PREFIX}sessions/{{key}}"
BOUND = 10**15 - 1
INTEGER = {"type": "integer", "minimum": -BOUND, "maximum": BOUND}
"""Schema of an integer parameter: ``web.api.requests`` reads up to 15 digits."""


class Schema(BaseModel):
    """Model of an answer, or of an object in one, without further fields. Its class name ends in ``Schema``.

    The models document the API, and tests validate real answers with the document. Handlers build large answers as
    plain dicts of the same shape: validating thousands of numbers per request costs more than computing them.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class OpenSchema(Schema):
    """An object of which only the most useful fields are described."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; ``schema`` is its JSON schema."""

    name: str
    schema: dict[str, Any]
    description: str = ""
    example: str | int | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """``GET`` of a path."""

    path: str
    tag: Tag
    summary: str
    answer: type[BaseModel] | str
    """Model of a JSON answer, or the content type of another one."""
    returns: str
    """Description of the answer."""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    unavailable: str = ""
    """Description of a 503 with the same model."""
    operation_id: str = ""
    """Empty: the name of the method."""


def get(
    path: str,
    *,
    tag: Tag,
    summary: str,
    answer: type[BaseModel] | str,
    returns: str,
    description: str = "",
    parameters: tuple[Parameter, ...] = (),
    unavailable: str = "",
    operation_id: str = "",
) -> Callable[[Handler], Handler]:
    """Mark a method of ``Routes`` as the handler of ``GET path``; the parameters are the fields of ``Operation``."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__["operation"] = Operation(
            path, tag, summary, answer, returns, description, parameters, unavailable, operation_id
        )
        return handler

    return mark


class Routes:
    """Handlers of related paths: the methods that are marked with ``get``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    @classmethod
    def operations(cls) -> dict[str, Operation]:
        """The operations by method name, in the order of the class."""
        marked = ((name, getattr(member, "__dict__", {}).get("operation")) for name, member in vars(cls).items())
        return {name: operation for name, operation in marked if operation is not None}

    def routes(self) -> list[web.RouteDef]:
        """The routes for an application."""
        return [web.get(operation.path, getattr(self, name)) for name, operation in self.operations().items()]
