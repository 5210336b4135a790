"""The bodies of the native API, for requests, answers and the OpenAPI description alike."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from rag.invalid_values import BASE_NAME_PATTERN, PERSON_NAME_PATTERN
from rag.people.keys import Right
from rag.rewriting import Wish
from rag.schema import Audience, Language
from rag.storage.access import Role
from rag.storage.curated import CuratedState
from rag.storage.turn_store import FeedbackReason, Outcome
from rag.turns import TurnState

BaseName = Annotated[str, Field(pattern=BASE_NAME_PATTERN, description="the name of a knowledge base")]
_LONGEST_TEXT = 100_000
Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]
EarlierQuestions = Annotated[
    list[Annotated[str, Field(max_length=20_000)]],
    Field(max_length=20, description="questions before this one, oldest first, where no turn is named"),
]
"""Together they fit in a body, whatever they are made of; the last four count."""

_WORDED = Field(max_length=_LONGEST_TEXT, json_schema_extra={"pattern": r"[\p{L}\p{N}]", "minLength": 1})


def _require_words(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise PydanticCustomError("no_words", "a letter or a figure is needed")
    return text


Scopes = Annotated[list[Annotated[str, Field(max_length=64)]] | None, Field(max_length=200)]
_LONGEST_MODEL_NAME = 120
ModelName = Annotated[str, Field(min_length=1, max_length=_LONGEST_MODEL_NAME, description="as `GET /models` names it")]
QuestionText = Annotated[str, _WORDED]
"""A text with a letter or a figure in it; ``clean_question`` says what is missing, so here that is only described."""

WordedText = Annotated[str, _WORDED, AfterValidator(_require_words)]


def whole_number(value: object) -> object:
    """Take 3.0 for 3, as JSON does, and leave everything else to the strict check."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Body(BaseModel):
    """What a request brings: an unknown field is a mistake, and said to be one."""

    model_config = ConfigDict(extra="forbid")


class Value(BaseModel):
    """What an answer tells of a value of the product: attributes of the same name, or of the ``validation_alias``."""

    model_config = ConfigDict(from_attributes=True)


class Ask(Body):
    """A question."""

    question: Annotated[QuestionText, Field(description="as the customer wrote it: a sentence or a whole mail")]
    knowledge_base: BaseName | None = None
    think: Annotated[StrictBool | None, Field(description="let the model think first; null: as the settings say")] = (
        None
    )
    fresh: Annotated[StrictBool, Field(description="use no curated or cached answer")] = False
    quote: Annotated[
        Literal["if_needed", "only", "never"], Field(description="quote passages in the place of a model's answer")
    ] = "if_needed"
    follows: Annotated[str, Field(max_length=64, description="the turn that this question goes on from")] = ""
    user: Annotated[
        str, Field(max_length=200, description="which of the program's users asks; counts with the right users")
    ] = ""
    earlier: EarlierQuestions = []


class Retrieve(Body):
    """A question whose passages are wanted, and no answer."""

    question: QuestionText
    knowledge_base: BaseName | None = None
    earlier: EarlierQuestions = []


class Span(BaseModel):
    """A stretch of a text: [start, end) in characters."""

    start: int
    end: int


class Passage(BaseModel):
    """Words of a document.  They are other people's: data, never instructions."""

    number: int
    document_id: str
    title: str
    headings: list[str]
    text: str
    start: int
    end: int
    language: Language
    source: str
    updated_on: date | None
    expired_on: date | None
    starts_on: date | None
    audience: Audience
    quoted: list[Span]
    unconfirmed: list[Span]


class CitationBody(BaseModel):
    """``text[start:end]`` of the answer rests on ``quote``, which is ``[quote_start:quote_end]`` of the document.

    What the quote says may hold under ``heading`` only, which neither the sentence nor the question names, and on the
    ``condition`` that it states and the sentence leaves out.
    """

    start: int
    end: int
    document_id: str
    heading: str
    condition: str
    quote: str
    quote_start: int
    quote_end: int


class ConflictBody(BaseModel):
    """Two passages that say the same but for a figure, a date or a "not"."""

    document_id: str
    quote: str
    other_document_id: str
    other_quote: str


class StageTime(Value):
    """How long one stage took."""

    name: str
    duration_ms: float


class ProblemBody(BaseModel):
    """RFC 9457; ``code`` is explained in docs/errors.md."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    retry_after_seconds: int | None = None


class TurnBody(BaseModel):
    """A question and what became of it.  A refusal is an answer, with ``refused``.

    ``language`` is the text's, as ISO 639-1 code.
    """

    turn_id: str
    state: TurnState
    question: str
    language: str
    knowledge_base: str
    asked_at: datetime
    follows: str
    refused: bool | None
    text: str
    thinking: str
    lane: str | None
    model: str
    stand_in: bool
    generation: int
    instead_of: str
    by_words_alone: str
    citations: list[CitationBody]
    unsupported: list[Span]
    unconfirmed: list[Span]
    left_open: list[str]
    quotation: Span | None
    conflicts: list[ConflictBody]
    evidence: list[Passage]
    stages: list[StageTime]
    ahead: int | None
    wait_seconds: float | None
    prompt_tokens: int
    generated_tokens: int
    problem: ProblemBody | None


class TurnLine(Value):
    """A turn in a list; ``question`` is its beginning."""

    turn_id: str
    state: TurnState
    question: str
    language: Language
    asked_at: datetime
    session: str


class TurnList(BaseModel):
    """Turns, newest first."""

    turns: list[TurnLine]


class Retrieved(BaseModel):
    """Passages, the best first, and how probable it is that they hold the answer."""

    knowledge_base: str
    answerable: bool
    answerable_probability: float
    generation: int
    by_words_alone: str
    evidence: list[Passage]


class Judgement(Body):
    """What somebody thinks of an answer, or what became of it; one of the two at least.

    What is left out stays as it was; ``reason`` says why ``useful`` is false.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"useful": {"type": "boolean"}}, "required": ["useful"]},
                {"properties": {"outcome": {"type": "string"}}, "required": ["outcome"]},
            ]
        }
    )
    useful: StrictBool | None = None
    reason: FeedbackReason | None = None
    outcome: Outcome | None = None
    changed_share: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0


class Rewriting(Body):
    """A draft as it stands, and what is to become of it."""

    text: Annotated[WordedText, Field(description="the reply to the customer; 8,000 characters at most")]
    wish: Annotated[
        Wish, Field(description="another tone or length; `translate`: into the language of the turn's question")
    ]


class FindingBody(BaseModel):
    """What the model changed: ``before`` was there, ``after`` came instead or in addition; either may be empty."""

    reason: Literal["changed", "lost", "added", "denial", "length", "cut", "same"]
    before: str
    after: str
    detail: str


class RewrittenBody(BaseModel):
    """A draft in other words.  ``refused``: the model changed what it says, so there is no text but a finding."""

    turn_id: str
    wish: Wish
    state: Literal["done", "refused"]
    text: str
    finding: FindingBody | None
    model: str
    stand_in: bool


class Correction(Body):
    """What the answer should have been.  It rests on the documents that the answer cited."""

    answer: WordedText


class NewCurated(Body):
    """A question and its answer, written by a person."""

    question: WordedText
    answer: WordedText
    document_ids: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=20)] = []


class EditedCurated(Body):
    """A curated answer in other words."""

    question: WordedText
    answer: WordedText
    language: Language


class CuratedBody(BaseModel):
    """An answer that a person wrote.

    ``doubtful`` are its sentences with a link, a mail address or a number to call that no document has, for the
    reviewer; null for any other caller.
    """

    number: int
    question: str
    answer: str
    language: Language
    state: CuratedState
    author: str
    written_at: datetime
    document_ids: list[str]
    doubtful: list[str] | None


class CuratedList(BaseModel):
    """Curated answers, newest first."""

    curated: list[CuratedBody]


class BaseBody(BaseModel):
    """A knowledge base; generation 0: nothing is published."""

    name: str
    generation: int
    documents: int
    passages: int
    published_at: datetime | None


class BaseList(BaseModel):
    """The knowledge bases that the caller may read."""

    knowledge_bases: list[BaseBody]


class _DocumentHead(Value):
    document_id: str
    title: str
    language: Language
    source: str
    updated_on: date | None
    audience: Audience


class DocumentLine(_DocumentHead):
    """A document without its text."""

    characters: int
    passages: Annotated[int, Field(validation_alias="chunk_count")]


class DocumentList(BaseModel):
    """Documents of the current generation, by path."""

    generation: int
    total: int
    documents: list[DocumentLine]


class DocumentBody(_DocumentHead):
    """A document, or ``[start:end]`` of its text, with blanks for orders to a model.

    ``unconfirmed`` are the places in the document of contact details that nobody has confirmed.
    """

    generation: int
    start: int
    end: int
    characters: int
    text: str
    unconfirmed: list[Span]


class SourceBody(Value):
    """A folder that documents came from; ``here``: it can be read again."""

    root: str
    documents: Annotated[int, Field(validation_alias="articles")]
    here: bool
    uploads: bool


class SourceList(BaseModel):
    """Folders, the largest first."""

    sources: list[SourceBody]


class WaitingFile(Value):
    """A file that waits to be published."""

    name: str
    size_bytes: int
    replaces: bool


class WaitingList(BaseModel):
    """The files that wait."""

    files: list[WaitingFile]


class NewIngest(Body):
    """What to publish: the waiting files, and folders that are read again."""

    rehearsal: Annotated[StrictBool, Field(description="say what would change, and publish nothing")] = False
    roots: Annotated[list[Text], Field(max_length=100, description="folders that documents came from")] = []
    prune: Annotated[StrictBool, Field(description="retire documents of these folders that are gone")] = False
    force: Annotated[StrictBool, Field(description="publish although questions lost their answers")] = False


class Trouble(BaseModel):
    """What went wrong without ending the job, in the caller's language."""

    code: str
    detail: str


class JobBody(BaseModel):
    """Work that goes on in the background."""

    job_id: int
    kind: str
    state: Literal["running", "done", "failed", "stopped"]
    who: str
    began_at: datetime
    ended_at: datetime | None
    stage: str
    done: int
    total: int
    troubles: list[Trouble]
    result: dict[str, int | float | bool | str | list[str] | None] | None
    problem: ProblemBody | None


class GenerationBody(BaseModel):
    """A published state of a knowledge base."""

    generation: int
    published_at: datetime
    documents: int
    passages: int
    can_serve_again: bool


class GenerationList(BaseModel):
    """Generations, newest first."""

    generations: list[GenerationBody]


class NewEvaluation(Body):
    """What to measure, on how many of the knowledge base's own questions; 0: all."""

    kind: Literal["answers", "retrieval", "refusal", "citations"]
    limit: Annotated[int, Field(ge=0, le=100_000, strict=True), BeforeValidator(whole_number)] = 0


class RunBody(Value):
    """An evaluation.  ``figure`` is its main one, null while it is not finished."""

    name: str
    kind: str
    began_at: datetime
    questions: Annotated[int, Field(validation_alias="n")]
    figure: float | None
    model: str
    stand_in: bool
    generation: int


class RunList(BaseModel):
    """Evaluations, newest first."""

    runs: list[RunBody]
    running: JobBody | None


class ModelJob(Body):
    """What is to become of a model: `use` lets it answer from the server's next start on."""

    kind: Literal["pull", "load", "unload", "use", "delete"]
    name: ModelName


class QuantizingJob(Body):
    """A smaller model is to be made of one; an empty ``new_name`` names it after its source."""

    kind: Literal["quantize"]
    name: ModelName
    quantization: Literal["q8_0", "q4_K_M", "q4_K_S", "q4_0"]
    new_name: Annotated[str, Field(max_length=_LONGEST_MODEL_NAME)] = ""


AnyModelJob = Annotated[ModelJob | QuantizingJob, Field(discriminator="kind")]
"""By its kind, so that a mistake in one is not told as the other's."""


class ModelBody(BaseModel):
    """An installed model; ``answers_next``: from the server's next start on.

    ``memory_bytes`` and ``context_tokens`` are 0, and ``loaded_until`` is empty, where it is not in memory.
    ``reconstructed_from`` is the quantization that a larger model was made of, or empty.
    """

    name: str
    size_bytes: int
    parameters: str
    quantization: str
    stand_in: bool
    answers: Annotated[bool, Field(validation_alias="chosen")]
    answers_next: bool
    memory_bytes: int
    context_tokens: int
    loaded_until: str
    has_chat_format: Annotated[bool, Field(validation_alias="template")]
    thinks: bool
    reconstructed_from: str


class ModelList(BaseModel):
    """The models of the first host, as seen seconds ago; ``looked`` false: the first look goes on.

    ``problem`` is why the model server does not answer.  ``answers`` are being written now; ``slots`` and
    ``context_tokens`` are the settings', which a server that is not ``managed`` by this program need not follow.
    ``jobs`` are the last ones that made and that moved a model.
    """

    models: list[ModelBody]
    looked: bool
    problem: ProblemBody | None
    answers: int
    managed: bool
    slots: int
    context_tokens: int
    hosts: int
    jobs: list[JobBody]


class NewPerson(Body):
    """Somebody to be let in; ``scopes`` null: every knowledge base.  An API key makes no admins."""

    name: Annotated[str, Field(pattern=PERSON_NAME_PATTERN, description="the address that the OIDC provider tells")]
    role: Role = "agent"
    scopes: Scopes = []


class NewRole(Body):
    """Another role.  An API key neither makes nor changes admins."""

    role: Role


class NewScopes(Body):
    """What somebody may read; null: every knowledge base."""

    scopes: Scopes


class PersonBody(BaseModel):
    """A user.  ``scopes`` null: every knowledge base; without a password the OIDC provider signs them in."""

    name: str
    role: Role
    scopes: list[str] | None
    disabled: bool
    has_password: bool


class PersonList(BaseModel):
    """Users, by name, and the ``scopes`` that the caller can give."""

    people: list[PersonBody]
    scopes: list[str]


class ApiKeyBody(BaseModel):
    """An API key without its secret, as it was made; it does no more than its ``owner`` may.

    ``owner`` is empty for nobody in particular, ``scopes`` null for every knowledge base, ``expires_at`` null for
    never; ``used_at`` is the hour of its last use.
    """

    key_id: str
    name: str
    owner: str
    rights: list[Right]
    scopes: list[str] | None
    audience: Audience
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    questions_a_minute: int | None


class ApiKeyList(BaseModel):
    """API keys, oldest first."""

    keys: list[ApiKeyBody]


class StageFigures(BaseModel):
    """Milliseconds of one stage of ``n`` answers; `evidence` and `total` are sums of stages."""

    name: str
    n: int
    p50: float | None
    p95: float | None
    p99: float | None


class ObjectiveBody(Value):
    """Evidence within ``limit_ms`` for a ``share`` of the questions; ``met`` of ``n`` were in time.

    ``burn`` is the share of late ones over the share that may be late; null without a question.
    """

    limit_ms: float
    share: float
    n: int
    met: int
    burn: float | None


class AnsweringModel(BaseModel):
    """A model that answered."""

    name: str
    stand_in: bool


class SlowTurnBody(Value):
    """One of the slowest turns, with the stage that took most of it."""

    turn_id: str
    asked_at: datetime
    state: str
    total_ms: float
    worst: StageTime


class PerformanceBody(BaseModel):
    """The window of ``seconds`` that ends at ``until``, for the knowledge bases that the caller may read.

    ``turns`` counts by state; ``tokens_per_second`` is null where the model wrote nothing.
    """

    until: datetime
    seconds: float
    asked: int
    turns: dict[str, int]
    stages: list[StageFigures]
    objective: ObjectiveBody
    tokens_per_second: float | None
    models: list[AnsweringModel]
    slowest: list[SlowTurnBody]


class Ready(BaseModel):
    """Whether questions can be answered, and what is missing where not.

    The model's name, whether it is a stand-in, and how many wait are for callers with a key only; else empty and null.
    """

    ready: bool
    knowledge_base: bool
    model: Literal["starting", "ready", "down", "missing"]
    model_name: str
    stand_in: bool | None
    waiting: int | None


class Alive(BaseModel):
    """The process lives."""

    status: Literal["alive"] = "alive"
