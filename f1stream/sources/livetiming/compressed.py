"""The feed's ``.z`` topics: JSON, raw deflate, base64."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import orjson

LARGEST_BYTES = 4_000_000
"""Bytes of a decompressed message; a larger one is refused. The feed's have some tens of kB."""


class UnreadableData(ValueError):
    """A message whose content does not have its topic's form; the text says why."""


def decompress(text: Any) -> Any:
    """The content of a ``.z`` topic's message. Raises UnreadableData."""
    try:
        inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        json = inflater.decompress(base64.b64decode(text, validate=True), LARGEST_BYTES)
        if not inflater.unconsumed_tail:
            return orjson.loads(json)
    except (TypeError, ValueError, zlib.error, binascii.Error) as error:
        raise UnreadableData(f"it cannot be decompressed: {error}") from error
    raise UnreadableData(f"it decompresses to more than {LARGEST_BYTES} bytes")
