"""Which secrets each child process gets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from f1stream.child_environment import ALLOCATOR, ALLOCATOR_OF_SOURCE, NEEDS, SECRETS, environment_for
from f1stream.settings import Settings

EVERYTHING = {name: SecretStr(f"secret {name}") for name in SECRETS}
CLUSTER: dict[str, Any] = {"broker": "kafka:9092"}
SNOWFLAKE: dict[str, Any] = {"snowflake_account": "org-account"}
OF_SNOWFLAKE = {name for name in SECRETS if name.startswith("snowflake_")}
ROOT = Path(__file__).parents[1]


def secrets_of(child: str, **settings: Any) -> set[str]:
    environment = environment_for(Settings(_env_file=None, **EVERYTHING, **settings), child)
    return {name for name in SECRETS if f"secret {name}" in environment.values()}


@pytest.fixture(autouse=True)
def all_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(f"F1STREAM_{name.upper()}", f"secret {name}")


def test_a_child_gets_only_the_secrets_that_it_needs() -> None:
    assert [secrets_of(child) for child in ("broker", "web", "race", "source", "streamlit")] == [set()] * 5
    assert secrets_of("web", **CLUSTER) == secrets_of("race", **CLUSTER) == {"broker_password"}
    assert secrets_of("warehouse", **CLUSTER, **SNOWFLAKE) == set()
    assert secrets_of("warehouse", **CLUSTER) == secrets_of("dbt") == {"embedded_warehouse_password"}
    assert secrets_of("archive") == {"embedded_warehouse_password"}
    assert secrets_of("dbt", **SNOWFLAKE) == OF_SNOWFLAKE
    assert secrets_of("archive", **CLUSTER, **SNOWFLAKE) == {"broker_password"} | OF_SNOWFLAKE
    assert secrets_of("live", **CLUSTER, **SNOWFLAKE) == {"broker_password", "f1tv_token"}
    assert secrets_of("schedule", **CLUSTER) == {"broker_password", "embedded_warehouse_password", "f1tv_token"}


def test_a_secret_that_is_withheld_does_not_come_from_the_file_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child reads the same ``.env``: what is in its environment, though empty, goes before it."""
    file = tmp_path / ".env"
    file.write_text("".join(f"F1STREAM_{name.upper()}=secret {name}\n" for name in SECRETS))
    given = environment_for(Settings(_env_file=file), "web")  # type: ignore[call-arg]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    child = Settings(_env_file=file)  # type: ignore[call-arg]
    assert [name for name in SECRETS if getattr(child, name).get_secret_value()] == []


def test_the_programs_of_others_get_nothing_but_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for child in ("broker", "warehouse"):
        given = environment_for(Settings(_env_file=None), child)
        assert given["LC_ALL"] == "C.UTF-8"
        assert "PATH" in given
        assert "AWS_SECRET_ACCESS_KEY" not in given
    assert not [name for name in environment_for(Settings(_env_file=None), "broker") if "F1STREAM" in name]


def test_children_return_memory_sooner_unless_the_operator_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALLOCATOR | ALLOCATOR_OF_SOURCE:
        monkeypatch.delenv(name, raising=False)
    settings = Settings(_env_file=None)
    assert environment_for(settings, "archive").items() >= ALLOCATOR.items()
    assert not environment_for(settings, "archive").keys() & ALLOCATOR_OF_SOURCE.keys()
    assert environment_for(settings, "source").items() >= (ALLOCATOR | ALLOCATOR_OF_SOURCE).items()
    own = dict.fromkeys(ALLOCATOR | ALLOCATOR_OF_SOURCE, "own")
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    for child in NEEDS.keys() | {"broker"}:
        assert environment_for(settings, child).items() >= own.items(), child


def test_the_container_has_the_allocators_of_children() -> None:
    """Its process is started by no parent of ours."""
    (line,) = re.findall(r"^ENV (.*)$", (ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)
    assert dict(pair.split("=", 1) for pair in line.split()).items() >= ALLOCATOR.items()


def test_every_child_of_the_demo_is_known() -> None:
    text = "".join((ROOT / "f1stream" / name).read_text() for name in ("demo.py", "stack.py"))
    names = set(re.findall(r'(?:_stack|children)\.start\("(\w+)"', text))
    assert {"broker", "race", "web", "archive", "schedule", "warehouse", "source", "marts"} <= names
    assert names <= NEEDS.keys() | {"broker"}
