"""The resources and the tables that hold their rows."""

from __future__ import annotations

import re
from importlib import resources

from f1stream.jolpica.resources import ALL

TABLE = re.compile(r"create table if not exists (RAW\.JOLPICA_\w+) \(\n(.*?)\n\);", re.DOTALL)
NOT_RESOURCES = {"RAW.JOLPICA_HISTORY", "RAW.JOLPICA_QUARANTINE"}


def test_every_resource_has_a_table_with_the_same_columns() -> None:
    ddl = resources.files("f1stream.warehouse").joinpath("ddl", "040_jolpica.sql").read_text()
    tables = {name: columns for name, columns in TABLE.findall(ddl) if name not in NOT_RESOURCES}
    assert sorted(tables) == sorted(resource.table for resource in ALL)
    assert len(set(tables.values())) == 1
