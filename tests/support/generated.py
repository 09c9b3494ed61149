"""Records within the bounds of their models, made up from the models' JSON schemas."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter

LONGEST = 12
"""Of a list or a text that is made up, where the schema allows it: more of the same shows nothing more."""
TEXT = st.characters(exclude_categories=("Cs",))


def values(model: Any) -> st.SearchStrategy[Any]:
    """JSON values as ``model``'s schema allows them; what several fields say together, it does not know."""
    schema = TypeAdapter(model).json_schema()
    return _of(schema, schema.get("$defs", {}))


def _of(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return st.deferred(lambda: _of(defs[schema["$ref"].rpartition("/")[2]], defs))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([_of(each, defs) for each in schema[several]])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(schema["minimum"], schema["maximum"])
        case "string":
            return _text(schema)
        case "array":
            return _list(schema, defs)
        case "object" if "properties" in schema:
            needed = {
                *schema.get("required", ()),
                *(name for name, each in schema["properties"].items() if "const" in each),
            }
            fields = {name: _of(each, defs) for name, each in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: each for name, each in fields.items() if name in needed},
                optional={name: each for name, each in fields.items() if name not in needed},
            )
        case "object":
            return st.dictionaries(_text(schema["propertyNames"]), _of(schema["additionalProperties"], defs),
                                   max_size=LONGEST)  # fmt: skip
    raise AssertionError(f"no values are known of {schema}")


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.timezones() | st.none()).map(lambda at: at.isoformat()).filter(_is_ours)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).map(lambda text: text[: schema["maxLength"]])
    shortest, longest = schema.get("minLength", 0), schema["maxLength"]
    return st.text(TEXT, min_size=shortest, max_size=min(longest, LONGEST)) | st.just("\x01" * longest)


def _is_ours(instant: str) -> bool:
    return "1900" <= instant[:4] <= "2200" and instant.count(":") < 4


def _list(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in schema:
        return st.tuples(*(_of(each, defs) for each in schema["prefixItems"])).map(list)
    shortest = schema.get("minItems", 0)
    most = min(schema["maxItems"], max(LONGEST, shortest))
    return st.lists(_of(schema["items"], defs), min_size=shortest, max_size=most)
