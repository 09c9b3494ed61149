"""What can be known of the Terraform files without a cloud: `make checks` scans them too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from f1stream.cli import app
from f1stream.marts.project import needed_schemas
from f1stream.settings import Settings
from tests.support.required import missing

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "deploy" / "terraform"
MODULES = sorted(folder.name for folder in (TERRAFORM / "modules").iterdir())
PARSER = ROOT / ".venv-checks" / "bin" / "python"
PARSE = """
import hcl2, json, pathlib, sys
print(json.dumps({str(file): hcl2.loads(file.read_text()) for file in map(pathlib.Path, sys.argv[1:])}))
"""


@pytest.fixture(scope="module")
def files() -> dict[Path, dict[str, Any]]:
    """Every file, parsed; names of blocks without their quotes."""
    if not PARSER.exists():
        missing("the parser is not there: make checks")
    paths = sorted(map(str, TERRAFORM.rglob("*.tf")))
    done = subprocess.run([PARSER, "-c", PARSE, *paths], capture_output=True, text=True, check=True)
    return {Path(path): file for path, file in json.loads(done.stdout).items()}


def blocks(files: dict[Path, dict[str, Any]], kind: str, folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Blocks of a kind, by name; of resources "type name"."""
    found = {}
    for path, file in files.items():
        if folder is not None and path.parent != folder:
            continue
        for block in file.get(kind, []):
            for name, body in block.items():
                if kind == "resource":
                    found |= {f"{name} {inner}".replace('"', ""): value for inner, value in body.items()}
                else:
                    found[name.strip('"')] = body
    return found


def text() -> str:
    return "\n".join(path.read_text() for path in sorted(TERRAFORM.rglob("*.tf")))


def value(body: dict[str, Any], name: str) -> Any:
    """Of an attribute: the parser puts it into a list."""
    held = body.get(name)
    return held[0] if isinstance(held, list) and len(held) == 1 else held


@pytest.mark.system
def test_every_file_is_formatted() -> None:
    if shutil.which("terraform") is None:
        missing("terraform is not there")
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", TERRAFORM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"terraform fmt -recursive deploy/terraform changes {done.stdout}"


@pytest.mark.system
def test_every_variable_has_a_description_and_a_type_and_what_a_user_sets_is_checked(files: dict[Path, Any]) -> None:
    for folder in (TERRAFORM, *(TERRAFORM / "modules" / name for name in MODULES)):
        variables = blocks(files, "variable", folder)
        assert variables, f"{folder} has no variables"
        for name, body in variables.items():
            assert value(body, "description"), f"variable {name} of {folder.name} is not described"
            assert value(body, "type"), f"variable {name} of {folder.name} has no type"
            assert folder != TERRAFORM or body.get("validation"), f"variable {name} takes anything"
    for name, body in blocks(files, "output").items():
        assert value(body, "description"), f"output {name} is not described"


@pytest.mark.system
def test_readme_lists_every_variable_with_its_description(files: dict[Path, Any]) -> None:
    readme = (TERRAFORM / "README.md").read_text()
    table = readme.partition("## Variables")[2].partition("\n## ")[0]
    documented = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", table, re.M)}
    variables = blocks(files, "variable", TERRAFORM)
    assert documented.keys() == variables.keys()
    for name, (default, description) in documented.items():
        assert description == value(variables[name], "description")
        assert (default == "required") == ("default" not in variables[name])


@pytest.mark.system
def test_example_sets_what_has_no_default_and_nothing_that_is_not_there(files: dict[Path, Any]) -> None:
    example = (TERRAFORM / "terraform.tfvars.example").read_text()
    names = set(re.findall(r"^(\w+) +=", example, re.M))
    variables = blocks(files, "variable", TERRAFORM)
    assert names <= variables.keys()
    assert {name for name, body in variables.items() if "default" not in body} <= names


@pytest.mark.system
def test_only_the_networks_that_the_user_names_are_let_in(files: dict[Path, Any]) -> None:
    assert "default" not in blocks(files, "variable", TERRAFORM)["allowed_cidrs"]
    by_address = []
    for name, body in blocks(files, "resource").items():
        assert not name.startswith("aws_security_group_rule "), f"{name} is of a kind that is not looked at here"
        assert not name.startswith("aws_security_group ") or "ingress" not in body, f"{name} has rules of its own"
        if name.startswith("aws_vpc_security_group_ingress_rule ") and "referenced_security_group_id" not in body:
            by_address.append(body)
    assert len(by_address) == 1, "only the load balancer is reached by address"
    assert "var.allowed_cidrs" in str(value(by_address[0], "for_each"))
    assert value(by_address[0], "cidr_ipv4") == "${each.value[1]}"
    assert len(re.findall(r'cidr_ipv4 += "0\.0\.0\.0/0"', text())) == 1, "one way out to everywhere, to port 443"


@pytest.mark.system
def test_terraform_never_holds_a_secret(files: dict[Path, Any]) -> None:
    resources = blocks(files, "resource")
    assert not [name for name in resources if name.startswith("aws_secretsmanager_secret_version ")]
    assert not [name for name in blocks(files, "variable") if re.search(r"password|private_key|passphrase", name)]
    secret = {f"F1STREAM_{name.upper()}" for name, f in Settings.model_fields.items() if f.annotation is SecretStr}
    used = [found for found in re.findall(r"(F1STREAM_\w+) += (.*?)[ ,}\n]", text()) if found[0] in secret]
    named = re.findall(r"^ +([a-z0-9-]+) += \"", text().partition('module "secrets"')[2].partition("\n}\n")[0], re.M)
    assert {name for name, _ in used} >= {"F1STREAM_BROKER_PASSWORD", "F1STREAM_SNOWFLAKE_PRIVATE_KEY"}
    for name, given in used:
        assert given.strip('"') in {*named, "f1tv-token"}, f"{name} is given {given}, which is no secret's name"


def test_rights_in_aws_are_for_named_things_only() -> None:
    """But for the key's own policy, where everything means this key, and a token that is of no repository."""
    lines = text().splitlines()
    wide = [n for n, line in enumerate(lines) if re.search(r'(Resource|Action) +=.*"([a-z]+:)?\*"', line)]
    about = [re.search(r"kms:|ecr:GetAuthorizationToken", "".join(lines[n - 1 : n + 1])) for n in wide]
    assert sorted(found[0] if found else "?" for found in about) == ["ecr:GetAuthorizationToken", *["kms:"] * 3]


def test_snowflake_has_the_names_of_the_ddl_of_dbt_and_of_streamlit(manifest: dict[str, Any]) -> None:
    """TRANSFORMER may create no schema in production, and tables only where it builds: dbt's manifest says where."""
    module = TERRAFORM / "modules" / "snowflake"
    main, roles = (module / "main.tf").read_text(), (module / "roles.tf").read_text()
    ddl = "\n".join(path.read_text() for path in (ROOT / "f1stream" / "warehouse" / "ddl").glob("*.sql"))
    dbt = needed_schemas(manifest)
    streamlit = yaml.safe_load((ROOT / "deploy" / "streamlit" / "snowflake.yml").read_text())["entities"]["f1stream"]
    schemas = set(re.findall(r"^ +([A-Z]+) += \"", main.partition("schemas = {")[2].partition("}")[0], re.M))
    made = set(re.findall(r"create schema if not exists (\w+)", ddl))
    assert schemas == made | dbt | {streamlit["identifier"]["schema"]}
    assert set(re.findall(r'"(\w+)"', re.findall(r"built = \[(.*)\]", main)[0])) == dbt
    assert re.findall(r"create stage if not exists RAW\.(\w+)", ddl) == re.findall(r'name += "(LOADS)"', main)
    assert re.search(rf"^ +{streamlit['query_warehouse']} += ", main, re.M)
    named = set(re.findall(r"^    (\w+) += \"(?:Loads|Builds|Reads)", roles, re.M))
    assert named == {"LOADER", "TRANSFORMER", "REPORTER"}
    assert re.search(r"auto_suspend += 60\n", main)


def test_services_are_commands_at_the_ports_of_the_settings() -> None:
    (listed,) = re.findall(r"ports += \{(.*)\}", text())
    ports = dict(re.findall(r"(\w+) = (\d+)", listed))
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert ports.keys() == {"race", "archive", "schedule", "web"} <= commands
    for name, port in ports.items():
        assert Settings.model_fields[f"{name}_port"].default == int(port)


@pytest.mark.system
def test_prometheus_is_let_in_to_all_metrics_and_viewers_to_none(files: dict[Path, Any]) -> None:
    (live,) = re.findall(r"live_port += (\d+)", text())
    assert Settings.model_fields["live_port"].default == int(live)
    resources = blocks(files, "resource")
    assert "var.metrics_ports" in str(value(resources["aws_vpc_security_group_ingress_rule metrics"], "for_each"))
    rule = str(resources["aws_lb_listener_rule inside"])
    assert "fixed-response" in rule
    assert all(f"'{path}'" in rule for path in ("/metrics", "/health", "/alive"))


def test_a_task_that_waits_is_not_replaced() -> None:
    for module, check in (("service", r"\$\{var\.port\}(/\w+)'"), ("balancer", r'path += "(.*)"')):
        assert re.findall(check, (TERRAFORM / "modules" / module / "main.tf").read_text()) == ["/alive"]


@pytest.mark.system
def test_what_holds_data_is_never_destroyed_by_a_plan(files: dict[Path, Any]) -> None:
    for name in ("snowflake_database f1stream", "snowflake_schema all"):
        lifecycle = value(blocks(files, "resource")[name], "lifecycle")
        assert value(lifecycle, "prevent_destroy") is True, name


@pytest.mark.system
def test_costs_are_what_their_arithmetic_gives(files: dict[Path, Any]) -> None:
    readme = (TERRAFORM / "README.md").read_text()
    rows = re.findall(r"^\| (.*) \| ([-+×/(). 0-9]+) \| ([0-9.]+) \|$", readme, re.M)
    assert len(rows) > 15
    for what, arithmetic, dollars in rows:
        found = eval(arithmetic.replace("×", "*"), {"__builtins__": {}})  # noqa: S307 - digits and signs only
        assert f"{found:.2f}" == dollars, f"{what}: {arithmetic} = {found:.2f}"
    sizes = value(blocks(files, "variable", TERRAFORM)["sizes"], "default")
    sizes = [size[0] if isinstance(size, list) else size for size in sizes.values()]
    needed = [sum(size["count"] * size[what] / 1024 for size in sizes) for what in ("cpu", "memory")]
    assert [float(row[1].split(" ×")[0]) for row in rows if row[0].startswith("Fargate")] == needed


def test_a_skipped_check_has_a_reason() -> None:
    skipped = re.findall(r"checkov:skip(.*)", text())
    assert 0 < len(skipped) < 12
    for reason in skipped:
        assert re.fullmatch(r"=CKV2?_[A-Z]+_\d+: .{20,}", reason), reason
