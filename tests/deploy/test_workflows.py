"""What can be known of the workflows without GitHub: `make checks` reads them for known mistakes, too."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from f1stream.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.name: path for path in sorted((ROOT / ".github" / "workflows").iterdir())}
SCRIPTS = [ROOT / "deploy" / name for name in ("changed.sh", "release.sh", "scan.sh")]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip
WRITES = {
    "checks.yaml tests": {"id-token"},
    "pull-request.yaml checks": {"id-token"},
    "main.yaml checks": {"id-token"},
    "main.yaml image": {"id-token"},
    "main.yaml staging": {"id-token"},
    "main.yaml production": {"id-token"},
    "weekly.yaml scan": {"id-token"},
}
"""Jobs that may write anything, and what: a token with which a role of AWS is taken."""


def workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load(FILES[name].read_text())


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in FILES:
        for job, body in workflow(name)["jobs"].items():
            yield f"{name} {job}", body


def commands() -> Iterator[tuple[str, str]]:
    """What is run, with the name of its job."""
    for name, job in jobs():
        for step in job.get("steps", []):
            if "run" in step:
                yield name, step["run"]


def everything() -> str:
    return "\n".join(path.read_text() for path in FILES.values())


def triggers(name: str) -> Any:
    return workflow(name)[True]  # YAML takes the word `on` for true


def test_there_is_one_for_pull_requests_for_their_end_and_for_main() -> None:
    assert triggers("pull-request.yaml") == {"pull_request": None}
    assert triggers("closed.yaml") == {"pull_request": {"types": ["closed"]}}
    assert triggers("main.yaml") == {"push": {"branches": ["main"]}}
    assert triggers("checks.yaml") == {"workflow_call": None}
    assert triggers("weekly.yaml").keys() == {"schedule"}
    assert FILES.keys() == {"pull-request.yaml", "closed.yaml", "main.yaml", "checks.yaml", "weekly.yaml"}


def test_nothing_may_be_done_but_what_a_job_names() -> None:
    for name in FILES:
        assert workflow(name)["permissions"] == {}, name
    for name, job in jobs():
        assert isinstance(job["permissions"], dict), name
        writes = {what for what, right in job["permissions"].items() if right != "read"}
        assert writes == WRITES.get(name, set()), name
        assert "runs-on" not in job or job["timeout-minutes"] <= 180, name


def test_a_checkout_keeps_no_token_and_no_step_is_made_of_what_strangers_write() -> None:
    for name, job in jobs():
        for step in job.get("steps", []):
            assert "actions/checkout" not in step.get("uses", "") or step["with"]["persist-credentials"] is False, (
                name
            )
            assert "${{" not in step.get("run", ""), f"{name}: {step['run']}"


def test_production_comes_after_staging_with_the_same_image_and_under_its_own_environment() -> None:
    main = workflow("main.yaml")["jobs"]
    assert set(main["image"]["needs"]) == {"checks", "changes"}
    assert "image" in main["staging"]["needs"]
    assert "staging" in main["production"]["needs"]
    assert [main[name]["environment"] for name in ("image", "staging", "production")] == [
        "staging",
        "staging",
        "production",
    ]
    assert main["staging"]["env"] == main["production"]["env"]
    shared = [
        [step for step in main[name]["steps"] if step.get("name") != "Release"] for name in ("staging", "production")
    ]
    assert shared[1][: len(shared[0])] == shared[0]


def test_what_is_called_is_there() -> None:
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, run in commands():
        for called in re.findall(r"^\s*make ([^\"].+)$", run, re.MULTILINE):  # "$TARGET": see the test of the parts
            assert set(called.split()) <= targets, f"{name}: make {called}"
        for path in re.findall(r"(?<![\w.$/])(?:bash )?((?:deploy|\.ci)/[\w./-]+)", run):
            made = path.endswith((".tfvars", ".tfbackend"))
            assert (ROOT / path).parent.is_dir() if made else (ROOT / path).is_file(), f"{name}: {path}"
    for called in re.findall(r"uses: \$/(\S+)", everything()):
        assert (ROOT / called).is_file()
    assert all(script.stat().st_mode & stat.S_IXUSR for script in SCRIPTS)


def test_checks_are_those_of_a_developer() -> None:
    ran = " ".join(run for name, run in commands() if name.startswith("checks.yaml"))
    for command in ("make sqlfluff", "make checks", "terraform test", 'make "$TARGET" ARGS="$ARGS"'):
        assert command in ran
    for name in ("pull-request.yaml", "main.yaml"):
        assert workflow(name)["jobs"]["checks"]["uses"].endswith("/checks.yaml")


def test_its_parallel_parts_are_all_of_the_tests() -> None:
    """One is `make test`; of the others each runs some folders, and the last one all but those."""
    python, *parts, rest = workflow("checks.yaml")["jobs"]["tests"]["strategy"]["matrix"]["include"]
    assert (python["target"], python["args"]) == ("test", "")
    assert {part["target"] for part in (*parts, rest)} == {"test-system"}
    folders = [folder for part in parts for folder in part["args"].split()]
    assert all((ROOT / folder).is_dir() for folder in folders)
    assert rest["args"].split("--ignore ")[1:] == [f"{folder} " for folder in folders[:-1]] + folders[-1:]


def test_settings_that_are_set_exist() -> None:
    named = set(re.findall(r"F1STREAM_\w+", everything() + "".join(script.read_text() for script in SCRIPTS)))
    assert named <= {f"F1STREAM_{name.upper()}" for name in Settings.model_fields}
    for name, job in jobs():
        for step in job.get("steps", []):
            variables = {**job.get("env", {}), **step.get("env", {})}
            for setting, values in (("F1STREAM_DBT_TARGET", ["pr"]), ("F1STREAM_DBT_SCHEMA", ["PR_12"])):
                given = re.sub(
                    r"\$\{\{ github.event.pull_request.number \}\}", "12", variables.get(setting, values[0])
                )
                assert given in values, name
                Settings(_env_file=None, **{setting.removeprefix("F1STREAM_").lower(): given})


def test_targets_of_dbt_are_targets() -> None:
    from f1stream.marts.project import TARGETS

    released = re.findall(r'deploy/release\.sh "\$TAG" (\w+)', everything())
    assert released == ["staging", "prod"]
    assert set(released) <= set(TARGETS)


def test_every_secret_and_variable_is_documented_and_no_other() -> None:
    used = set(re.findall(r"\b(?:secrets|vars)\.(\w+)", everything()))
    readme = (ROOT / "deploy" / "README.md").read_text().partition("\n## Workflows\n")[2].partition("\n## ")[0]
    table = readme.partition("| Environment |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", table))
    assert documented == used
    environments = {job["environment"] for _, job in jobs() if "environment" in job}
    assert environments == {"tests", "pull-requests", "staging", "production"}
    for name in environments:
        assert f"`{name}`" in table


def test_the_subject_that_a_role_trusts_is_documented_in_both_forms() -> None:
    """Repositories since July 2026 have owner and repository ids in it: a role with the other form refuses them."""
    readme = (ROOT / "deploy" / "README.md").read_text().partition("\n## Workflows\n")[2].partition("\n## ")[0]
    for repository in ("OWNER/NAME", "OWNER@OWNER_ID/NAME@REPOSITORY_ID"):
        assert f"| `repo:{repository}:environment:ENVIRONMENT` |" in readme
    (policy,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    condition = json.loads(policy)["Statement"][0]["Condition"]["StringEquals"]
    assert {name.rpartition(":")[2] for name in condition} == {"aud", "sub"}, "a role for every repository"
    (shown,) = re.findall(r"python3 -c '(.*)'", readme)
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "repo:a@1/b@2:environment:tests"}).encode()).decode()
    answer = json.dumps({"value": f"e30.{claims.rstrip('=')}.x"})
    ran = subprocess.run([sys.executable, "-c", shown], input=answer, capture_output=True, text=True, check=True)
    assert ran.stdout == "repo:a@1/b@2:environment:tests\n"


def test_secrets_are_given_to_single_steps_of_jobs_with_an_environment() -> None:
    for name, job in jobs():
        assert "secrets." not in json.dumps(job.get("env", {})), name
        assert "secrets." not in json.dumps(job.get("steps", [])) or "environment" in job, name
    assert "secrets: inherit" not in everything()
    assert "pull_request_target" not in everything()


def test_actions_are_those_whose_tags_the_policy_allows() -> None:
    policy = yaml.safe_load((ROOT / ".github" / "zizmor.yml").read_text())["rules"]["unpinned-uses"]["config"][
        "policies"
    ]
    used = {name.partition("@") for name in re.findall(r"uses: ([^$\s]+)", everything())}
    for name, _, ref in used:
        assert re.fullmatch(r"v\d+", ref), f"{name}@{ref}"
        assert name in policy or f"{name.partition('/')[0]}/*" in policy
    for pattern in policy:
        assert any(name == pattern or name.startswith(pattern.rstrip("*")) for name, _, _ in used), pattern
    assert len({ref for name, _, ref in used if name == "actions/checkout"}) == 1


def test_versions_are_those_that_are_used_here() -> None:
    assert set(re.findall(r"terraform_version: ([\d.]+)", everything())) == {"1.11.4"}
    assert "Terraform 1.11.4" in (ROOT / "deploy" / "terraform" / "README.md").read_text()


@pytest.mark.parametrize("name", FILES)
def test_shell_is_shell(name: str) -> None:
    for job, run in commands():
        if job.startswith(name):
            done = subprocess.run(["bash", "-n"], input=run, text=True, capture_output=True, check=False)
            assert done.returncode == 0, f"{job}: {done.stderr}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_shell_and_stop_at_a_failure(script: Path) -> None:
    assert "\nset -euo pipefail\n" in script.read_text()
    subprocess.run(["bash", "-n", script], check=True)


# deploy/changed.sh


def copied() -> list[str]:
    """What the Dockerfile copies from here."""
    lines = [line.split() for line in DOCKERFILE.read_text().splitlines() if re.match(r"(COPY|ADD)\b", line, re.I)]
    assert not [line for line in lines if line[0] != "COPY" or line[-1] == "\\" or line[1].startswith("[")], (
        "not read here"
    )
    return [
        source for line in lines if "--from=" not in " ".join(line) for source in line[1:-1] if source[:2] != "--"
    ]


class Repository:
    """A repository with the script, the Dockerfile, and something at each path that the script looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        for path in (SCRIPTS[0], DOCKERFILE):
            self.write(str(path.relative_to(ROOT)), path.read_text())
        (folder / "deploy" / "changed.sh").chmod(0o755)
        for source in [*copied(), "dbt", "f1stream/marts", "deploy/streamlit", "tests", "web"]:
            self.write(self.file(source), "as it was")
        self.first = self.commit()

    @staticmethod
    def file(source: str) -> str:
        return source if (ROOT / source).is_file() else f"{source}/some.file"

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, env={**os.environ, **GIT}, check=True, capture_output=True,
            text=True,
        ).stdout.strip()  # fmt: skip

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=changed")
        return self.git("rev-parse", "HEAD")

    def changed(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.folder / "deploy" / "changed.sh", *arguments], env={**os.environ, **GIT}, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else f"{done.returncode}: {done.stderr.strip()}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_image_has_changed_with_each_thing_that_its_dockerfile_copies(repository: Repository) -> None:
    assert len(copied()) >= 8
    for source in [*copied(), "deploy/docker"]:
        since = repository.git("rev-parse", "HEAD")
        assert repository.changed("image", since) == "false"
        repository.write(repository.file(source), f"changed: {source}")
        if source == "deploy/docker":
            repository.write("deploy/docker/Dockerfile.dockerignore", "*")
        assert repository.commit() == repository.changed("image"), "the tag is the commit of the change"
        assert repository.changed("image", since) == "true", source


def test_image_has_not_changed_with_anything_else(repository: Repository) -> None:
    for path in (
        "tests/some.file",
        "deploy/streamlit/some.file",
        "deploy/terraform/main.tf",
        ".github/workflows/main.yaml",
    ):
        repository.write(path, "changed")
    repository.commit()
    assert repository.changed("image", repository.first) == "false"
    assert repository.changed("image") == repository.first, "so its tag is the one that it had"


def test_marts_and_streamlit_change_on_their_own(repository: Repository) -> None:
    repository.write("dbt/some.file", "changed")
    second = repository.commit()
    assert [repository.changed(part, repository.first) for part in ("marts", "streamlit")] == ["true", "false"]
    repository.write("deploy/streamlit/some.file", "changed")
    repository.commit()
    assert [repository.changed(part, second) for part in ("marts", "streamlit")] == ["false", "true"]


def test_a_change_that_was_taken_back_is_none(repository: Repository) -> None:
    was = (repository.folder / "dbt" / "some.file").read_text()
    repository.write("dbt/some.file", "changed")
    repository.commit()
    repository.write("dbt/some.file", was)
    repository.commit()
    assert repository.changed("image", repository.first) == "false"


@pytest.mark.parametrize(
    "since", ["", "0" * 40, "f" * 40, "--output=x"], ids=["none", "first push", "unknown", "option"]
)
def test_at_a_first_push_everything_has_changed(repository: Repository, since: str) -> None:
    assert [repository.changed(part, since) for part in ("image", "marts", "streamlit")] == ["true"] * 3


def test_merged_changes_of_two_branches_have_a_tag_of_their_own(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--create", "other")
    repository.write("web/some.file", "changed")
    other = repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.write("dbt/some.file", "changed")
    ours = repository.commit()
    repository.git("merge", "--quiet", "--no-edit", "other")
    assert repository.changed("image") not in {other, ours, repository.first}
    assert repository.changed("image", "HEAD^1") == "true", "as a pull request's merge is looked at"


def test_without_its_history_no_tag_is_printed(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repository.write("tests/some.file", "changed")
    repository.commit()
    clone = tmp_path_factory.mktemp("clone") / "clone"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone))
    repository.folder = clone
    assert (
        repository.changed("image") == "2: changed.sh: The git history is shallow; fetch all of it (fetch-depth: 0)."
    )
    assert repository.changed("") == "2: changed.sh: The first argument must be image, marts or streamlit."


# deploy/release.sh

STAND_IN = r"""#!/usr/bin/env bash
# Stands in for aws, docker and terraform: records its calls, and answers as configured.
name=$(basename "$0")
echo "$name $*" >> "$CALLS"
case "$name $*" in
  "docker manifest inspect"*) grep -qF "$3" <<< "${THERE:-}" ;;
  "docker run"*) echo "init $F1STREAM_SNOWFLAKE_ROLE $F1STREAM_SNOWFLAKE_USER" >> "$CALLS" ;;
  "terraform output"*) echo arn:cluster ;;
  "aws ecs describe-services"*networkConfiguration*) echo '{"awsvpcConfiguration": {"subnets": ["a"]}}' ;;
  "aws ecs describe-services"*) echo "arn:definition-$6" ;;
  "aws ecs describe-task-definition"*)
    if [[ "$*" = *"${BACK:-none}"* ]]; then echo registry/f1stream:old; else echo registry/f1stream:new; fi ;;
  "aws ecs run-task"*) echo arn:task ;;
  "aws ecs describe-tasks"*)
    codes=(${CODES:-0})
    echo "${codes[$(grep -c "^aws ecs run-task" "$CALLS") - 1]}" ;;
esac
"""


class Release:
    """Runs the script among stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("aws", "docker", "terraform"):
            (self.bin / name).write_text(STAND_IN)
            (self.bin / name).chmod(0o755)

    def run(self, **variables: str) -> tuple[int, str, list[str]]:
        self.calls.write_text("")
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}", "CALLS": str(self.calls), "REGISTRY": "registry/f1stream",
            "PAUSE_S": "0", "THERE": "registry/f1stream:new", "SNOWFLAKE_USER": "TERRAFORM",
            "SNOWFLAKE_PRIVATE_KEY": "marked-secret", "F1STREAM_SNOWFLAKE_ACCOUNT": "ACME-RACING",
        } | variables  # fmt: skip
        done = subprocess.run(
            ["bash", SCRIPTS[1], "new", "prod"], env=environment, capture_output=True, text=True, check=False
        )
        calls = self.calls.read_text()
        assert "marked-secret" not in calls + done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr, calls.splitlines()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def place(calls: list[str], beginning: str) -> int:
    return next(n for n, call in enumerate(calls) if call.startswith(beginning))


def test_tables_come_before_services_and_the_marts_after_them(release: Release) -> None:
    code, said, calls = release.run()
    assert code == 0, said
    order = [
        "docker run",
        "init SYSADMIN TERRAFORM",
        "terraform init",
        "terraform apply",
        "aws ecs wait services-stable",
    ]
    order += ["aws ecs run-task", "aws ecs wait tasks-stopped"]
    assert sorted(order, key=lambda beginning: place(calls, beginning)) == order
    assert "-var image_tag=new" in calls[place(calls, "terraform apply")]
    assert not [call for call in calls if "imagetools" in call], "the image is there"
    waited = [call.split()[-1] for call in calls if call.startswith("aws ecs wait services-stable")]
    assert sorted(waited) == ["archive", "race", "schedule", "web"]
    # Old workers that count no samples load until they are replaced: `init` counts once more, before the marts.
    ran = [call for call in calls if call.startswith("docker run")]
    assert len(ran) == 2
    assert ran[0] == ran[1]
    again = len(calls) - 1 - calls[::-1].index(ran[1])
    assert calls.index("init SYSADMIN TERRAFORM") < again < place(calls, "aws ecs run-task")
    assert [n for n, call in enumerate(calls) if call.startswith("aws ecs wait services-stable")][-1] < again


def test_marts_are_built_by_the_new_image_in_the_schedulers_place(release: Release) -> None:
    *_, calls = release.run()
    text = "\n".join(calls)
    (overrides,) = re.findall(r"--overrides (\{.*?\]\}\]\}) --query", text, re.DOTALL)
    assert json.loads(overrides) == {
        "containerOverrides": [
            {
                "name": "schedule",
                "command": ["dbt", "build", "--exclude-resource-type", "unit_test"],
                "environment": [{"name": "F1STREAM_DBT_TARGET", "value": "prod"}],
            }
        ]
    }
    assert "--task-definition arn:definition-schedule " in calls[place(calls, "aws ecs run-task")]


def test_unit_tests_of_the_marts_run_in_ci_and_not_in_releases() -> None:
    """Their rows are fixed: on one version of the project their result is, too."""
    built = [run for _, run in commands() if "f1stream dbt build" in run]
    assert built, "pull requests build the marts on Snowflake"
    assert not [run for run in built if "unit_test" in run]
    assert '\\"--exclude-resource-type\\", \\"unit_test\\"' in (ROOT / "deploy" / "release.sh").read_text()


def test_production_copies_the_image_that_staging_has_run(release: Release) -> None:
    code, said, calls = release.run(THERE="", FROM_REGISTRY="other/f1stream")
    assert code == 0, said
    assert "docker buildx imagetools create --tag registry/f1stream:new other/f1stream:new" in calls
    code, said, calls = release.run(THERE="")
    assert code == 1
    assert "Image registry/f1stream:new does not exist" in said
    assert not [call for call in calls if call.startswith("terraform")]


def test_a_service_that_went_back_is_a_failure_and_nothing_is_built(release: Release) -> None:
    code, said, calls = release.run(BACK="definition-archive")
    assert code == 1
    assert "Service archive was rolled back to registry/f1stream:old" in said
    assert not [call for call in calls if call.startswith("aws ecs run-task")]


@pytest.mark.parametrize(
    ("codes", "runs", "expected"), [("2 2 0", 3, 0), ("1", 1, 1), ("None", 1, 1), ("2 2 2 2 2 2", 6, 1)]
)
def test_a_build_waits_for_the_schedulers_own_and_fails_otherwise(
    release: Release, codes: str, runs: int, expected: int
) -> None:
    code, said, calls = release.run(CODES=codes)
    assert code == expected, said
    assert len([call for call in calls if call.startswith("aws ecs run-task")]) == runs
