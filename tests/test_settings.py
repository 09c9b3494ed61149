"""Where the broker is, and how it is spoken to."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from f1stream.settings import Settings, WrongSetting, settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"F1STREAM_{name.upper()}", raising=False)


def made(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_without_a_broker_the_embedded_one_is_used() -> None:
    settings = made(embedded_broker_port=12_345)
    assert settings.embedded
    assert settings.bootstrap == ["127.0.0.1:12345"]


def test_topics_have_few_partitions_on_the_embedded_broker_unless_said_otherwise() -> None:
    assert Settings(_env_file=None).topic_partitions == 6
    assert Settings(_env_file=None, broker="kafka:9092").topic_partitions == 24
    assert Settings(_env_file=None, topic_partitions=12).topic_partitions == 12


def test_brokers_are_a_list_with_or_without_blanks() -> None:
    settings = made(broker="a:9092, b:9093,")
    assert not settings.embedded
    assert settings.bootstrap == ["a:9092", "b:9093"]


def test_environment_and_its_file_are_read_in_that_order(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("F1STREAM_WEB_PORT=1234\nF1STREAM_RACE_PORT=5678\n")
    monkeypatch.setenv("F1STREAM_WEB_PORT", "4321")
    settings = Settings(_env_file=file)  # type: ignore[call-arg]
    assert (settings.web_port, settings.race_port) == (4321, 5678)


@pytest.mark.parametrize("security", ["SSL", "SASL_SSL"])
def test_tls_verifies_the_broker(security: str) -> None:
    context = made(broker="a:9093", broker_security=security).kafka_client()["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("security", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_plain_text_has_no_tls(security: str) -> None:
    assert made(broker="a:9092", broker_security=security).kafka_client()["ssl_context"] is None


@pytest.mark.parametrize("security", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_sasl_sends_user_password_and_mechanism(security: str) -> None:
    client = made(
        broker="a:9093", broker_security=security, broker_sasl_mechanism="SCRAM-SHA-512", broker_user="lando",
        broker_password="papaya",
    ).kafka_client()  # fmt: skip
    assert client["security_protocol"] == security
    assert client["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (client["sasl_plain_username"], client["sasl_plain_password"]) == ("lando", "papaya")


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL"])
def test_without_sasl_no_password_leaves_the_settings(security: str) -> None:
    client = made(broker="a:9092", broker_security=security, broker_user="lando", broker_password="papaya")
    assert not [name for name in client.kafka_client() if name.startswith("sasl")]


def test_password_is_not_shown() -> None:
    settings = made(broker_password="papaya")
    assert "papaya" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("wrong", [{"broker_security": "TLS"}, {"topic_partitions": 0}, {"topic_replication": 0}])
def test_an_impossible_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        made(**wrong)


PORTS = [name for name in Settings.model_fields if name.endswith("_port")]


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_an_impossible_port_is_refused(name: str, port: int) -> None:
    with pytest.raises(ValueError, match=name):
        made(**{name: port})


@pytest.mark.parametrize(
    "brokers",
    [
        "kafka",
        "kafka:",
        "kafka:x",
        "kafka:0",
        "kafka:65536",
        "a:1,b",
        "kafka://a:1",
        "::1:9092",
        "[::1]",
        "a b:1",
        ",",
    ],
)
def test_a_broker_is_an_address_and_a_port(brokers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1STREAM_BROKER", brokers)
    settings.cache_clear()
    with pytest.raises(WrongSetting, match=r"wrong setting\. F1STREAM_BROKER: each broker is host:port, such as"):
        settings()


def test_brokers_and_the_warehouse_may_have_addresses_of_ipv6() -> None:
    assert made(broker="[::1]:9092,[2001:db8::1]:9092").bootstrap == ["[::1]:9092", "[2001:db8::1]:9092"]
    assert made(embedded_warehouse_host="::1").warehouse_client()["host"] == "[::1]"


@pytest.mark.parametrize("name", ["jolpica_url", "fastf1_url", "live_url"])
@pytest.mark.parametrize("wrong", ["http://", "https:///path", "http://a b", "ftp://a"])
def test_an_address_without_a_host_is_refused(name: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=name):
        made(**{name: wrong})


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["no file", "none in it"])
def test_a_file_that_is_no_authority_of_certificates_is_named_with_its_setting(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(WrongSetting, match=f"F1STREAM_BROKER_CA_FILE: no certificate authority .* from {file} "):
        made(broker="a:9093", broker_security="SSL", broker_ca_file=file).kafka_client()


def test_a_file_of_settings_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"F1STREAM_HOME=\xff\xfe")
    settings.cache_clear()
    with pytest.raises(WrongSetting, match=r"^\.env in this folder cannot be read: "):
        settings()


SECRET = "not to be seen"
PEM = "-----BEGIN PRIVATE KEY-----\nbm90IHRv\nIGJlIHNlZW4=\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"snowflake_password": SECRET}, {"password": SECRET}),
        (
            {"snowflake_private_key_file": "/keys/rsa.p8", "snowflake_private_key_passphrase": SECRET},
            {
                "authenticator": "SNOWFLAKE_JWT", "private_key_file": "/keys/rsa.p8",
                "private_key_file_pwd": SECRET,
            },
        ),
        (
            {
                "snowflake_private_key": PEM,
                "snowflake_private_key_passphrase": SECRET,
            },
            {
                "authenticator": "SNOWFLAKE_JWT", "private_key": "bm90IHRvIGJlIHNlZW4=",
                "private_key_passphrase": SECRET.encode(),
            },
        ),
        (
            {"snowflake_workload_identity": "AWS"},
            {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "AWS"},
        ),
    ],
)  # fmt: skip
def test_snowflake_is_logged_in_to_in_each_of_several_ways(given: dict[str, str], expected: dict[str, str]) -> None:
    settings = Settings(
        _env_file=None, snowflake_account="org-account", snowflake_user="LOADER", snowflake_role="LOADER",
        snowflake_warehouse="LOADING", **given,
    )  # fmt: skip
    assert settings.warehouse_client() == {
        "account": "org-account", "user": "LOADER", "role": "LOADER", "warehouse": "LOADING", **expected,
    }  # fmt: skip
    assert SECRET not in repr(settings)
    assert "bm90" not in repr(settings)


def test_a_token_is_read_from_its_file_at_each_login(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    given = {"snowflake_account": "org-account", "snowflake_user": "LOADER", "snowflake_token_file": file}
    oauth = Settings(_env_file=None, snowflake_password=SECRET, **given)
    identity = Settings(_env_file=None, snowflake_workload_identity="OIDC", **given)
    assert oauth.warehouse_client()["authenticator"] == "oauth"
    file.write_text("second\n")
    assert oauth.warehouse_client()["token"] == identity.warehouse_client()["token"] == "second"
    assert "password" not in oauth.warehouse_client()
    assert identity.warehouse_client()["workload_identity_provider"] == "OIDC"
    file.write_text("\n")
    with pytest.raises(WrongSetting, match=r"F1STREAM_SNOWFLAKE_TOKEN_FILE: no token .* \(it is empty\)"):
        oauth.warehouse_client()
    file.unlink()
    with pytest.raises(WrongSetting, match="No such file"):
        identity.warehouse_client()
    with pytest.raises(ValueError, match="OIDC needs a token: set F1STREAM_SNOWFLAKE_TOKEN_FILE"):
        Settings(_env_file=None, snowflake_workload_identity="OIDC")


def test_an_empty_file_setting_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that fills in variables leaves those without a value empty."""
    optional = [name for name, field in Settings.model_fields.items() if "Path | None" in str(field.annotation)]
    for name in optional:
        monkeypatch.setenv(f"F1STREAM_{name.upper()}", "")
    found = made(snowflake_account="org-account", snowflake_user="LOADER", snowflake_password=SECRET)
    assert len(optional) == 5
    assert {name: getattr(found, name) for name in optional} == dict.fromkeys(optional)
    assert found.warehouse_client()["password"] == SECRET
    with pytest.raises(ValueError, match="OIDC needs a token"):
        made(snowflake_workload_identity="OIDC")


def test_without_an_account_it_is_the_embedded_warehouse_on_loopback() -> None:
    settings = Settings(_env_file=None, embedded_warehouse_port=18099)
    client = settings.warehouse_client()
    assert (client["host"], client["port"], client["protocol"]) == ("127.0.0.1", 18099, "http")
    assert settings.flush_seconds < Settings(_env_file=None, snowflake_account="x").flush_seconds == 60


def test_a_database_name_is_a_name() -> None:
    with pytest.raises(ValueError, match="snowflake_database"):
        Settings(_env_file=None, snowflake_database="F1; drop database X")
