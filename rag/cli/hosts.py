"""Prints the status of several hosts for ``python -m rag.ollama status``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rag.errors import ModelMissing, OllamaUnavailable
from rag.ollama.client import LoadedModel
from rag.ollama.hosts import Hosts, HostState, hosts_of
from rag.queue.admission import Admission
from rag.schema import Language
from rag.settings import Settings
from rag.terminal import print_json
from rag.translate import translate

_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class HostReport:
    """One host.  ``busy`` of its ``slots`` are taken, by all programs of this machine; ``slots`` is 0 if left out."""

    url: str
    name: str
    state: HostState
    version: str
    installed: tuple[str, ...]
    loaded: tuple[LoadedModel, ...]
    slots: int
    busy: int


@dataclass(frozen=True, slots=True)
class HostsReport:
    """All hosts, the ``model`` that is asked for, and how many questions wait for any of them."""

    model: str
    hosts: tuple[HostReport, ...]
    waiting: int

    @property
    def usable(self) -> int:
        """The number of usable hosts."""
        return sum(host.state == "usable" for host in self.hosts)


def hosts_report(settings: Settings, hosts: Hosts) -> HostsReport:
    """Look at every host, and at the line before them."""
    admission = Admission.of(settings)
    seen, states, loaded = hosts.look(), hosts.states(), hosts.loaded()
    busy, slots = admission.busy(), hosts.slots()
    try:
        model = hosts.chosen().name
    except ModelMissing as error:
        model = str(error.details["model"])
    except OllamaUnavailable:
        model = settings.model
    reports = [
        HostReport(
            host.url,
            host.name,
            states[host.name],
            host.version,
            tuple(model.name for model in host.installed),
            tuple(loaded.get(host.name, ())),
            slots.get(host.name, 0),
            busy.get(host.name, 0),
        )
        for host in seen
    ]
    return HostsReport(model, tuple(reports), admission.occupancy().waiting)


def print_hosts(report: HostsReport, language: Language, *, as_json: bool) -> int:
    """Print the hosts' states, and return the exit code: 0 if one at least may be asked."""
    if as_json:
        print_json({**asdict(report), "running": report.usable > 0})
    else:
        for line in _lines(report, language):
            print(line, flush=True)
    return 0 if report.usable else OllamaUnavailable.exit_code


def left_out_lines(settings: Settings, language: Language) -> list[str]:
    """Return a sentence on each of several unusable hosts, with the reason; none for a single host."""
    hosts = hosts_of(settings)
    if hosts is None:
        return []
    report = hosts_report(settings, hosts)
    return [host_line(host, report.model, language) for host in report.hosts if host.state != "usable"]


def _lines(report: HostsReport, language: Language) -> Iterator[str]:
    for host in report.hosts:
        yield host_line(host, report.model, language)
    busy, slots = sum(host.busy for host in report.hosts), sum(host.slots for host in report.hosts)
    yield translate(
        "ollama.hosts_together",
        language,
        usable=report.usable,
        count=len(report.hosts),
        busy=busy,
        slots=slots,
        waiting=report.waiting,
    )


def host_line(host: HostReport, model: str, language: Language) -> str:
    """Return the sentence on one host."""
    if host.state == "down":
        return translate("ollama.host_down", language, name=host.name)
    if host.state == "without_model":
        key = "host_without_model" if host.installed else "host_without_any"
        installed = ", ".join(host.installed)
        return translate(
            f"ollama.{key}", language, name=host.name, version=host.version, model=model, installed=installed
        )
    size = next((one.memory_bytes for one in host.loaded if one.name == model), None)
    memory = (
        translate("ollama.host_not_loaded", language)
        if size is None
        else translate("ollama.host_loaded", language, size=size / _GIGABYTE)
    )
    return translate(
        "ollama.host_usable",
        language,
        name=host.name,
        version=host.version,
        model=model,
        memory=memory,
        busy=host.busy,
        slots=host.slots,
    )
