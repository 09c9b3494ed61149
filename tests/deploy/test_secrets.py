"""No secret is shown: every process is given marked ones, and whatever it says is searched.

Searched are what processes print and log, at DEBUG, their command lines, what they answer, and every file that they
write: in F1STREAM_HOME, HOME, and where temporary files go. None of these has to hold a secret; dbt's profile names
variables of the environment.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from typer.main import get_command
from typer.testing import CliRunner

from f1stream import cli
from f1stream.child_environment import environment_for
from f1stream.embedded import warehouse
from f1stream.ports import listens
from f1stream.processes import stop
from f1stream.settings import Settings
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.warehouse.connection import Warehouse
from tests.support.certificates import certificates
from tests.support.fastf1_server import SCHEDULES, FastF1Servers
from tests.support.jolpica_server import JolpicaServer, season_2024, season_of
from tests.support.kafka_cluster import Cluster
from tests.support.livetiming_server import LiveTimingServer
from tests.support.ports import free_port
from tests.support.snowflake_door import SnowflakeDoor

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
PORTS = [name for name in Settings.model_fields if name.endswith("_port")]
SHORTEST = 16
"""So many characters of a secret are enough to be found."""
PATIENCE_S = 120
AT_ONCE = 4
SESSION = "sim-3"
HEARTBEAT = [FeedMessage("Heartbeat", {"Utc": "2025-03-16T04:00:00Z"}, 1_742_097_600_000)]
SOURCE = "sim:cars=4,laps=2,seed=3"
UNAVAILABLE = 2
"""How a command ends that cannot have what it asks for, or is not let in: the user can mend it."""
NOT_PUBLISHED = {"fetch": UNAVAILABLE, "whole": UNAVAILABLE}
"""They find their session in the calendar, and ask for streams that no server here has."""


def token(mark: str) -> str:
    """A JWT that holds for an hour, and has a mark in its claims and for a signature."""
    parts = [{"alg": "none"}, {"exp": int(time.time()) + 3600, "sub": mark}]
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts), mark])


def private_key(passphrase: str) -> str:
    """A new one (PEM), encrypted."""
    encryption = serialization.BestAvailableEncryption(passphrase.encode())
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return key.private_bytes(*kinds, encryption).decode()


def marked() -> dict[str, str]:
    """A value of its own for every secret that there is."""
    values = {name: secrets.token_hex(20) for name in SECRETS}
    return values | {
        "f1tv_token": token(values["f1tv_token"]),
        "snowflake_private_key": private_key(values["snowflake_private_key_passphrase"]),
    }


def needles(value: str) -> Iterator[bytes]:
    """What shows that a text holds a secret: the beginning of any part of it, also within base64."""
    for part in re.split(r"[\s.]+", value):
        begin = part[:SHORTEST].encode()
        if len(begin) < SHORTEST or begin.startswith(b"-"):
            continue
        yield begin
        for shift in range(3):  # where it begins within three bytes
            encoded = base64.b64encode(b"\0" * shift + begin)
            yield encoded[4 if shift else 0 : len(begin) // 3 * 4]


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    """An environment but for some settings."""
    left_out = {f"F1STREAM_{name.upper()}" for name in names}
    return {key: value for key, value in environment.items() if key not in left_out}


class Witness:
    """Starts processes, and keeps whatever can be seen of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs: dict[str, bytes] = {}
        """What was printed and answered, by what it is."""
        self.command_lines: set[str] = set()
        self.aws = {f"AWS_{name}": secrets.token_hex(20) for name in ("SECRET_ACCESS_KEY", "SESSION_TOKEN")}
        """Of a container's role. Snowflake's connector looks for one, and whoever logs at DEBUG logs its requests."""
        self._secret: dict[bytes, str] = {}
        self._numbers = iter(range(10_000))
        self._stopped = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def keep_secret(self, values: dict[str, str]) -> dict[str, str]:
        """Secrets by setting, to be searched for from now on; as an environment."""
        for name, value in values.items():
            found = list(needles(value))
            assert found, f"{name} has no mark"
            self._secret |= dict.fromkeys(found, name)
        return {name if name.isupper() else f"F1STREAM_{name.upper()}": value for name, value in values.items()}

    def run(self, *command: str, until: str = "", then: Callable[[dict[str, str]], None] | None = None,
            ends_with: int = 0, **environment: str) -> str:  # fmt: skip
        """What ``f1stream COMMAND`` (or ``faust …``, or Python's ``-c …``) says until it ends, or has said ``until``.

        It ends with the code ``ends_with``: what fails at once has nothing to show. After ``until`` it is stopped;
        before that ``then`` is called with its environment.
        """
        name = f"{next(self._numbers):02} {' '.join(command)}"
        home = self.folder / re.sub(r"[^\w.-]+", "-", name)[:60]
        (home / "tmp").mkdir(parents=True)
        given = {
            "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1", "F1STREAM_HOME": str(home / "f1stream"), "F1STREAM_LOG_LEVEL": "DEBUG",
            **{f"F1STREAM_{port.upper()}": str(free_port()) for port in PORTS},
            **{key: os.environ[key] for key in ("F1STREAM_JOLPICA_URL", "F1STREAM_FASTF1_URL")},
            "F1STREAM_JOLPICA_RETRY_SECONDS": "0.1", "F1STREAM_LIVE_RETRY_SECONDS": "0.1",
            "F1STREAM_ARCHIVE_RETRY_SECONDS": "0.1", "F1STREAM_TOPIC_PARTITIONS": "4",
            "AWS_ACCESS_KEY_ID": "AKIA0000000000000000",
            "HTTPS_PROXY": f"http://{nowhere()}", **self.keep_secret(self.aws), **environment,
        }  # fmt: skip
        how = {"faust": ["-m"], "-c": []}.get(command[0], ["-m", "f1stream"])
        log = self.folder / f"{home.name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *how, *command],
                env=given, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        try:
            while process.poll() is None and (not until or until not in log.read_text(errors="replace")):
                assert time.monotonic() < deadline, f"{name} has not said {until!r}: {log.read_text()[-2000:]}"
                time.sleep(0.05)
            ended = process.poll()
            assert ended == (None if until else ends_with), f"{name} ended with {ended}: {log.read_text()[-2000:]}"
            if then:
                then(given)
        finally:
            stop(process, within_s=20)
        self.outputs[name] = log.read_bytes()
        assert self.outputs[name], f"{name} printed nothing"
        return log.read_text(errors="replace")

    def get(self, url: str) -> str:
        """What is answered, headers too, whatever its status."""
        try:
            answer = urllib.request.urlopen(url, timeout=20)  # noqa: S310
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            self.outputs[url] = str(answer.headers).encode() + answer.read()
        return self.outputs[url].decode(errors="replace")

    def leaks(self) -> list[str]:
        """Which secret is in what."""
        seen = {**self.outputs, **{f"the command line {line[:60]}": line.encode() for line in self.command_lines}}
        files = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*") if path.is_file()}
        assert files or self.outputs
        seen |= {name: path.read_bytes() for name, path in files.items()}
        pattern = re.compile(b"|".join(map(re.escape, self._secret)))
        return sorted({f"{self._secret[found]} in {where}" for where, text in seen.items()
                       for found in pattern.findall(text)})  # fmt: skip

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._watching.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._stopped.wait(0.05):
            for child in own.children(recursive=True):
                try:
                    self.command_lines.add("\0".join(child.cmdline()))
                except psutil.Error:
                    continue


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    watching = Witness(tmp_path / "seen")
    watching.folder.mkdir()
    try:
        yield watching
    finally:
        watching.stop()


def all_at_once(*runs: Callable[[], Any]) -> None:
    """Runs, some at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(run) for run in runs]:
            done.result()


@pytest.fixture(scope="module")
def snowflake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., SnowflakeDoor]]:
    """Doors to a warehouse, or to none that lets anybody in."""
    folder, port = tmp_path_factory.mktemp("snowflake"), free_port()
    certificates(folder, "DNS:*.snowflakecomputing.com")
    settings = Settings(_env_file=None, home=folder)
    process = subprocess.Popen(warehouse.command(folder / "data", port), env=environment_for(settings, "warehouse"))
    try:
        warehouse.wait_until_up(process, port)
        password = settings.embedded_password()
        yield lambda refuses=False: SnowflakeDoor(folder, None if refuses else port, password)
    finally:
        process.terminate()
        process.wait()


SNOWFLAKE = {"F1STREAM_SNOWFLAKE_ACCOUNT": "org-account", "F1STREAM_SNOWFLAKE_USER": "LOADER"}
ONLY = {
    "oauth": (),
    "key": ("snowflake_token_file",),
    "password": ("snowflake_token_file", "snowflake_private_key"),
}
"""Ways to log in, and which settings would come first."""


def token_file(witness: Witness, folder: Path) -> tuple[str, dict[str, str]]:
    """A new OAuth token of Snowflake that is searched for, and the setting of its file."""
    value, file = secrets.token_hex(20), folder / "snowflake-token"
    witness.keep_secret({"the token in a file": value})
    file.write_text(value)
    return value, {"F1STREAM_SNOWFLAKE_TOKEN_FILE": str(file)}


def commands() -> Iterator[str]:
    """Every command of the command line."""

    def walk(command: Any, name: str) -> Iterator[str]:
        below = getattr(command, "commands", {})
        if not below or command.invoke_without_command:
            yield name.strip()
        for word, each in below.items():
            yield from walk(each, f"{name} {word}")

    yield from walk(get_command(cli.app), "")


def test_every_field_that_holds_a_secret_is_one() -> None:
    suspicious = {name for name in Settings.model_fields if re.search(r"password|passphrase|token|key|secret", name)}
    assert {name for name in suspicious if not name.endswith("_file")} == SECRETS


def test_the_search_finds_a_secret_wherever_it_is(witness: Witness) -> None:
    values = marked()
    environment = witness.keep_secret(values)
    assert witness.run("topics", ends_with=UNAVAILABLE, **environment), "there is no broker"
    assert witness.leaks() == []
    for name, value in values.items():
        whole, part = value.encode(), value.splitlines()["\n" in value][:20].encode()
        encoded = base64.b64encode(b"\0f1stream\0" + whole)
        for text in (b"sent " + whole, b"key=" + part + b"...", b"\0\1" + whole + b"\xff", encoded):
            (witness.folder / "planted.log").write_bytes(text)
            assert [leak for leak in witness.leaks() if leak.startswith(f"{name} in planted")], (name, text)
    (witness.folder / "planted.log").unlink()
    said = subprocess.Popen([sys.executable, "-c", "input()", values["snowflake_password"]], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while not witness.leaks():
            assert time.monotonic() < deadline, "nobody looks at command lines"
            time.sleep(0.05)
    finally:
        said.kill()
        said.wait()
    assert all(leak.startswith("snowflake_password in the command line ") for leak in witness.leaks())


@pytest.mark.system
def test_every_process_works_with_its_secrets_and_shows_none(
    witness: Witness,
    cluster: Cluster,
    snowflake: Callable[..., SnowflakeDoor],
    jolpica_data: Path,
    recordings: Path,
    tmp_path: Path,
) -> None:
    """On Kafka with SASL over TLS, Snowflake's login, and a feed that knows the token; each secret is used."""
    asyncio.run(cluster.reset())
    values = marked() | {"broker_password": cluster.password}
    oauth_token, oauth = token_file(witness, tmp_path)
    ran: set[str] = set()
    entered: list[str] = []
    with (
        snowflake() as door, LiveTimingServer(HEARTBEAT, tokens=[values["f1tv_token"]]) as feed,
        JolpicaServer() as jolpica, FastF1Servers() as fastf1,
    ):  # fmt: skip
        jolpica.answers = season_2024(jolpica_data) | season_of(datetime.now(UTC).year, 1, jolpica_data)
        calendar = recordings / "livetiming_frozen" / "schedule_2025.json"
        fastf1.answers[f"{SCHEDULES}schedule_2025.json"] = calendar.read_bytes()
        base = {
            **cluster.secure_environment(), **SNOWFLAKE, **door.environment(), **witness.keep_secret(values), **oauth,
            "F1STREAM_LIVE_URL": feed.url, "F1STREAM_LOG_FORMAT": "json", "F1STREAM_FASTF1_URL": fastf1.url,
        }  # fmt: skip

        def run(
            name: str, *arguments: str, way: str = "oauth", embedded: bool = False, **how: Any
        ) -> Callable[[], Any]:
            ran.add(name)
            environment = without(base, *ONLY[way], *(("broker", "snowflake_account") if embedded else ()))
            code = NOT_PUBLISHED.get(name, 0)
            return lambda: witness.run(*name.split(), *arguments, ends_with=code, **how, **environment)

        asked = {"F1STREAM_JOLPICA_URL": jolpica.url}
        facts = (  # one after the other, as a lock in their home has it; here each has a home of its own
            run("jobs run", "calendar", **asked),
            run("jolpica sync", **asked),
            run("jolpica backfill", "--from", "2024", "--to", "2024", "--rounds", "1", **asked),
        )
        run("warehouse init", way="password")()
        all_at_once(
            run("demo", "--source", SOURCE, "--speed", "max", until="Watch it on", then=look_at_all(witness)),
            run("dbt", "debug", way="key"),
            run("topics"),
            run("warehouse status", way="key"),
            run("warehouse sql", "select 1", way="password"),
            run("doctor", way="key"),
            run("live", until="messages so far", then=look_at_live(witness)),
            run("jobs"),
            lambda: [fact() for fact in facts],
            run("sessions", "2025"),
            run("fetch", "2025", "Monza", "R"),
            run("whole", "2025-03-16T04:00:00"),
            run("check", str(recordings / "livetiming_frozen" / "2025-05-04_Miami__2025-05-03_Sprint")),
            run("broker", until="Embedded broker on", embedded=True),
            run("warehouse serve", until="Embedded warehouse on", then=let_in(entered), embedded=True),
        )
        used = json.dumps(door.logins) + json.dumps(feed.authorizations) + json.dumps(entered)
    ran |= {words[3] for words in (line.split("\0") for line in witness.command_lines)
            if words[1:3] == ["-m", "f1stream"] and len(words) > 3}  # fmt: skip
    assert ran >= set(commands()), "a command is not among these"
    assert "SNOWFLAKE_JWT" in used, "nobody logged in with the private key and its passphrase"
    assert oauth_token in used, "nobody logged in with the token"
    shown = {name for name, value in values.items() if value in used}
    assert shown | {"broker_password", "snowflake_private_key", "snowflake_private_key_passphrase"} == SECRETS
    assert witness.leaks() == []


def let_in(entered: list[str]) -> Callable[[dict[str, str]], None]:
    """Log in to the embedded warehouse, and note with which password."""

    def enter(environment: dict[str, str]) -> None:
        port, password = (environment[f"F1STREAM_EMBEDDED_WAREHOUSE_{name}"] for name in ("PORT", "PASSWORD"))
        deadline = time.monotonic() + PATIENCE_S
        while not listens(int(port)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        settings = Settings(_env_file=None, embedded_warehouse_port=int(port), embedded_warehouse_password=password)
        client = Warehouse(settings)
        client.execute("select 1")
        client.close()
        entered.append(password)

    return enter


def look_at_live(witness: Witness) -> Callable[[dict[str, str]], None]:
    return lambda environment: assert_metrics(witness, f"http://127.0.0.1:{environment['F1STREAM_LIVE_PORT']}")


def look_at_jobs(witness: Witness) -> Callable[[dict[str, str]], None]:
    def look(environment: dict[str, str]) -> None:
        address = f"http://127.0.0.1:{environment['F1STREAM_SCHEDULE_PORT']}"
        assert_metrics(witness, address)
        assert "Incorrect username" in witness.get(f"{address}/health"), "the job has not failed"

    return look


def nowhere() -> str:
    """An address where nobody answers."""
    return f"127.0.0.1:{free_port()}"


def assert_metrics(witness: Witness, address: str) -> None:
    assert "f1stream_" in witness.get(f"{address}/metrics")


def look_at_all(witness: Witness) -> Callable[[dict[str, str]], None]:
    """Everything that the workers, the scheduler and the page answer."""

    def look(environment: dict[str, str]) -> None:
        web, *others = (f"http://127.0.0.1:{environment[f'F1STREAM_{name}_PORT']}"
                        for name in ("WEB", "RACE", "ARCHIVE", "SCHEDULE"))  # fmt: skip
        for each in (web, *others):
            assert_metrics(witness, each)
            assert witness.get(f"{each}/health")
        for each in others:  # Faust has pages of its own
            for path in ("/", "/stats/", "/router/", "/table/", "/live/", "/graph/", "/none"):
                witness.get(each + path)
        deadline = time.monotonic() + PATIENCE_S
        while SESSION not in witness.get(f"{web}/api/sessions"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        described = yaml.safe_load((ROOT / "web" / "api" / "openapi.yaml").read_text())
        for path in (*described["paths"], "/", "/static/app.js", "/none", "/ws"):
            witness.get(web + path.format(key=SESSION, year=2025) + "?car=1&lap=1&a=1:1&b=2:1")

    return look


@contextmanager
def hanging_up() -> Iterator[str]:
    """The address of somebody who hears what is asked, and hangs up."""

    def serve() -> None:
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            with caller:
                caller.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.system
def test_what_is_refused_is_not_shown(
    witness: Witness, cluster: Cluster, snowflake: Callable[..., SnowflakeDoor], tmp_path: Path
) -> None:
    """Wrong passwords, a key that is none, a token that the feed does not take; and nobody there."""
    values = marked()
    _, oauth = token_file(witness, tmp_path)
    secret = witness.keep_secret(values) | oauth
    body = secrets.token_hex(32)
    bad = {"snowflake_private_key": f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"}
    with snowflake(refuses=True) as door, hanging_up() as rude, LiveTimingServer(HEARTBEAT, tokens=["other"]) as feed:
        wrong = (
            cluster.secure_environment() | SNOWFLAKE | door.environment() | secret | {"F1STREAM_LIVE_URL": feed.url}
        )
        right = without(wrong, "broker_security") | cluster.environment()
        rude_broker, no_broker = (
            wrong | {"F1STREAM_BROKER_SECURITY": "SASL_PLAINTEXT", "F1STREAM_BROKER": address}
            for address in (rude, nowhere())
        )
        formats = itertools.cycle(("json", "text"))

        def run(environment: dict[str, str], *command: str, **how: Any) -> Callable[[], Any]:
            variables = environment | {"F1STREAM_LOG_FORMAT": next(formats)}
            return lambda: witness.run(*command, **how, **variables)

        all_at_once(
            run(without(right, *ONLY["password"]), "dbt", "debug", ends_with=1),
            run(right, "archive", until="Incorrect username"),
            run(right, "live", until="refused the F1TV token", then=look_at_live(witness)),
            run(right, "schedule", until="Incorrect username", then=look_at_jobs(witness)),
            run(wrong, "faust", "-A", "agents.race", "worker", ends_with=1),
            run(wrong, "web", until="Invalid username or password"),
            run(wrong, "doctor", ends_with=1),
            run(
                without(right, *ONLY["key"]) | witness.keep_secret(bad), "warehouse", "status", ends_with=UNAVAILABLE
            ),
            run(wrong | {"F1STREAM_BROKER_CA_FILE": "/nowhere/ca.pem"}, "web", until="No such file"),
            run(
                right | {"HTTPS_PROXY": f"http://{nowhere()}"}, "warehouse", "sql", "select 1", ends_with=UNAVAILABLE
            ),
            run(rude_broker, "topics", ends_with=UNAVAILABLE),
            run(no_broker, "demo", "--source", SOURCE, ends_with=UNAVAILABLE),
        )
        assert feed.authorizations[0] == f"Bearer {values['f1tv_token']}"
    assert witness.leaks() == []


UNCAUGHT = """
from f1stream import logs
from f1stream.settings import Settings
settings = Settings(_env_file=None)
logs.configure("test", settings)
kafka, warehouse = settings.kafka_client(), settings.warehouse_client()
raise RuntimeError(f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}")
"""


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_uncaught_error_shows_the_settings_without_their_secrets(witness: Witness, log_format: str) -> None:
    given = witness.keep_secret(marked()) | {"F1STREAM_LOG_FORMAT": log_format}
    given |= SNOWFLAKE | {"F1STREAM_BROKER_SECURITY": "SASL_PLAINTEXT", "F1STREAM_BROKER_USER": "lando"}
    output = witness.run("-c", UNCAUGHT, ends_with=1, **given)
    assert "RuntimeError" in output and "Traceback" in output and "lando" in output
    assert witness.leaks() == []


def test_a_wrong_setting_is_named_and_no_value_is_shown(witness: Witness) -> None:
    """Neither the secrets beside it, nor the wrong value: it may be a secret under a wrong name."""
    given = witness.keep_secret(marked())
    misplaced = witness.keep_secret({"broker_security": secrets.token_hex(20), "web_port": secrets.token_hex(20)})
    output = witness.run("topics", ends_with=UNAVAILABLE, **given, **misplaced)
    assert "F1STREAM_BROKER_SECURITY" in output and "F1STREAM_WEB_PORT" in output
    assert witness.leaks() == []


def test_help_shows_no_setting(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in witness.keep_secret(marked()).items():
        monkeypatch.setenv(name, value)
    for command in commands():
        result = CliRunner().invoke(cli.app, [*command.split(), "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0, command
        witness.outputs[command] = result.output.encode()
    assert "Usage" in result.output
    assert witness.leaks() == []
