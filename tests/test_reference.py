"""The generated reference pages: every setting and every command, as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from f1stream import reference
from f1stream.settings import Settings


@pytest.mark.parametrize("file", list(reference.FILES), ids=lambda file: file.name)
def test_reference_pages_are_current(file: Path) -> None:
    assert file.read_text() == reference.FILES[file](), "run `make configuration`"


def test_every_setting_has_a_description_and_is_in_one_group() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert sum(name.startswith(prefixes) for prefixes in reference.GROUPS.values()) == 1, name
