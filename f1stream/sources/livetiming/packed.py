"""The feed's ``.z`` topics: JSON, raw deflate, base64."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import orjson

LARGEST_BYTES = 4_000_000
"""Of a message unpacked; the feed's have some tens of kB."""


class Damaged(ValueError):
    """A message that is not what its topic has; the text says how."""


def unpack(packed: Any) -> Any:
    """What a message of a ``.z`` topic holds. Raises Damaged."""
    try:
        inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        text = inflater.decompress(base64.b64decode(packed, validate=True), LARGEST_BYTES)
        if not inflater.unconsumed_tail:
            return orjson.loads(text)
    except (TypeError, ValueError, zlib.error, binascii.Error) as error:
        raise Damaged(f"it cannot be unpacked: {error}") from error
    raise Damaged(f"it unpacks to more than {LARGEST_BYTES} bytes")
