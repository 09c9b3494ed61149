"""Every setting. Values come from ``F1STREAM_*`` in the environment, then from ``.env``."""

from __future__ import annotations

import os
import re
import ssl
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_dir
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from f1stream.embedded.password import load_or_create_password
from f1stream.env_file import ENV_FILE, reason_to_refuse
from f1stream.errors import UserError
from f1stream.private_folder import private_folder

EMBEDDED_HOST = "127.0.0.1"
_BROKER = re.compile(r"(?:[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
Port = Annotated[int, Field(ge=1, le=65_535)]
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]
"""An empty value counts as unset: ``Path("")`` is the current folder."""
LOOPBACK = {EMBEDDED_HOST, "localhost", "::1"}
"""Host names that only this machine reaches."""


class WrongSetting(UserError):
    """A setting has an impossible value; the text names the setting, and not the value."""


def _with_ports(brokers: str) -> str:
    named = [part.strip() for part in brokers.split(",") if part.strip()]
    for broker in named or [brokers] * bool(brokers):
        if not _BROKER.fullmatch(broker) or int(broker.rpartition(":")[2]) not in range(1, 65_536):
            raise ValueError("each broker is host:port, such as kafka-1:9092 or [2001:db8::1]:9092")
    return brokers


class Settings(BaseSettings):
    """What a user can set. A field's docstring is its description in docs/configuration.md.

    Field names are the environment's names in lower case, without the prefix.
    """

    model_config = SettingsConfigDict(
        env_prefix="F1STREAM_", env_file=ENV_FILE, extra="ignore", use_attribute_docstrings=True,
        hide_input_in_errors=True,  # a wrong value may be a secret under a wrong name
    )  # fmt: skip

    home: Path = Path("~/.f1stream").expanduser()
    """Folder for data that is kept: archives, recordings, logs (two files of 10 MB for each process), the schedule,
    the embedded warehouse's data and password. Only its owner can enter it. Temporary files are in `f1stream-UID`
    under `TMPDIR`; those of killed processes are removed at the next start."""
    log_format: Literal["text", "json"] = "text"
    """Format of logs: text for people, or one JSON object a line, with `session` and `driver` where they apply."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is logged."""

    broker: Annotated[str, AfterValidator(_with_ports)] = ""
    """Kafka brokers as `host:port,host:port`; empty is the embedded broker, which keeps everything in memory."""
    broker_security: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = "PLAINTEXT"
    """Protocol to the brokers."""
    broker_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """Mechanism of a SASL login."""
    broker_user: str = ""
    """User of a SASL login."""
    broker_password: SecretStr = SecretStr("")
    """Password of a SASL login."""
    broker_ca_file: OptionalPath = None
    """File with the brokers' certificate authority (PEM); by default the system's authorities."""
    broker_max_poll_seconds: float = Field(7 * 24 * 3600.0, gt=0)
    """A worker that takes no record for this long leaves its consumer group. The default is a week, because an
    archive worker takes none while the warehouse is away; a dead worker is noticed by its session, within 6 s."""
    embedded_broker_port: Port = 19092
    """Loopback port of the embedded broker."""

    topic_partitions: int = Field(default_factory=lambda earlier: 24 if earlier.get("broker") else 6, ge=1)
    """Partitions of every topic, fixed when the topics are created. The embedded broker's work grows with them."""
    topic_replication: int = Field(1, ge=1)
    """Copies of every topic, fixed when the topics are created; 3 on a cluster."""
    frames_retention_hours: int = Field(24 * 7, ge=1)
    """How long Kafka keeps the frames, which the page shows and rewinds."""

    snowflake_account: str = ""
    """Snowflake account, as ORGANIZATION-ACCOUNT; empty is the embedded warehouse."""
    snowflake_user: str = ""
    """Snowflake user."""
    snowflake_password: SecretStr = SecretStr("")
    """Password, if no other login is set."""
    snowflake_private_key_file: OptionalPath = None
    """File with the private key of a key pair (PEM, PKCS 8)."""
    snowflake_private_key: SecretStr = SecretStr("")
    """The private key itself instead of its file, for secret stores that provide variables."""
    snowflake_private_key_passphrase: SecretStr = SecretStr("")
    """Passphrase of the private key."""
    snowflake_token_file: OptionalPath = None
    """File with an OAuth token, which takes precedence over key pair and password. It is read again at each login, so
    that the token can be renewed while a process runs."""
    snowflake_workload_identity: Literal["", "AWS", "AZURE", "GCP", "OIDC"] = ""
    """Log in by workload identity, without a secret: the cloud attests the role, managed identity or service account
    of the process. For `OIDC` the token is in `F1STREAM_SNOWFLAKE_TOKEN_FILE`. Takes precedence over all others."""
    snowflake_role: str = ""
    """Role; by default the user's."""
    snowflake_warehouse: str = ""
    """Snowflake warehouse that runs the statements; by default the user's."""
    snowflake_database: str = Field("F1STREAM", pattern=r"^[A-Za-z_][A-Za-z0-9_$]*$")
    """Database, also in the embedded warehouse."""
    embedded_warehouse_host: str = EMBEDDED_HOST
    """Host of `f1stream warehouse serve`; on this machine the warehouse is started when it is needed."""
    embedded_warehouse_port: Port = 18085
    """Port of the embedded warehouse; the demo takes another one if it is in use."""
    embedded_warehouse_password: SecretStr = SecretStr("")
    """Password of the embedded warehouse; by default one that is created at the first start and kept in the home
    folder. Set it on both sides for a warehouse that listens beyond this machine."""
    embedded_warehouse_memory_mb: int = Field(2_000, ge=256)
    """Memory (MB) of the embedded warehouse's DuckDB; queries that need more use its folder."""

    archive_flush_rows: int = Field(100_000, ge=1)
    """Rows after which the archive worker flushes to the warehouse; 100,000 rows of telemetry are a file of 4 MB."""
    archive_flush_bytes: int = Field(64_000_000, ge=1)
    """Bytes of Kafka values after which it flushes; each counts 500 more, as empty ones need memory, too."""
    archive_flush_seconds: float | None = Field(None, gt=0)
    """Age of the oldest pending row (s) after which it flushes; by default 60, or 2 with the embedded warehouse. What
    is not flushed is safe in Kafka. A Snowflake warehouse is billed at least 60 s each time it
    resumes. Below about 120 it never suspends during a session; with 600 it is billed for a tenth of the time, and
    tables are up to 10 min late."""
    archive_retry_seconds: float = Field(30.0, gt=0)
    """Longest pause (s) between attempts to reach the warehouse."""

    jolpica_url: str = Field("https://api.jolpi.ca/ergast/f1", pattern=r"^https?://[^/\s]+\S*$")
    """The Jolpica API, or a mirror of it."""
    jolpica_requests_per_hour: int = Field(500, ge=1)
    """Requests an hour that the API allows; all processes of a user share them."""
    jolpica_timeout_seconds: float = Field(30.0, gt=0)
    """Longest wait (s) for one answer."""
    jolpica_retry_seconds: float = Field(60.0, gt=0)
    """Longest pause (s) between attempts, unless the API asks for a longer one."""

    fastf1_cache: Path = Path(user_cache_dir("f1stream", appauthor=False)) / "fastf1"
    """Folder for FastF1's downloads; it can be deleted at any time."""
    fastf1_url: str = Field("", pattern=r"^(https?://[^/\s]+\S*)?$")
    """Mirror for FastF1's requests: `https://HOST/PATH` is then requested as `URL/HOST/PATH`."""

    dbt_target: Literal["", "dev", "pr", "staging", "prod"] = ""
    """Target of dbt; by default `prod` on the embedded warehouse and `dev` on Snowflake. The scheduler on Snowflake
    needs `prod`."""
    dbt_schema: str = Field("", pattern=r"^[A-Za-z_0-9]*$")
    """Schema of the targets `dev`, `pr` and `staging`, such as `PR_12`; by default one for each target."""

    web_host: str = "127.0.0.1"
    """Address that the page listens on, and health and metrics of all processes; IPv6 such as `::1` too."""
    web_port: Port = 8000
    """Port of the page."""
    web_port_shared: bool = False
    """Whether other page servers with this setting may listen on the same port: Linux divides the connections among
    them (`SO_REUSEPORT`). Each counts for itself: limits hold per process, and `/metrics` is of one of them."""
    web_viewers: int = Field(5000, ge=1)
    """Open websockets of one server; it accepts 1,000 more connections for other requests."""
    web_viewers_per_address: int = Field(50, ge=1)
    """Most websockets from one address; all its connections together may be twice as many and 50 more. Behind a proxy
    that is not in `F1STREAM_WEB_TRUSTED_PROXIES`, all viewers have one address."""
    web_requests_per_minute: int = Field(600, ge=1)
    """API requests a minute from one address, a third of them at once; more get status 429 with `Retry-After`."""
    web_hosts: str = Field("", pattern=r"^(\*|[A-Za-z0-9._-]+)?( *, *[A-Za-z0-9._-]+)*$")
    """Host names of the page, `a.example,b.example`; `localhost` and addresses always work, `*` is any name. Requests
    for other names are refused with 421: another site's name could be made to resolve to this server."""
    web_trusted_proxies: str = ""
    """Networks of proxies, `10.0.0.0/8,…`, whose `X-Forwarded-For`, `-Host` and `-Proto` are used."""
    race_port: Port = 6066
    """Port of the race worker's health and metrics."""
    archive_port: Port = 6067
    """Port of the archive worker's health and metrics."""
    schedule_port: Port = 6068
    """Port of the scheduler's health and metrics."""
    schedule_live: bool = True
    """Whether the scheduler runs the live client during sessions and republishes each session after its end."""
    schedule_file: OptionalPath = None
    """File of the schedule; by default `schedule.sqlite` in the home folder."""

    live_url: str = Field("wss://livetiming.formula1.com/signalrcore", pattern=r"^(wss?|https?)://[^/\s]+\S*$")
    """SignalR Core hub of the live timing. With a token only `wss` or `https`, except on this machine."""
    live_renew_minutes: float = Field(110.0, gt=0)
    """Age (min) at which a connection is replaced while it still works; the feed cuts it after 120."""
    live_port: Port = 6069
    """Port of the live client's metrics."""
    live_hold_back_seconds: float = Field(3.0, ge=0)
    """Delay (s) of frames behind the feed: records that come later than this are archived, but not in the race."""
    live_retry_seconds: float = Field(30.0, gt=0)
    """Longest pause (s) between attempts to connect."""
    f1tv_token: SecretStr = SecretStr("")
    """Token of an F1TV subscription (a JWT); without it the feed sends neither car data nor positions."""
    f1tv_token_file: OptionalPath = None
    """File with the token, read again at each connection: the token can be replaced while the client runs."""

    @field_validator("snowflake_workload_identity")
    @classmethod
    def _has_a_token(cls, value: str, info: ValidationInfo) -> str:
        if value == "OIDC" and info.data.get("snowflake_token_file") is None:
            raise ValueError("OIDC needs a token: set F1STREAM_SNOWFLAKE_TOKEN_FILE")
        return value

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
        """Host names of the page, in lower case."""
        return {part.lower() for part in (*_parts(self.web_hosts), self.web_host)}

    @property
    def web_proxies(self) -> list[IPv4Network | IPv6Network]:
        """Networks of trusted proxies."""
        return [ip_network(part) for part in _parts(self.web_trusted_proxies)]

    def environment(self) -> dict[str, str]:
        """The environment of a child with the same settings. It contains secrets: never log it."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            f"F1STREAM_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }

    def folder(self, *names: str) -> Path:
        """A folder in ``home``, created if it is missing; only its owner can enter ``home``."""
        folder = private_folder(self.home.expanduser()).joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def embedded_password(self) -> str:
        """The embedded warehouse's password: as set, or the one in ``home`` for a warehouse on this machine.

        Empty for a warehouse elsewhere without a set password; the error of the login then names the setting.
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
        """``archive_flush_seconds``, or the default of the warehouse: the embedded one is not billed."""
        return self.archive_flush_seconds or (2.0 if self.embedded_warehouse else 60.0)

    def warehouse_client(self) -> dict[str, Any]:
        """Arguments of the Snowflake connector: address and login. Raises WrongSetting for an unusable token file."""
        if self.embedded_warehouse:
            host = self.embedded_warehouse_host
            return {
                "account": "embedded", "user": "f1stream", "password": self.embedded_password(), "protocol": "http",
                "host": f"[{host}]" if ":" in host else host, "port": self.embedded_warehouse_port,
            }  # fmt: skip
        client: dict[str, Any] = {"account": self.snowflake_account, "user": self.snowflake_user}
        if self.snowflake_workload_identity:
            client |= {
                "authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": self.snowflake_workload_identity,
            }  # fmt: skip
            client |= {"token": self._snowflake_token()} if self.snowflake_workload_identity == "OIDC" else {}
        elif self.snowflake_token_file is not None:
            client |= {"authenticator": "oauth", "token": self._snowflake_token()}
        elif pem := self.snowflake_private_key.get_secret_value():
            # The connector and dbt take the lines between PEM's first and last one.
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

    def _snowflake_token(self) -> str:
        """The present content of the file. Raises WrongSetting."""
        file, why = self.snowflake_token_file, "it is empty"
        try:
            token = file.expanduser().read_text(encoding="utf-8").strip() if file is not None else ""
        except (OSError, UnicodeDecodeError) as error:
            token, why = "", getattr(error, "strerror", None) or "it is not text"
        if not token:
            raise WrongSetting(f"F1STREAM_SNOWFLAKE_TOKEN_FILE: no token can be read from {file} ({why}).")
        return token

    @property
    def embedded(self) -> bool:
        """Whether the broker is the embedded one."""
        return not self.broker

    @property
    def bootstrap(self) -> list[str]:
        """Addresses of the brokers to connect to first."""
        if self.embedded:
            return [f"{EMBEDDED_HOST}:{self.embedded_broker_port}"]
        return _parts(self.broker)

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS settings for the brokers; None without TLS. Raises WrongSetting for an unusable authority file."""
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
