"""The check for vulnerabilities against a service on this machine: what it is told, and that it can fail."""

import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from rag.errors import AuditImpossible, VulnerablePackages
from rag.ollama.install import OLLAMA_VERSION
from rag.setup.audit import Package, accepted_advisories, audit, main, packages_in, vulnerabilities
from tests.conftest import free_port
from tests.local_server import LocalServer

CHECKOUT = Path(__file__).parents[3]
LOCK = """aiohttp==3.9.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.2.0 ; python_full_version >= '3.11' \\
    --hash=sha256:cc
"""


class Service(BaseHTTPRequestHandler):
    """osv.dev for two packages.  ``answer``, where a test sets it, is sent instead, after ``seconds``."""

    advisories: dict[str, list[str]] = {}  # noqa: RUF012  (a handler is made for each request)
    questions: list[Any] = []  # noqa: RUF012
    answer: bytes | None = None
    status = 200
    seconds = 0.0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.questions.append((self.path, asked))
        results = [
            {"vulns": [{"id": one, "modified": "2026-01-01T00:00:00Z"} for one in self.advisories[name]]}
            if (name := query["package"]["name"]) in self.advisories
            else {}
            for query in asked["queries"]
        ]
        time.sleep(self.seconds)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(json.dumps({"results": results}).encode() if self.answer is None else self.answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr(Service, "advisories", {})
    monkeypatch.setattr(Service, "questions", [])
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with LocalServer(Service) as server:
        yield server.url


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_vulnerable_package_fails_the_check(service: str, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Service.advisories["aiohttp"] = ["PYSEC-2024-24", "GHSA-5h86-8mv2-jq9f"]
    assert main([str(lock)], service) == 5
    told = capsys.readouterr()
    assert "aiohttp 3.9.0 (GHSA-5h86-8mv2-jq9f, PYSEC-2024-24)" in told.err and "numpy" not in told.err
    assert told.out == ""


@pytest.mark.slow
def test_sound_packages_pass_and_are_counted(service: str, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(lock)], service) == 0
    assert capsys.readouterr().out == "4 locked packages and Go modules: no known vulnerability (osv.dev); 0 accepted\n"


@pytest.mark.slow
def test_names_and_versions_are_told_and_nothing_else(service: str, lock: Path) -> None:
    audit([lock, lock], {}, service)
    queries = [
        {"package": {"name": "aiohttp", "ecosystem": "PyPI"}, "version": "3.9.0"},
        {"package": {"name": "numpy", "ecosystem": "PyPI"}, "version": "2.2.0"},
        {"package": {"name": "github.com/ollama/ollama", "ecosystem": "Go"}, "version": OLLAMA_VERSION},
        {"package": {"name": "github.com/gen2brain/malgo", "ecosystem": "Go"}, "version": "0.11.24"},
    ]
    assert Service.questions == [("/v1/querybatch", {"queries": queries})]


@pytest.mark.slow
def test_an_accepted_advisory_passes_and_another_of_the_same_package_does_not(service: str, lock: Path) -> None:
    Service.advisories["numpy"] = ["GHSA-a"]
    assert audit([lock], {"GHSA-a": "never called"}, service).endswith("; 1 accepted")
    Service.advisories["numpy"] = ["GHSA-a", "GHSA-b"]
    with pytest.raises(VulnerablePackages, match=r"numpy 2\.2\.0 \(GHSA-b\)"):
        audit([lock], {"GHSA-a": "never called"}, service)


@pytest.mark.slow
def test_a_vulnerable_module_of_ollama_fails_the_check_unless_it_is_accepted(service: str, lock: Path) -> None:
    Service.advisories["github.com/ollama/ollama"] = ["GO-2025-4251", "GO-2099-1"]
    told = rf"^github\.com/ollama/ollama {re.escape(OLLAMA_VERSION)} \(GO-2099-1\)"
    with pytest.raises(VulnerablePackages) as raised:
        audit([lock], accepted_advisories(), service)
    assert re.search(told, str(raised.value.details["found"]))


def test_each_accepted_advisory_has_a_reason(tmp_path: Path) -> None:
    assert all(len(reason) > 10 for reason in accepted_advisories().values())
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[tool.answerdesk.accepted-advisories]\nGHSA-a = "never called"\n', encoding="utf-8")
    assert accepted_advisories(pyproject) == {"GHSA-a": "never called"}


@pytest.mark.slow
@pytest.mark.parametrize(("require", "code"), [([], 0), (["--require"], 5)])
def test_without_an_answer_one_line_says_that_nothing_was_checked(
    service: str, lock: Path, capsys: pytest.CaptureFixture[str], require: list[str], code: int
) -> None:
    assert main([*require, str(lock)], f"http://127.0.0.1:{free_port()}") == code
    told = capsys.readouterr()
    line = told.err if require else told.out
    assert ("could not be checked" if require else "NOT checked") in line
    assert (told.out + told.err).count("\n") == 1 and "ConnectError" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (503, b""),
        (200, b"<html>a page to sign in at</html>"),
        (200, b'{"results": []}'),
        (200, b'{"results": [{}, {}, {}, {}, {}]}'),
        (200, b'{"answers": []}'),
        (200, b'{"results": [{"vulns": [{"name": "?"}]}, {}, {}, {}]}'),
    ],
)
def test_what_is_no_answer_passes_nothing(
    service: str, lock: Path, monkeypatch: pytest.MonkeyPatch, status: int, answer: bytes
) -> None:
    monkeypatch.setattr(Service, "status", status)
    monkeypatch.setattr(Service, "answer", answer)
    with pytest.raises(AuditImpossible):
        audit([lock], {}, service)


@pytest.mark.slow
def test_a_silent_service_is_given_up(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "seconds", 3.0)
    began_at = time.monotonic()
    with pytest.raises(AuditImpossible):
        vulnerabilities([Package("numpy", "2.2.0")], service, patience_seconds=0.3)
    assert time.monotonic() - began_at < 2


def test_a_lock_that_pins_nothing_is_no_sound_lock(tmp_path: Path) -> None:
    empty = tmp_path / "requirements.lock"
    empty.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(AuditImpossible):
        packages_in([empty])


def test_every_package_of_the_shipped_locks_is_read() -> None:
    locks = [*CHECKOUT.glob("requirements*.lock"), *(CHECKOUT / "rag" / "setup").rglob("*.lock")]
    assert len(locks) == 4
    for lock in locks:
        lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if line[:1].isalnum()]
        pinned = {tuple(line.split(" ")[0].split("==")) for line in lines}
        assert {(package.name, package.version) for package in packages_in([lock])} == pinned


def test_make_check_looks_into_every_lock_file() -> None:
    recipe = (CHECKOUT / "Makefile").read_text("utf-8").split("\ncheck:")[1].split("\n\n")[0]
    (command,) = (line for line in recipe.splitlines() if "rag.setup.audit" in line)
    locks = {str(path.relative_to(CHECKOUT)) for path in (*CHECKOUT.glob("*.lock"), *CHECKOUT.glob("rag/setup/*.lock"))}
    assert {"requirements.lock", "requirements-dev.lock"} < locks
    listed = {
        str(path.relative_to(CHECKOUT)) for word in command.split() for path in CHECKOUT.glob(word) if ".lock" in word
    }
    assert listed == locks
