"""What is shipped for a deployment: the Compose file, the Containerfile, HAProxy's configuration, and their page."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from rag.schema import Language
from rag.settings import Settings
from rag.translate import LOCALE_FOLDER, load_catalogue, template

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DESKS = ("one", "two")
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
BALANCER = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
MOST_LINES = 120


def instructions() -> list[tuple[str, str]]:
    """Return the Containerfile's instructions, each in one line, without comments."""
    lines = "\n".join(line for line in CONTAINERFILE.splitlines() if not line.startswith("#"))
    whole = re.sub(r"\\\n\s*", "", lines).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in whole if line.strip())]


# the Compose file


@pytest.mark.slow
def test_the_compose_file_is_one_by_its_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_is_published_but_the_balancer() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    inner = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    for name in (*DESKS, "worker", "database"):
        assert set(SERVICES[name]["networks"]) <= inner, f"{name} has a way out"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    is_ours = service["image"] == "answerdesk"
    assert is_ours == (name in (*DESKS, "worker"))
    assert "healthcheck" in service or (is_ours and "HEALTHCHECK" in dict(instructions()))


def test_what_is_kept_lies_in_named_volumes() -> None:
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str) and not volume.startswith(".")
    }
    assert named == set(COMPOSE["volumes"])
    kept = {volume for name in DESKS for volume in SERVICES[name]["volumes"] if not volume.startswith(".")}
    assert len(kept) == 2 * len(DESKS), "no two desks share a folder"


def test_secrets_are_files_and_no_values() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD$|SECRET|TOKEN|_KEY$", variable), variable
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), "a password in an address"
    assert {one["file"] for one in COMPOSE["secrets"].values()} == {"./secrets/database-password", "./secrets/pgpass"}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")
    assert {"/deploy/secrets/", "/deploy/certs/", "/deploy/.env", "/deploy/documents/"} <= set(ignored.splitlines())


@pytest.mark.parametrize("name", DESKS)
def test_a_desk_is_where_the_balancer_looks_and_is_set_up_by_settings_that_exist(name: str) -> None:
    service = SERVICES[name]
    address = service["networks"]["desks"]["ipv4_address"]
    assert f"server {name} {address}:8501 cookie {name}" in BALANCER
    assert service["hostname"] == name
    assert (
        service["environment"]["ANSWERDESK_TRUSTED_PROXIES"]
        == SERVICES["balancer"]["networks"]["desks"]["ipv4_address"]
    )
    known = {f"ANSWERDESK_{field.upper()}" for field in Settings.model_fields}
    aliases = {
        str(one) for field in Settings.model_fields.values() for one in getattr(field.validation_alias, "choices", ())
    }
    assert {variable for variable in service["environment"] if variable != "PGPASSFILE"} <= known | aliases


# the Containerfile


def test_the_desk_is_not_root_and_cannot_change_its_program() -> None:
    last = CONTAINERFILE[CONTAINERFILE.rindex("\nFROM ") :]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001"]
    assert "--chown=root:root /srv/answerdesk" in last


def test_no_layer_holds_a_secret_or_names_a_registry() -> None:
    for name, rest in instructions():
        if name in ("ARG", "ENV"):
            assert not re.search(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|NETRC", rest), rest
        if name == "FROM":
            assert re.fullmatch(r"[a-z]+:[\w.-]+( AS \w+)?", rest), rest
    for service in SERVICES.values():
        assert re.fullmatch(r"([a-z]+/)?[a-z]+(:[\w.]+)?", service["image"]), service["image"]


def test_what_is_copied_is_there_and_not_left_out_by_the_ignore_file() -> None:
    lines = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    for name, rest in instructions():
        if name != "COPY" or "--from" in rest:
            continue
        for source in rest.split()[1:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch(source, pattern) or source.startswith(f"{pattern}/") for pattern in let_in), source


# the page


def sentences() -> set[str]:
    """Return every sentence of the catalogues, as it stands there."""
    catalogues = {path.stem for path in (LOCALE_FOLDER / "en").iterdir()}
    return {
        text
        for language in get_args(Language)
        for catalogue in catalogues
        for text in load_catalogue(LOCALE_FOLDER, language, catalogue).values()
    }


def test_every_sentence_that_the_page_quotes_is_in_the_catalogues() -> None:
    _, _, part = PAGE.partition("## When a part is down")
    quoted = re.findall("“([^”]+)”", part)
    assert len(quoted) >= 16
    assert [text for text in quoted if text not in sentences()] == []
    english = [text for text in quoted if not re.search("[\u4e00-\u9fff]", text)]
    assert 2 * len(english) == len(quoted), "each sentence stands there in both languages"


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= MOST_LINES
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90


def test_where_no_desk_is_up_the_balancer_says_the_sentence_of_an_open_page() -> None:
    said = next(line for line in BALANCER.splitlines() if "http-error status 503" in line)
    assert all(template("ui.connection_lost", language) in said for language in get_args(Language))
