"""Checks locked packages and Ollama's Go modules for vulnerabilities: ``python -m rag.setup.audit LOCK ...``.

osv.dev is asked (https://google.github.io/osv.dev/post-v1-querybatch/), which has PyPI's, Go's and GitHub's advisories.
It gets the names and versions in the lock files and of the modules that set-up builds, which are public, and nothing
else.  Where it does not answer, one line says that nothing was checked; ``--require`` makes that an error, for machines
that are known to reach it.
"""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import re
import sys
import threading
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel

from rag.errors import AnswerdeskError, AuditImpossible, VulnerablePackages
from rag.private_files import keep_files_private
from rag.setup.ollama_build import MODULE_SUMS
from rag.terminal import exit_code_of, fail, terminal_language
from rag.translate import translate

OSV = "https://api.osv.dev"
_PATIENCE_SECONDS = 10.0
_BATCH = 1000  # the most queries that one request may hold, by the documentation
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)
_PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A package as a lock file pins it; the ecosystem is one of OSV's."""

    name: str
    version: str
    ecosystem: str = "PyPI"


class _Vulnerability(BaseModel):
    id: str


class _Result(BaseModel):
    vulns: list[_Vulnerability] = []


class _Answer(BaseModel):
    results: list[_Result]


def packages_in(locks: Sequence[Path]) -> list[Package]:
    """Return the pins of the lock files, each once, in order.  Raises ``AuditImpossible`` if one has none."""
    found: set[Package] = set()
    for lock in locks:
        pinned = {Package(*pair) for pair in _PINNED.findall(lock.read_text(encoding="utf-8"))}
        if not pinned:
            raise AuditImpossible(reason=f"{lock}: 0 packages")
        found |= pinned
    return sorted(found)


def go_packages(modules: Iterable[str]) -> list[Package]:
    """Return modules like ``example.org/module@v1.2.3`` as OSV names them (ossf.github.io/osv-schema): without v."""
    return [Package(name, version, "Go") for name, _, version in (module.partition("@v") for module in modules)]


def vulnerabilities(
    packages: Sequence[Package], service: str = OSV, patience_seconds: float = _PATIENCE_SECONDS
) -> dict[Package, list[str]]:
    """Return the advisories of the packages that have some.

    Raises ``AuditImpossible`` when the service has not answered after ``patience_seconds``, also where resolving its
    name hangs, or has answered something else than it documents.
    """
    outcomes: list[dict[Package, list[str]] | httpx.HTTPError | ValueError] = []

    def query() -> None:
        try:
            outcomes.append(_query_all(packages, service, patience_seconds))
        except (httpx.HTTPError, ValueError) as error:
            outcomes.append(error)

    thread = threading.Thread(target=query, daemon=True)
    thread.start()
    thread.join(patience_seconds)
    if not outcomes:
        raise AuditImpossible(reason=f"{service}: {patience_seconds:.0f} s")
    outcome = outcomes[0]
    if isinstance(outcome, Exception):
        raise AuditImpossible(reason=f"{service}: {type(outcome).__name__}") from outcome
    return outcome


def _query_all(packages: Sequence[Package], service: str, patience_seconds: float) -> dict[Package, list[str]]:
    found: dict[Package, list[str]] = {}
    with httpx.Client(timeout=patience_seconds) as client:
        for start in range(0, len(packages), _BATCH):
            batch = packages[start : start + _BATCH]
            queries = [
                {"package": {"name": one.name, "ecosystem": one.ecosystem}, "version": one.version} for one in batch
            ]
            response = client.post(f"{service}/v1/querybatch", json={"queries": queries})
            answer = _Answer.model_validate_json(response.raise_for_status().content)
            for package, result in zip(batch, answer.results, strict=True):
                if result.vulns:
                    found[package] = sorted(vulnerability.id for vulnerability in result.vulns)
    return found


def accepted_advisories(pyproject: Path = _PYPROJECT) -> dict[str, str]:
    """Return the advisories that do not concern us, with the reason: ``[tool.answerdesk.accepted-advisories]``."""
    tool = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]
    return dict(tool.get("answerdesk", {}).get("accepted-advisories", {}))


def audit(locks: Sequence[Path], accepted: Mapping[str, str], service: str = OSV) -> str:
    """Return the sentence about sound packages.  Raises ``AuditImpossible`` or ``VulnerablePackages``."""
    packages = [*packages_in(locks), *go_packages(MODULE_SUMS)]
    found = vulnerabilities(packages, service)
    open_ones = {package: [one for one in ids if one not in accepted] for package, ids in found.items()}
    told = [f"{package.name} {package.version} ({', '.join(ids)})" for package, ids in open_ones.items() if ids]
    if told:
        raise VulnerablePackages(found="; ".join(told))
    return translate(
        "setup.audit_sound", terminal_language(), packages=len(packages), accepted=sum(map(len, found.values()))
    )


def main(arguments: Sequence[str] | None = None, service: str = OSV) -> int:
    """Audit, and return the exit code: 0 for sound or not checked, 5 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m rag.setup.audit", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("locks", nargs="+", type=Path, metavar="LOCK")
    parser.add_argument("--require", action="store_true", help="no answer is an error  没有应答即视为错误")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(audit(options.locks, accepted_advisories(), service) + "\n")
    except AuditImpossible as error:
        if options.require:
            return fail(error)
        sys.stdout.write(translate("setup.audit_unchecked", terminal_language(), reason=error.details["reason"]) + "\n")
    except AnswerdeskError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
