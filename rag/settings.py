"""Every setting in one frozen class.  Each is an environment variable: ``ANSWERDESK_`` and the field's name.

Choices that commands make for the product (``python -m rag.ollama use``, ``python -m eval calibrate model``) are kept
in ``settings.json`` of the data folder.  A variable of the environment goes before them.
"""

import json
import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import FileUnusable, SettingsError, printable
from rag.files import write_whole
from rag.invalid_values import BASE_NAME_PATTERN, describe_invalid
from rag.terminal import terminal_language
from rag.translate import translate

LOOPBACKS = ("127.0.0.1", "localhost", "::1")
"""Where to listen so that only this machine gets in."""

KEPT_NAME = "settings.json"
KEPT_FIELDS = (
    "model", "vision_model", "thinking", "parallel_slots", "context_tokens", "profile",
    "flash_attention", "kv_cache_type", "batch_tokens", "model_threads",
)  # fmt: skip
"""The settings that commands and the page Models may choose."""

logger = logging.getLogger(__name__)

_PREFIX = "ANSWERDESK_"
_READ_ELSEWHERE = frozenset(
    {
        "ANSWERDESK_API_KEY",  # python -m api mcp
        "ANSWERDESK_TORCH",  # set-up
        "ANSWERDESK_TORCH_INDEX",
        "ANSWERDESK_PARSER_FIXTURES",  # tests/ingest/loaders
        "ANSWERDESK_HOSTILE_SECRET",  # the check of the sandbox, eval/code/self_check.py
    }
)
_SERVICE_LINK = re.compile(r"_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]{1,64})?)$|_PORT_\d{1,5}_[A-Z]{3,4}(?:_[A-Z]{4,5})?$")
"""How Kubernetes ends the variables in which a service that is called answerdesk is announced to each container.
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables"""

_DEFAULT_HOST = "127.0.0.1:11434"
_CHECKOUT = Path(__file__).resolve().parent.parent

ProfileName = Literal["support", "code"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model draws its words, by Ollama's names for it.  ``top_p`` None: as the model's own file says."""

    temperature: float
    top_p: float | None
    repeat_penalty: float


PROFILES: Mapping[ProfileName, Sampling] = MappingProxyType(
    {"support": Sampling(0.3, None, 1.0), "code": Sampling(0.3, 0.9, 1.0)}
)
"""What the work asks for.  Neither has a penalty on repeated words: it makes a small model change numbers and names
that it should copy, and loops are cut by the guard."""


def _default_data_dir() -> Path:
    in_checkout = (_CHECKOUT / "pyproject.toml").is_file()
    return _CHECKOUT / "data" / "runtime" if in_checkout else Path("~/.local/share/answerdesk")


@dataclass(frozen=True, slots=True)
class ServerDatabase:
    """One of the product's databases, all of which lie in one database of a PostgreSQL server.

    ``name`` tells them apart; ``url`` may hold a password, and is never printed.
    """

    name: Literal["people", "turns", "requests", "queue", "knowledge", "answers", "questions", "embedding"]
    url: str = field(repr=False)
    blob_url: str = ""
    """The bucket in which its large contents lie instead; only ``knowledge`` has one."""


DatabasePlace = Path | ServerDatabase
"""Where a database lies: in a file of SQLite, or on a server."""


class Settings(BaseSettings):
    """Where things are, how much of each, and how long to wait.  ``docs/settings.md`` describes each of them."""

    model_config = SettingsConfigDict(
        env_prefix="ANSWERDESK_",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # an address may hold a password
    )

    # where
    data_dir: Path = Field(default_factory=_default_data_dir)
    cache_dir: Path = Path("~/.cache/answerdesk")
    knowledge_base: str = Field(default="default", pattern=BASE_NAME_PATTERN)
    database_url: str = Field(default="", repr=False)
    blob_url: str = ""
    vector_url: str = Field(default="", repr=False)

    # the model server
    ollama_host: str = Field(
        default=_DEFAULT_HOST,
        validation_alias=AliasChoices(
            "ANSWERDESK_OLLAMA_HOSTS", "ANSWERDESK_OLLAMA_HOST", "OLLAMA_HOSTS", "OLLAMA_HOST"
        ),
    )
    model: str = ""
    vision_model: str = ""
    parallel_slots: int = Field(default=2, ge=1, le=64)
    context_tokens: int = Field(default=4096, ge=1024, le=131072)
    gpu_layers: int | None = Field(default=None, ge=0, le=10_000)
    flash_attention: bool = True
    kv_cache_type: Literal["f16", "q8_0"] = "f16"
    batch_tokens: int | None = Field(default=None, ge=32, le=8192)
    model_threads: int | None = Field(default=None, ge=1, le=1024)
    keep_alive_seconds: int = Field(default=1800, ge=0, le=1_000_000_000)
    first_token_timeout_seconds: float = Field(default=120.0, gt=0, le=604_800)
    token_timeout_seconds: float = Field(default=60.0, gt=0, le=604_800)
    max_waiting: int = Field(default=64, ge=1, le=100_000)
    wait_limit_seconds: float = Field(default=900.0, gt=0, le=604_800)

    # one person's share, so that the others keep theirs (docs/waiting.md); where nobody signs in, one browser tab's
    person_searches: int = Field(default=2, ge=1, le=10_000)
    person_waiting: int = Field(default=4, ge=1, le=100_000)
    person_questions_a_minute: int = Field(default=30, ge=1, le=1_000_000)
    person_files_at_once: int = Field(default=2, ge=1, le=1000)
    person_upload_files_a_day: int = Field(default=1000, ge=1, le=100_000_000)
    person_upload_megabytes_a_day: int = Field(default=2000, ge=1, le=100_000_000)

    # people
    sign_in: Literal["auto", "on", "off"] = "auto"
    sign_in_hours: float = Field(default=12.0, gt=0, le=24 * 31)
    sign_in_idle_hours: float = Field(default=2.0, gt=0, le=24 * 31)
    unverified_email: bool = False
    turn_retention_days: int = Field(default=365, ge=0, le=36_500)
    host_names: str = ""
    trusted_proxies: str = ""
    tabs_per_person: int = Field(default=32, ge=1, le=100_000)
    uploads_per_person_megabytes: int = Field(default=300, ge=1, le=1_000_000)

    # watching
    otlp_endpoint: str = Field(
        default="", validation_alias=AliasChoices("ANSWERDESK_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    metrics_port: int = Field(default=0, ge=0, le=65535)

    # retrieval
    embedder: Literal["auto", "openvino", "sentence-transformers"] = "auto"
    embedding_model: str = ""
    reranker: str = ""
    embedder_threads: int = Field(default=0, ge=0, le=1024)
    candidates: int = Field(default=50, ge=5, le=500)
    top_k: int = Field(default=14, ge=1, le=24)
    glossary: Path | None = None
    query_expansion: bool = True
    refusal_threshold: float | None = Field(default=None, ge=0, le=1)

    # the answer
    thinking: Literal["auto", "on", "off"] = "auto"
    thinking_budget_tokens: int = Field(default=256, ge=16, le=131072)
    quote_below_reply: bool = True
    answer_budget_tokens: int = Field(default=384, ge=16, le=131072)
    evidence_budget_tokens: int = Field(default=2000, ge=64, le=131072)
    prompt_evidence_tokens: int = Field(default=480, ge=32, le=131072)
    prompt_evidence_seconds: float = Field(default=5.0, gt=0, le=604_800)
    prompt_evidence_most_tokens: int = Field(default=3000, ge=32, le=131072)
    profile: ProfileName = "support"
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    repeat_penalty: float | None = Field(default=None, gt=0, le=2)
    question_limit_characters: int = Field(default=8000, ge=100, le=1_000_000)

    # answers that are there already
    curated_review: Literal["auto", "on", "off"] = "auto"
    cached_answers: int = Field(default=2000, ge=0, le=10_000_000)
    user_name: str = Field(default="", max_length=80)

    # ingestion
    chunk_tokens: int = Field(default=128, ge=32, le=400)
    gate_margin: float = Field(default=0.02, ge=0, le=1)
    document_limit_megabytes: int = Field(default=50, ge=1, le=100_000)
    unpacked_limit_megabytes: int = Field(default=500, ge=1, le=1_000_000)
    archive_limit_entries: int = Field(default=10_000, ge=1, le=100_000_000)
    archive_limit_depth: int = Field(default=4, ge=1, le=100)
    ocr_limit_pages: int = Field(default=100, ge=0, le=1_000_000)
    figure_limit: int = Field(default=100, ge=0, le=1_000_000)
    picture_limit_megapixels: int = Field(default=100, ge=1, le=10_000)
    exact_search_chunks: int = Field(default=20_000, ge=1, le=1_000_000_000)
    index_merge_share: float = Field(default=0.1, ge=0, le=1)
    reading_timeout_seconds: float = Field(default=60.0, ge=1, le=604_800)
    cutting_timeout_seconds: float = Field(default=60.0, gt=0, le=604_800)
    reading_memory_megabytes: int = Field(default=1000, ge=512, le=10_000_000)
    ocr_memory_megabytes: int = Field(default=6144, ge=3000, le=10_000_000)
    readers_memory_megabytes: int = Field(default=0, ge=0, le=10_000_000)
    ingest_workers: bool = False
    follow_links: bool = False
    passwords_file: Path | None = None

    @field_validator("data_dir", "cache_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        try:
            expanded = value.expanduser()
        except RuntimeError as error:  # neither HOME nor an entry in the list of users
            raise PydanticCustomError("no_home", "{path} is nowhere", {"path": str(value)}) from error
        return expanded.resolve()

    @field_validator("curated_review", mode="before")
    @classmethod
    def _accept_flag_words(cls, value: object) -> object:
        """Take the words that this setting knew when it was a flag."""
        given = str(value).strip().lower()
        return {"true": "on", "1": "on", "yes": "on", "false": "off", "0": "off", "no": "off"}.get(given, given)

    @field_validator("ollama_host")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for url in _urls(value):
            if not _is_http_address(url):
                raise PydanticCustomError("no_model_server", "{url} is no address of a model server", {"url": url})
        return value

    @field_validator("database_url")
    @classmethod
    def _server(cls, value: str) -> str:
        if value and not is_server_address(value):
            raise PydanticCustomError("no_database", "no address of a PostgreSQL server")
        return value

    @field_validator("blob_url")
    @classmethod
    def _bucket(cls, value: str) -> str:
        if value and not is_bucket_address(value):
            raise PydanticCustomError("no_bucket", "no address of a bucket")
        return value

    @field_validator("vector_url")
    @classmethod
    def _engine(cls, value: str) -> str:
        if value and not (is_server_address(value) or is_milvus_address(value)):
            raise PydanticCustomError("no_vector_engine", "no address of a vector engine")
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _collector(cls, value: str) -> str:
        if value and not _is_http_address(value):
            raise PydanticCustomError("no_collector", "{url} is no address of a collector", {"url": value})
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for name in _names(value):
            try:
                ip_network(name, strict=False)  # "*" would let everybody choose their address
            except ValueError:
                raise PydanticCustomError("no_network", "{name} is no network", {"name": name}) from None
        return value

    @property
    def knowledge_dir(self) -> Path:
        """Folder of the chosen knowledge base: its database and its generations."""
        return self.data_dir / "knowledge" / self.knowledge_base

    @property
    def uploads_dir(self) -> Path:
        """Folder of the files that were handed in for the chosen knowledge base."""
        return self.data_dir / "uploads" / self.knowledge_base

    @property
    def turns_path(self) -> Path:
        """File of questions and answers, where no server keeps them."""
        return self.data_dir / "turns.db"

    @property
    def people_path(self) -> Path:
        """File of people, their sign-ins, and who changed what, where no server keeps them."""
        return self.data_dir / "people.db"

    @property
    def turns_database(self) -> DatabasePlace:
        """Database of questions and answers."""
        return ServerDatabase("turns", self.database_url) if self.database_url else self.turns_path

    @property
    def people_database(self) -> DatabasePlace:
        """Database of people, their sign-ins, and who changed what."""
        return ServerDatabase("people", self.database_url) if self.database_url else self.people_path

    @property
    def requests_database(self) -> DatabasePlace:
        """Database of idempotency keys."""
        return ServerDatabase("requests", self.database_url) if self.database_url else self.data_dir / "requests.db"

    @property
    def queue_database(self) -> DatabasePlace:
        """Database of the queue before the model."""
        # a file's name has the number of its tables' form: an older program uses another line
        file = self.cache_dir / "admission" / "line-3.db"
        return ServerDatabase("queue", self.database_url) if self.database_url else file

    @property
    def knowledge_database(self) -> ServerDatabase | None:
        """Where desks share their knowledge bases; None where they stay in the data folder."""
        return ServerDatabase("knowledge", self.database_url, self.blob_url) if self.database_url else None

    @property
    def answers_database(self) -> ServerDatabase | None:
        """Where desks share their curated answers; None where they stay in the data folder."""
        return ServerDatabase("answers", self.database_url) if self.database_url else None

    @property
    def questions_database(self) -> ServerDatabase | None:
        """Where desks share their regression questions; None where they stay in the data folder."""
        return ServerDatabase("questions", self.database_url) if self.database_url else None

    @property
    def embedding_database(self) -> ServerDatabase | None:
        """Where an ingest shares its passages out to workers; None where there is no server."""
        return ServerDatabase("embedding", self.database_url) if self.database_url else None

    @property
    def knowledge_folder(self) -> Path:
        """Folder of all knowledge bases."""
        return self.data_dir / "knowledge"

    def reply_budget_tokens(self, think: bool) -> int:
        """Return how many tokens the model may write for one answer, with its thought where it thinks first."""
        return self.answer_budget_tokens + (self.thinking_budget_tokens if think else 0)

    def document_passwords(self) -> tuple[str, ...]:
        """Return the lines of ``passwords_file``.  Raises ``SettingsError`` where it cannot be read."""
        if self.passwords_file is None:
            return ()
        try:
            return tuple(line for line in self.passwords_file.read_text("utf-8").splitlines() if line)
        except (OSError, UnicodeDecodeError) as error:
            unusable = FileUnusable.because(self.passwords_file, error)
            raise SettingsError(reason=f"ANSWERDESK_PASSWORDS_FILE: {unusable.text(terminal_language())}") from error

    def desk_names(self) -> tuple[str, ...]:
        """Return ``host_names`` one by one."""
        return _names(self.host_names)

    def proxies(self) -> tuple[str, ...]:
        """Return ``trusted_proxies`` one by one."""
        return _names(self.trusted_proxies)

    @property
    def sampling(self) -> Sampling:
        """The profile's sampling, overridden by explicit settings."""
        usual = PROFILES[self.profile]
        return Sampling(
            usual.temperature if self.temperature is None else self.temperature,
            usual.top_p if self.top_p is None else self.top_p,
            usual.repeat_penalty if self.repeat_penalty is None else self.repeat_penalty,
        )

    @property
    def ollama_url(self) -> str:
        """Base address of Ollama, with scheme and port; of several, the one that the model commands speak to."""
        return self.ollama_urls[0]

    @property
    def ollama_urls(self) -> tuple[str, ...]:
        """Base addresses of all hosts named, each once; 0.0.0.0 is a place to listen, so it is asked at 127.0.0.1."""
        return _urls(self.ollama_host)

    @property
    def slots_of_all_hosts(self) -> int:
        """How many answers are generated at once while every host answers."""
        return self.parallel_slots * len(self.ollama_urls)

    @property
    def key_waiting(self) -> int:
        """How many questions of one API key may wait, of all its users together: a quarter of the queue."""
        return max(self.person_waiting, self.max_waiting // 4)

    def changed(self, **changes: object) -> "Settings":
        """Return a copy with other values, checked as the environment's are.  Raises ``SettingsError``.

        Another data folder, as evaluations and benchmarks have, is no desk's: nothing in it is shared or put into an
        engine, unless the changes name a ``database_url`` or a ``vector_url`` as well.
        """
        apart = {"database_url": "", "vector_url": ""} if "data_dir" in changes else {}
        return checked_settings(self.model_dump() | apart | changes)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def _is_http_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_server_address(url: str) -> bool:
    """Tell whether this is the address of a database on a PostgreSQL server, with the name of the database.

    A password with an ``@`` of its own would be taken for a part of the host, and so sent to the name server.

    >>> [is_server_address(url) for url in ("postgresql://a:b@db/desk", "postgresql://a:b@c@db/desk", "mysql://db/desk")]
    [True, False, False]
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("postgresql", "postgres") and len(parts.path.strip("/")) > 0
        return named and parts.netloc.count("@") <= 1 and parts.port != 0 and not parts.fragment
    except ValueError:
        return False


_BUCKET = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?P<prefix>(?:/[\w.-]+)*)/?(?:\?(?P<options>\S*))?", re.ASCII
)


def is_bucket_address(url: str) -> bool:
    """Tell whether this is the address of a bucket, and a prefix in it, without a key.

    >>> is_bucket_address("s3://pieces/desk?endpoint=https://minio.example:9000&region=eu")
    True
    >>> [is_bucket_address(url) for url in ("s3://KEY:SECRET@pieces", "s3://pieces?endpoint=http://a:b@host", "/data")]
    [False, False, False]
    """
    found = _BUCKET.fullmatch(url)
    if found is None or {".", ".."} & {*found["prefix"].split("/")}:
        return False
    try:
        options = dict(parse_qsl(found["options"] or "", strict_parsing=bool(found["options"])))
    except ValueError:
        return False
    endpoint = options.get("endpoint", "http://unnamed")
    return options.keys() <= {"endpoint", "region"} and _is_http_address(endpoint) and "@" not in endpoint


def is_milvus_address(url: str) -> bool:
    """Tell whether this is the address of a Milvus server, with the name of a database at the most.

    >>> [is_milvus_address(url) for url in ("milvus://db:19530", "milvus://a:b@db/desk", "milvus://a:b@c@db")]
    [True, True, False]
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme == "milvus" and bool(parts.hostname) and "/" not in parts.path.strip("/")
        return named and parts.netloc.count("@") <= 1 and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        return False


def _urls(hosts: str) -> tuple[str, ...]:
    named = [host.strip() for host in hosts.split(",") if host.strip()]
    return tuple(dict.fromkeys(_url(host) for host in named or [_DEFAULT_HOST]))


def _url(host: str) -> str:
    scheme, _, rest = (host if "://" in host else f"http://{host}").partition("://")
    rest = rest.rstrip("/").replace("0.0.0.0", "127.0.0.1")
    rest = f"127.0.0.1{rest}" if rest.startswith(":") else rest
    return f"{scheme}://{rest}" if ":" in rest.split("]")[-1] else f"{scheme}://{rest}:11434"


def checked_settings(values: Mapping[str, object], options: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Return settings with these values, and those of the environment for the rest.

    ``options`` names the fields that a command's options gave, such as "--kb".  Raises ``SettingsError`` naming the
    option or the variable, and what is wrong with it.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field_name = "_".join(str(part) for part in first["loc"])
        variable = _set_variable(field_name.upper())
        if not variable.startswith(("ANSWERDESK_", "OLLAMA_", "OTEL_")):
            variable = f"ANSWERDESK_{variable}"
        given = f"{options[field_name]} {values[field_name]}" if field_name in options else variable
        wrong = describe_invalid(first["type"], first.get("ctx", {}), first["msg"], terminal_language())
        raise SettingsError(reason=f"{given}: {wrong}") from error


def _set_variable(name: str) -> str:
    """Return the variable that gave a value, of those that can: pydantic names the first of them."""
    for one in Settings.model_fields.values():
        choices = one.validation_alias.choices if isinstance(one.validation_alias, AliasChoices) else []
        if name in choices:
            return next((str(choice) for choice in choices if choice in os.environ), name)
    return name


def _setting_variables() -> frozenset[str]:
    aliases = (one.validation_alias for one in Settings.model_fields.values())
    choices = (str(one) for alias in aliases if isinstance(alias, AliasChoices) for one in alias.choices)
    return frozenset({*choices, *(f"{_PREFIX}{name.upper()}" for name in Settings.model_fields)})


def require_known_names(environment: Mapping[str, str]) -> None:
    """Raise ``SettingsError`` where a variable looks like a misspelt setting, and warn of others that no part reads.

    What was meant would not be done: a misspelt ``ANSWERDESK_SIGN_IN`` would leave the desk open.  A name that is like
    none may belong to whoever runs the program.
    """
    known = _setting_variables()
    names = sorted(name for name in environment if name.upper().startswith(_PREFIX))
    read = known | _READ_ELSEWHERE
    unknown = [name for name in names if name.upper() not in read and not _is_service(name, environment[name])]
    near = [(name, nearest) for name in unknown if (nearest := _nearest(name, known))]
    if near:
        raise SettingsError(reason="; ".join(_sentence(name, nearest) for name, nearest in near))
    for name in unknown:
        logger.warning("%s", _sentence(name))


def _is_service(name: str, value: str) -> bool:
    """Tell whether a variable announces a service, such as ``ANSWERDESK_PORT=tcp://10.0.0.7:8501``."""
    return _SERVICE_LINK.search(name) is not None or (name.endswith("_PORT") and "://" in value)


def _nearest(name: str, known: frozenset[str]) -> str:
    words = {one.removeprefix(_PREFIX): one for one in sorted(known) if one.startswith(_PREFIX)}
    nearest = get_close_matches(name.upper().removeprefix(_PREFIX), words, n=1)
    return words[nearest[0]] if nearest else ""


def _sentence(name: str, nearest: str = "") -> str:
    key = "values.unknown_setting_near" if nearest else "values.unknown_setting"
    return f"{printable(name)}: {translate(key, terminal_language(), nearest=nearest)}"


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the environment, and the choices that were kept, once.

    Raises ``SettingsError`` naming the variable, or the file, and what is wrong with it.
    """
    require_known_names(os.environ)
    environment = checked_settings({})
    _require_folder("ANSWERDESK_DATA_DIR", environment.data_dir, os.R_OK | os.X_OK)
    _require_folder("ANSWERDESK_CACHE_DIR", environment.cache_dir, os.F_OK)
    kept = stored_choices(environment.data_dir)
    chosen = {name: value for name, value in kept.items() if name not in environment.model_fields_set}
    path = environment.data_dir / KEPT_NAME
    return checked_settings(chosen, {name: f"{path}: {name}" for name in chosen}) if chosen else environment


def _require_folder(variable: str, folder: Path, rights: int) -> None:
    """Raise ``SettingsError`` where something else than a folder with these rights is there; it need not exist yet."""
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except FileNotFoundError:
        return
    except PermissionError:  # above it
        is_folder, rights = True, os.R_OK
    except OSError:  # a file stands above it, or its name is too long
        is_folder = False
    if not is_folder:
        said = translate("values.invalid_no_folder", terminal_language(), path=printable(str(folder)))
    elif not os.access(folder, rights):
        said = translate("values.invalid_closed_folder", terminal_language(), path=printable(str(folder)))
    else:
        return
    raise SettingsError(reason=f"{variable}: {said}")


def stored_choices(data_dir: Path) -> dict[str, object]:
    """Return the choices that were kept in a data folder.  Raises ``SettingsError`` where the file is damaged."""
    path = data_dir / KEPT_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(reason=f"{path}: {translate('values.invalid_closed_file', terminal_language())}") from error
    except ValueError as error:
        raise SettingsError(
            reason=f"{path}: {translate('values.invalid_json_invalid', terminal_language())}"
        ) from error
    if not isinstance(found, dict):
        raise SettingsError(reason=f"{path}: {translate('values.invalid_dict_type', terminal_language())}")
    return {name: value for name, value in found.items() if name in KEPT_FIELDS}


def store_choices(settings: Settings, choices: Mapping[str, object]) -> list[str]:
    """Keep choices for the next start, beside earlier ones; return the variables that go before them.

    Raises ``SettingsError`` where a value cannot be used, and ``FileUnusable`` where the file cannot be written.
    """
    settings.changed(**choices)
    path = settings.data_dir / KEPT_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {**stored_choices(settings.data_dir), **choices}
        write_whole(path, json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise FileUnusable.because(path, error) from error
    named = {name.upper() for name in os.environ}
    return [variable for name in choices if (variable := f"ANSWERDESK_{name.upper()}") in named]
