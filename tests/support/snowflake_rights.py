"""What the roles of deploy/terraform may do: Snowflake's answer to a statement that they may not run.

Rights come from ``roles.tf``, and the roles of each user from ``users.tf``. The rules are those that Snowflake
documents: only the primary role counts for CREATE, all active roles for the rest; CREATE … IF NOT EXISTS needs the
right to create, whether the object exists or not; temporary tables need none; who created an object owns it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from tests.support.required import ROOT

MODULE = ROOT / "deploy" / "terraform" / "modules" / "snowflake"
REFUSED = "003001"
NOT_THERE = "002003"
HARMLESS = re.compile(r"(show|use|begin|commit|rollback|set|alter session|desc|describe)\b", re.IGNORECASE)
GRANT = re.compile(
    r'(?:for name in (?P<names>\[[^]]*\]|local\.built) :\s*"[^"]*"\s*=>\s*)?'
    r'\{ role = "(?P<role>\w+)", schema = (?P<schema>"\w+"|name),(?: kind = "\w+",)?'
    r" privileges = \[(?P<rights>[^]]*)\] \}"
)
STAGE_COMMAND = re.compile(r"(list|ls|remove|rm|put|get)\b", re.IGNORECASE)


def schemas() -> list[str]:
    """The schemas that Terraform makes."""
    main = (MODULE / "main.tf").read_text()
    return re.findall(r'^ +([A-Z]+) += "', main.partition("schemas = {")[2].partition("}")[0], re.MULTILINE)


def built() -> list[str]:
    """Those of them that dbt builds in."""
    return _names(re.findall(r"built = (\[.*\])", (MODULE / "main.tf").read_text())[0])


@dataclass(frozen=True)
class Refusal:
    """An error of Snowflake."""

    code: str
    state: str
    message: str


class Roles:
    """The rights of every role of ours in production, and the roles of every user."""

    def __init__(self) -> None:
        roles, users = ((MODULE / name).read_text() for name in ("roles.tf", "users.tf"))
        self.rights: dict[tuple[str, str], set[str]] = defaultdict(set)
        """Of a role in a schema: on the schema, on its tables and views, and on its stages."""
        for grant in GRANT.finditer(roles):
            names = built() if grant["names"] == "local.built" else _names(grant["names"] or grant["schema"])
            for schema in names:
                self.rights[grant["role"], schema] |= set(_names(grant["rights"]))
        stage = roles.partition('account_role" "stage"')[2]
        role, rights = re.findall(r'all\["(\w+)"\].name\n +privileges += \[(.*)\]', stage)[0]
        self.rights[role, "RAW"] |= set(_names(rights))
        self.of_user = {
            f"F1STREAM_{name}": _names(listed)
            for name, listed in re.findall(r"^ +([A-Z_]+) += \{ key = .* roles = (\[.*\]) \}", users, re.MULTILINE)
        }

    def refusal(self, user: str, role: str, sql: str) -> Refusal | None:
        """Why Snowflake refuses a statement; None if it runs it. Users that are not ours may do everything."""
        if user not in self.of_user:
            return None
        active = self.of_user[user]
        assert role in active, f"{user} has no role {role}"
        if STAGE_COMMAND.match(sql):
            return self._on_stage(active, sql)
        if HARMLESS.match(sql):
            return None
        statement = sqlglot.parse_one(sql, dialect="snowflake")
        if isinstance(statement, exp.Create):
            return self._create(role, statement) or self._reads(active, statement.expression)
        if isinstance(statement, exp.Drop | exp.Alter | exp.TruncateTable | exp.Comment):
            schema = _schema(statement)
            return None if self._owns(active, schema) else _refused(statement.key, schema)
        if isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Copy):
            return self._write(active, statement)
        if isinstance(statement, exp.Query):
            return self._reads(active, statement)
        return _refused(statement.sql()[:40], "(no rule)")

    def _has(self, active: list[str], schema: str, right: str) -> bool:
        return any(right in self.rights[role, schema] for role in active) or (
            right in {"SELECT", "INSERT", "UPDATE", "DELETE"} and self._owns(active, schema)
        )

    def _owns(self, active: list[str], schema: str) -> bool:
        """Who may create tables in a schema has created those that are there: all other schemas have one owner."""
        return any("CREATE TABLE" in self.rights[role, schema] for role in active)

    def _create(self, role: str, statement: exp.Create) -> Refusal | None:
        kind, schema = statement.kind, _schema(statement)
        properties = statement.args.get("properties")
        temporary = properties is not None and properties.find(exp.TemporaryProperty) is not None
        if kind == "TABLE" and temporary:
            return None
        on = "account" if kind == "DATABASE" else "database" if kind == "SCHEMA" else schema
        return None if f"CREATE {kind}" in self.rights[role, on] else _refused(f"create {kind}", on)

    def _write(self, active: list[str], statement: exp.Expression) -> Refusal | None:
        target = statement.this.find(exp.Table)
        needed = {statement.key.upper()}
        if isinstance(statement, exp.Merge):
            needed = {
                then.key.upper() if isinstance(then, exp.Expression) and then.key != "var" else "DELETE"
                for then in (when.args.get("then") for when in statement.find_all(exp.When))
            }
        elif isinstance(statement, exp.Copy):
            needed = {"INSERT"}
            if not self._has(active, "RAW", "READ"):
                return _refused("read the stage", "RAW")
        for right in sorted(needed):
            if not self._has(active, target.db.upper(), right):
                return _refused(right, target.sql())
        return self._reads(active, statement, but=target)

    def _reads(self, active: list[str], of: exp.Expression | None, but: exp.Table | None = None) -> Refusal | None:
        for table in of.find_all(exp.Table) if of is not None else ():
            schema = table.db.upper()
            if table is but or not schema or schema == "INFORMATION_SCHEMA":
                continue
            if not self._has(active, schema, "SELECT"):
                return Refusal(NOT_THERE, "42S02", f"Object '{table.sql()}' does not exist or not authorized.")
        return None

    def _on_stage(self, active: list[str], sql: str) -> Refusal | None:
        assert re.search(r"@RAW\.LOADS\b", sql, re.IGNORECASE), sql
        right = "READ" if STAGE_COMMAND.match(sql)[1].lower() in {"list", "ls", "get"} else "WRITE"  # type: ignore[index]
        return None if self._has(active, "RAW", right) else _refused(right, "stage LOADS")


def _names(listed: str) -> list[str]:
    return re.findall(r'"([A-Z ]+)"', listed)


def _schema(statement: exp.Expression) -> str:
    table = statement.find(exp.Table)
    return table.db.upper() if table is not None else ""


def _refused(what: str, on: str) -> Refusal:
    return Refusal(REFUSED, "42501", f"SQL access control error: Insufficient privileges to {what} in '{on}'.")
