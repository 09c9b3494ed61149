"""The API's description, ``web/api/openapi.yaml``: run ``python -m web.api.openapi`` after a change to a handler.

Paths, parameters and answers come from the handlers (``web.api.operation``), their schemas from the models. This
module adds what all operations share: errors, headers, and the texts of the document.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.api.operation import INTEGER, Operation, Parameter, Schema
from web.api.responses import API_PREFIX
from web.api.routes import ALL
from web.api.service import OPENAPI
from web.limits import LONG

Json = dict[str, Any]


class ErrorSchema(Schema):
    """An error."""

    error: str
    """What was wrong, as a sentence."""


DESCRIPTION = """\
A session is queried at a session time `at`, in milliseconds of the session's clock: **nothing that became known
later is in an answer**. Without `at` an answer contains everything that is known.

Unless a field says otherwise, times are integer milliseconds (`t`, `*_ms`), X and Y tenths of a metre, speeds km/h,
distances metres. Null means unknown. Every answer below `/api/` has an `ETag` and can be revalidated with
`If-None-Match`: 304 means unchanged. Errors are sentences. Answers are compressed for clients that accept gzip. One
address may send `F1STREAM_WEB_REQUESTS_PER_MINUTE` (600) requests a minute, a third of them at once: further ones
get 429 with `Retry-After`.

The websocket `/ws` sends the frames as they arrive. It is not part of this description.
"""
TAGS = {
    "session": "A session as it was known at a time.",
    "marts": "Data of the marts, once they have been built.",
    "service": "The server itself.",
}
AT = Parameter(
    "at",
    INTEGER,
    "Session time in ms: the answer contains nothing that became known later. Without it the answer contains "
    "everything that is known.",
    4377726,
)
PATH_PARAMETERS: dict[str, Json] = {
    "key": {
        "description": "The session's key, as listed by `/api/sessions`.",
        "schema": {"type": "string", "minLength": 1},
    },
    "year": {"schema": {"type": "integer", "minimum": 1000, "maximum": 9999}, "example": 2025},
}
HEADERS = {
    "ETag": {"description": "Changes with the body.", "schema": {"type": "string"}},
    "RetryAfter": {
        "description": "Seconds after which the request may be repeated.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "CacheControl": {
        "description": "May be stored; revalidated on each use.",
        "schema": {"const": "no-cache"},
    },
}
REUSABLE = ("ETag", "Cache-Control")
"""Headers of an answer that may be stored."""
ERRORS = {
    "304": ("NotModified", "The client's answer is current. Without a body.", REUSABLE),
    "400": ("BadRequest", "A parameter is missing or invalid.", ()),
    "404": ("NotFound", "It does not exist, or was not known at that time.", ()),
    "421": (
        "Misdirected",
        "Host names another server; `F1STREAM_WEB_HOSTS` lists the names of this one.",
        (),
    ),
    "429": ("TooManyRequests", "Too many requests from one address.", ("Retry-After",)),
    "500": ("InternalError", "Internal error; the server's log has the reason.", ()),
    "503": ("Busy", "Too many long answers are being computed.", ("Retry-After",)),
}
"""By status: component, description, headers."""


NO_CONTENT = "It does not exist, or was not known at that time, and `absent=204` was given. Without a body."
ABSENT = Parameter(
    "absent",
    {"type": "string", "enum": ["204"]},
    "`204` is answered in place of `404`: browsers report every 404 as an error of the page.",
)


def document() -> Json:
    """The OpenAPI document."""
    operations = [
        (operation.operation_id or name, operation) for part in ALL for name, operation in part.operations().items()
    ]
    models = [operation.answer for _, operation in operations if not isinstance(operation.answer, str)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "f1stream",
            "version": "1",
            "summary": "A Formula 1 session as it was known at any of its times.",
            "description": DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {operation.path: {"get": _operation(name, operation)} for name, operation in operations},
        "components": {
            "parameters": {
                "At": _parameter(AT),
                "Absent": _parameter(ABSENT),
                "IfNoneMatch": {
                    "name": "If-None-Match",
                    "in": "header",
                    "description": "The `ETag` of an answer that the client has.",
                    "schema": {"type": "string"},
                },
            },
            "headers": HEADERS,
            "responses": {
                "NoContent": {"description": NO_CONTENT},
                **{name: _error(text, headers) for name, text, headers in ERRORS.values()},
            },
            "schemas": schemas([ErrorSchema, *models]),
        },
    }


def _operation(name: str, operation: Operation) -> Json:
    of_api = operation.path.startswith(API_PREFIX)
    in_path = re.findall(r"{(\w+)}", operation.path)
    parameters: list[Json] = [
        {"name": key, "in": "path", "required": True, **PATH_PARAMETERS[key]} for key in in_path
    ]
    if "key" in in_path:
        parameters.append(_ref("parameters", "At"))
    if of_api and in_path:
        parameters.append(_ref("parameters", "Absent"))
    if of_api:
        parameters.append(_ref("parameters", "IfNoneMatch"))
    parameters += [_parameter(each) for each in operation.parameters]
    responses: Json = {"200": {"description": operation.returns, "content": _content(operation.answer)}}
    if of_api:
        responses["200"]["headers"] = _headers(REUSABLE)
        responses |= {"204": _ref("responses", "NoContent")} if in_path else {}
        statuses = ["304", *(["400", "404"] if in_path else []), "421", "429", "500"]
        statuses += ["503"] if operation.path.rpartition("/")[2] in LONG else []
        responses |= {status: _ref("responses", ERRORS[status][0]) for status in statuses}
    if operation.unavailable:
        responses["503"] = {"description": operation.unavailable, "content": _content(operation.answer)}
    return {
        "operationId": name,
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
        **({"parameters": parameters} if parameters else {}),
        "responses": responses,
    }


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": "query",
        **({"required": True} if parameter.required else {}),
        **({"description": parameter.description} if parameter.description else {}),
        "schema": parameter.schema,
        **({} if parameter.example is None else {"example": parameter.example}),
    }


def _content(answer: type[BaseModel] | str) -> Json:
    match answer:
        case "text/plain":
            return {answer: {"schema": {"type": "string"}}}
        case str():
            return {answer: {"schema": {"type": "object", "required": ["openapi", "info", "paths"]}}}
    return {"application/json": {"schema": _ref("schemas", component(answer.__name__))}}


def _error(text: str, headers: tuple[str, ...]) -> Json:
    body = {} if headers == REUSABLE else {"content": _content(ErrorSchema)}
    return {"description": text, **({"headers": _headers(headers)} if headers else {}), **body}


def _headers(names: tuple[str, ...]) -> Json:
    return {name: _ref("headers", name.replace("-", "")) for name in names}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def component(class_name: str) -> str:
    """The name of a model in the document."""
    return class_name.removesuffix("Schema")


def schemas(models: list[type[BaseModel]]) -> Json:
    """The JSON schemas of models and of those that they contain, by component name."""
    _, made = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {component(name): _plain(schema) for name, schema in sorted(made["$defs"].items())}


def _plain(schema: Any) -> Any:
    """A schema without pydantic's titles and defaults, with ``type: [T, "null"]`` for an optional ``T``."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        path, _, name = schema["$ref"].rpartition("/")
        schema = schema | {"$ref": f"{path}/{component(name)}"}
    plain = {
        key: {name: _plain(each) for name, each in value.items()} if key == "properties" else _plain(value)
        for key, value in schema.items()
        if key not in {"title", "default"}
    }
    match plain.get("anyOf"):
        case [{"type": str() as kind, **rest}, {"type": "null"}]:
            del plain["anyOf"]
            plain = {"type": [kind, "null"], **rest, **plain}
    return plain


class _Dumper(yaml.SafeDumper):  # type: ignore[misc] # yaml has no types
    """YAML without anchors; texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render() -> str:
    """The document as YAML."""
    header = "# Written by `python -m web.api.openapi` from the handlers and models in web/api; do not edit.\n"
    text: str = yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116)
    return header + text


if __name__ == "__main__":
    OPENAPI.write_text(render())
