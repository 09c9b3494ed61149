"""Every setting, once. Read from ``F1STREAM_*`` in the environment, then from ``.env``."""

from __future__ import annotations

import os
import re
import ssl
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_dir
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from f1stream.embedded.password import load_or_create_password
from f1stream.env_file import ENV_FILE, reason_to_refuse
from f1stream.errors import UserError
from f1stream.private_folder import private_folder

EMBEDDED_HOST = "127.0.0.1"
_BROKER = re.compile(r"(?:[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
Port = Annotated[int, Field(ge=1, le=65_535)]
LOOPBACK = {EMBEDDED_HOST, "localhost", "::1"}
"""Names of this machine, which nobody else can reach."""


class WrongSetting(UserError):
    """A setting cannot be what it is set to; the text names it in one sentence, without the value."""


def _with_ports(brokers: str) -> str:
    named = [part.strip() for part in brokers.split(",") if part.strip()]
    for broker in named or [brokers] * bool(brokers):
        if not _BROKER.fullmatch(broker) or int(broker.rpartition(":")[2]) not in range(1, 65_536):
            raise ValueError("each broker is host:port, such as kafka-1:9092 or [2001:db8::1]:9092")
    return brokers


class Settings(BaseSettings):
    """What a user can set. Field names are the environment's names without the prefix."""

    model_config = SettingsConfigDict(
        env_prefix="F1STREAM_", env_file=ENV_FILE, extra="ignore",
        hide_input_in_errors=True,  # a wrong value may be a secret under a wrong name
    )  # fmt: skip

    home: Path = Field(Path("~/.f1stream").expanduser(), description="Folder for data that is kept.")
    log_format: Literal["text", "json"] = Field(
        "text", description="What processes log: for people, or for machines."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least that is logged.")

    broker: Annotated[str, AfterValidator(_with_ports)] = Field(
        "", description="Kafka as host:port,host:port. Empty: the embedded broker."
    )
    broker_security: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = "PLAINTEXT"
    broker_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    broker_user: str = ""
    broker_password: SecretStr = SecretStr("")
    broker_ca_file: Path | None = None
    """Certificate authority of the brokers; the system's own when empty."""
    broker_max_poll_seconds: float = Field(
        7 * 24 * 3600.0, gt=0, description="A worker that takes nothing for so long leaves its group."
    )
    """Long, because an archive worker whose warehouse is away takes nothing; death is told by the session."""
    embedded_broker_port: Port = Field(19092, description="Loopback port of the embedded broker.")

    topic_partitions: int = Field(24, ge=1, description="Partitions of every topic, fixed at creation.")
    topic_replication: int = Field(1, ge=1, description="Copies of every topic; 3 on a cluster.")
    frames_retention_hours: int = Field(24 * 7, ge=1, description="How long the tape is kept in Kafka.")

    snowflake_account: str = Field("", description="Snowflake account. Empty: the embedded warehouse.")
    snowflake_user: str = ""
    snowflake_password: SecretStr = SecretStr("")
    snowflake_private_key_file: Path | None = None
    """A key pair's private half (PEM, PKCS 8): instead of a password."""
    snowflake_private_key: SecretStr = SecretStr("")
    """The same, itself instead of its file: for secret stores that give variables and no files."""
    snowflake_private_key_passphrase: SecretStr = SecretStr("")
    snowflake_oauth_token: SecretStr = SecretStr("")
    """Instead of all of them."""
    snowflake_role: str = ""
    snowflake_warehouse: str = ""
    snowflake_database: str = Field("F1STREAM", pattern=r"^[A-Za-z_][A-Za-z0-9_$]*$")
    embedded_warehouse_host: str = Field(
        EMBEDDED_HOST, description="Where `f1stream warehouse serve` runs; on this machine it is started when needed."
    )
    embedded_warehouse_port: Port = Field(18085, description="Port of the embedded warehouse.")
    embedded_warehouse_password: SecretStr = SecretStr("")
    """Where others than this machine ask; by default one that is made at the first start and kept in home."""
    embedded_warehouse_memory_mb: int = Field(
        2_000, ge=256, description="Memory (MB) that the embedded warehouse's DuckDB uses; more goes to its folder."
    )

    archive_flush_rows: int = Field(100_000, ge=1, description="Rows that make a flush to the warehouse.")
    archive_flush_bytes: int = Field(64_000_000, ge=1, description="Bytes of Kafka values that make a flush.")
    archive_flush_seconds: float | None = Field(
        None, gt=0, description="Age of the oldest waiting row that makes a flush; by default 60, 2 when embedded."
    )
    """What is not flushed is safe in Kafka; these decide how late the warehouse is, and what it costs. A Snowflake
    warehouse bills at least 60 s each time it resumes: with up to about two minutes here it never suspends while a
    session runs; with 600 it is billed for about a tenth of the time (60 s of every 10 min), and the tables are up
    to 10 min late. At full speed rows come first: 100,000 rows of telemetry are a file of some 4 MB."""
    archive_retry_seconds: float = Field(30.0, gt=0, description="Longest pause between attempts to reach Snowflake.")

    jolpica_url: str = Field(
        "https://api.jolpi.ca/ergast/f1",
        pattern=r"^https?://[^/\s]+\S*$",
        description="The Jolpica API, or a mirror of it.",
    )
    jolpica_requests_per_hour: int = Field(
        500, ge=1, description="Requests an hour that the API allows; shared by all processes of a user."
    )
    jolpica_timeout_seconds: float = Field(30.0, gt=0, description="Longest wait for one answer.")
    jolpica_retry_seconds: float = Field(
        60.0, gt=0, description="Longest pause between attempts, unless the API asks for a longer one."
    )

    fastf1_cache: Path = Field(
        Path(user_cache_dir("f1stream", appauthor=False)) / "fastf1",
        description="Folder for what FastF1 has downloaded.",
    )
    fastf1_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+\S*)?$",
        description="A mirror to ask instead of the servers FastF1 knows; see README.",
    )

    dbt_target: Literal["", "dev", "pr", "staging", "prod"] = Field(
        "", description="Where dbt builds; by default prod on the embedded warehouse, dev on Snowflake."
    )
    dbt_schema: str = Field(
        "", pattern=r"^[A-Za-z_0-9]*$", description="Schema of dev, pr and staging, as PR_12; prod has its own."
    )

    web_host: str = Field("127.0.0.1", description="Address the page listens on.")
    web_port: Port = Field(8000, description="Port the page listens on.")
    web_viewers: int = Field(5000, ge=1, description="Open pages that one server takes.")
    web_viewers_per_address: int = Field(
        50, ge=1, description="Open pages from one address; more where a proxy stands in front."
    )
    web_requests_per_minute: int = Field(
        600, ge=1, description="Questions to the API that one address may ask; a third of it at once."
    )
    web_hosts: str = Field(
        "",
        pattern=r"^(\*|[A-Za-z0-9._-]+)?( *, *[A-Za-z0-9._-]+)*$",
        description="Names by which the page is reached, a,b; localhost and addresses are answered always, * is any.",
    )
    web_trusted_proxies: str = Field(
        "", description="Networks of proxies whose X-Forwarded-For, -Host and -Proto are believed, 10.0.0.0/8,…"
    )
    race_port: Port = Field(6066, description="Port of the race worker's health and metrics, on web_host.")

    archive_port: Port = Field(6067, description="Port of the archive worker's health and metrics, on web_host.")
    schedule_port: Port = Field(6068, description="Port of the scheduler's health and metrics, on web_host.")
    schedule_live: bool = Field(True, description="Whether the scheduler starts the live client before each session.")
    schedule_file: Path | None = Field(None, description="When jobs are due, kept there; by default in home.")

    live_url: str = Field(
        "wss://livetiming.formula1.com/signalrcore", pattern=r"^(wss?|https?)://[^/\s]+\S*$",
        description="The live timing's SignalR Core hub.",
    )  # fmt: skip
    live_renew_minutes: float = Field(
        110.0, gt=0, description="Age at which a connection is replaced, overlapping; the feed cuts it after 120."
    )
    live_port: Port = Field(6069, description="Port of the live client's metrics, on web_host.")
    live_hold_back_seconds: float = Field(
        3.0,
        ge=0,
        description="So much later than they come frames are made: stragglers are raced, not only archived.",
    )
    live_retry_seconds: float = Field(30.0, gt=0, description="Longest pause between attempts to connect.")
    f1tv_token: SecretStr = SecretStr("")
    """An F1TV subscription's token (a JWT): without it there are no car data and positions."""
    f1tv_token_file: Path | None = None
    """A file that holds it, read again at each connection: for a token that is changed while this runs."""

    @field_validator("web_trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            _ = [ip_network(part) for part in _parts(value)]
        except ValueError:
            raise ValueError("trusted proxies are networks such as 10.0.0.0/8,192.168.1.2/32") from None
        return value

    @property
    def web_names(self) -> set[str]:
        """Names by which the page is reached, in lower case."""
        return {part.lower() for part in (*_parts(self.web_hosts), self.web_host)}

    @property
    def web_proxies(self) -> list[IPv4Network | IPv6Network]:
        """Networks of trusted proxies."""
        return [ip_network(part) for part in _parts(self.web_trusted_proxies)]

    def environment(self) -> dict[str, str]:
        """What a child process needs to have the same settings; secrets included, so never to be shown."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            f"F1STREAM_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }

    def folder(self, *names: str) -> Path:
        """A folder in ``home``, made where it is missing; others than its owner cannot enter ``home``."""
        folder = private_folder(self.home.expanduser()).joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def embedded_password(self) -> str:
        """The embedded warehouse's: as set, or the one that ``home`` keeps for a warehouse on this machine.

        Empty for one elsewhere whose password is not set: the answer to the login names the setting.
        """
        if given := self.embedded_warehouse_password.get_secret_value():
            return given
        return load_or_create_password(self.home.expanduser()) if self.embedded_warehouse_host in LOOPBACK else ""

    @property
    def embedded_warehouse(self) -> bool:
        """Whether the warehouse is the embedded one."""
        return not self.snowflake_account

    @property
    def flush_seconds(self) -> float:
        """``archive_flush_seconds``, or what suits the warehouse: the embedded one bills nothing."""
        return self.archive_flush_seconds or (2.0 if self.embedded_warehouse else 60.0)

    def warehouse_client(self) -> dict[str, Any]:
        """Arguments of the Snowflake connector: where, and as whom."""
        if self.embedded_warehouse:
            host = self.embedded_warehouse_host
            return {
                "account": "embedded", "user": "f1stream", "password": self.embedded_password(), "protocol": "http",
                "host": f"[{host}]" if ":" in host else host, "port": self.embedded_warehouse_port,
            }  # fmt: skip
        client: dict[str, Any] = {"account": self.snowflake_account, "user": self.snowflake_user}
        if self.snowflake_oauth_token.get_secret_value():
            client |= {"authenticator": "oauth", "token": self.snowflake_oauth_token.get_secret_value()}
        elif pem := self.snowflake_private_key.get_secret_value():
            # The connector, and dbt, take what is between PEM's first and last line.
            key = "".join(line.strip() for line in pem.splitlines() if not line.startswith("-----"))
            client |= {"authenticator": "SNOWFLAKE_JWT", "private_key": key}
            passphrase = self.snowflake_private_key_passphrase.get_secret_value()
            client |= {"private_key_passphrase": passphrase.encode()} if passphrase else {}
        elif self.snowflake_private_key_file is not None:
            client |= {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(self.snowflake_private_key_file)}
            passphrase = self.snowflake_private_key_passphrase.get_secret_value()
            client |= {"private_key_file_pwd": passphrase} if passphrase else {}
        else:
            client |= {"password": self.snowflake_password.get_secret_value()}
        for name, value in (("role", self.snowflake_role), ("warehouse", self.snowflake_warehouse)):
            client |= {name: value} if value else {}
        return client

    @property
    def embedded(self) -> bool:
        """Whether the broker is the embedded one."""
        return not self.broker

    @property
    def bootstrap(self) -> list[str]:
        """Brokers to ask first."""
        if self.embedded:
            return [f"{EMBEDDED_HOST}:{self.embedded_broker_port}"]
        return _parts(self.broker)

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS towards the brokers; None without it. Raises WrongSetting when the file of its authority is none."""
        if "SSL" not in self.broker_security.split("_"):
            return None
        try:
            return ssl.create_default_context(cafile=self.broker_ca_file)
        except OSError as error:  # no such file, or none with certificates
            raise WrongSetting(
                f"F1STREAM_BROKER_CA_FILE: no certificate authority can be read from {self.broker_ca_file} "
                f"({error.strerror or error}); it is a file of certificates in PEM."
            ) from None

    def kafka_client(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes."""
        client: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.broker_security,
            "ssl_context": self.ssl_context(),
        }
        if self.broker_security.startswith("SASL"):
            client |= {
                "sasl_mechanism": self.broker_sasl_mechanism,
                "sasl_plain_username": self.broker_user,
                "sasl_plain_password": self.broker_password.get_secret_value(),
            }
        return client


def _parts(listed: str) -> list[str]:
    return [part.strip() for part in listed.split(",") if part.strip()]


@lru_cache
def settings() -> Settings:
    """The process's settings, read once. Raises WrongSetting."""
    if wrong_file := reason_to_refuse(Path(ENV_FILE), os.environ):
        raise WrongSetting(wrong_file)
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_input=False)
        wrong = (
            f"F1STREAM_{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}"
            for each in problems
        )
        raise WrongSetting(f"The environment or .env has a wrong setting. {'. '.join(wrong)}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f".env in this folder cannot be read: {error}.") from None
