"""One list of settings: what deployments and the README name is a setting, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1stream.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {f"F1STREAM_{name.upper()}" for name in Settings.model_fields}
NAMES = re.compile(r"\bF1STREAM_[A-Z0-9_]*[A-Z0-9]\b")
NOT_DEPLOYED = {
    "F1STREAM_BROKER_CA_FILE": "brokers of a cloud have certificates that every system knows",
    "F1STREAM_EMBEDDED_BROKER_PORT": "there is a Kafka",
    "F1STREAM_EMBEDDED_WAREHOUSE_PORT": "the warehouse's container has the port for itself",
    "F1STREAM_FASTF1_CACHE": "within HOME, which is a volume",
    "F1STREAM_F1TV_TOKEN_FILE": "a secret store gives the token itself",
    "F1STREAM_LIVE_PORT": "the scheduler's container has it free",
    "F1STREAM_SCHEDULE_FILE": "within F1STREAM_HOME, which is a volume",
    "F1STREAM_SNOWFLAKE_PRIVATE_KEY_FILE": "a secret store gives the key itself",
    "F1STREAM_SNOWFLAKE_TOKEN_FILE": "a file that somebody renews: for processes outside of containers, or mounted",
    "F1STREAM_WEB_PORT_SHARED": "a container has one server; units of systemd set it",
}
"""Settings that no deployment sets, and why."""


def deployed() -> Iterator[Path]:
    """Files that set something, or say what to set."""
    yield DEPLOY / "compose.yaml"
    yield DEPLOY / "docker" / "Dockerfile"
    yield from sorted((DEPLOY / "terraform").rglob("*.tf"))
    yield from sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))


def documents() -> Iterator[Path]:
    """Pages for users."""
    yield ROOT / "README.md"
    yield from sorted([*DEPLOY.rglob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("file", [*deployed(), *documents()], ids=lambda file: str(file.relative_to(ROOT)))
def test_what_is_named_is_a_setting(file: Path) -> None:
    unknown = set(NAMES.findall(file.read_text())) - SETTINGS - {"F1STREAM_BACKUP"}  # a database
    assert not unknown, f"{file} names what is no setting: {sorted(unknown)}"


def test_every_setting_can_be_set_where_we_are_deployed() -> None:
    named = {name for file in deployed() for name in NAMES.findall(file.read_text())}
    assert named >= SETTINGS - NOT_DEPLOYED.keys(), f"nobody sets {sorted(SETTINGS - named - NOT_DEPLOYED.keys())}"
    assert not named & NOT_DEPLOYED.keys()
    assert NOT_DEPLOYED.keys() <= SETTINGS
