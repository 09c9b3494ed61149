"""Every setting, once. Read from ``F1STREAM_*`` in the environment, then from ``.env``."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED_HOST = "127.0.0.1"


class Settings(BaseSettings):
    """What a user can set. Field names are the environment's names without the prefix."""

    model_config = SettingsConfigDict(env_prefix="F1STREAM_", env_file=".env", extra="ignore")

    home: Path = Field(Path("~/.f1stream").expanduser(), description="Folder for data that is kept.")

    broker: str = Field("", description="Kafka as host:port,host:port. Empty: the embedded broker.")
    broker_security: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = "PLAINTEXT"
    broker_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    broker_user: str = ""
    broker_password: SecretStr = SecretStr("")
    broker_ca_file: Path | None = None
    """Certificate authority of the brokers; the system's own when empty."""
    embedded_broker_port: int = Field(19092, description="Loopback port of the embedded broker.")

    topic_partitions: int = Field(24, ge=1, description="Partitions of every topic, fixed at creation.")
    topic_replication: int = Field(1, ge=1, description="Copies of every topic; 3 on a cluster.")
    frames_retention_hours: int = Field(24 * 7, ge=1, description="How long the tape is kept in Kafka.")

    web_host: str = Field("127.0.0.1", description="Address the page listens on.")
    web_port: int = Field(8000, description="Port the page listens on.")
    race_port: int = Field(6066, description="Port of the race worker's health and metrics, on web_host.")

    @property
    def embedded(self) -> bool:
        """Whether the broker is the embedded one."""
        return not self.broker

    @property
    def bootstrap(self) -> list[str]:
        """Brokers to ask first."""
        if self.embedded:
            return [f"{EMBEDDED_HOST}:{self.embedded_broker_port}"]
        return [part.strip() for part in self.broker.split(",") if part.strip()]

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS towards the brokers; None without it."""
        if "SSL" not in self.broker_security.split("_"):
            return None
        return ssl.create_default_context(cafile=self.broker_ca_file)

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


@lru_cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
