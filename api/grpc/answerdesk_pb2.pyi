from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Quote(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUOTE_IF_NEEDED: _ClassVar[Quote]
    QUOTE_ONLY: _ClassVar[Quote]
    QUOTE_NEVER: _ClassVar[Quote]
QUOTE_IF_NEEDED: Quote
QUOTE_ONLY: Quote
QUOTE_NEVER: Quote

class AskRequest(_message.Message):
    __slots__ = ("question", "knowledge_base", "think", "fresh", "quote", "follows", "earlier", "user")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    THINK_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    FOLLOWS_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    question: str
    knowledge_base: str
    think: bool
    fresh: bool
    quote: Quote
    follows: str
    earlier: _containers.RepeatedScalarFieldContainer[str]
    user: str
    def __init__(self, question: _Optional[str] = ..., knowledge_base: _Optional[str] = ..., think: _Optional[bool] = ..., fresh: _Optional[bool] = ..., quote: _Optional[_Union[Quote, str]] = ..., follows: _Optional[str] = ..., earlier: _Optional[_Iterable[str]] = ..., user: _Optional[str] = ...) -> None: ...

class AskEvent(_message.Message):
    __slots__ = ("turn_id", "retrieved", "queued", "thinking", "draft", "completed", "refusal")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    RETRIEVED_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    THINKING_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    retrieved: Retrieved
    queued: Queued
    thinking: Words
    draft: Words
    completed: Answer
    refusal: Answer
    def __init__(self, turn_id: _Optional[str] = ..., retrieved: _Optional[_Union[Retrieved, _Mapping]] = ..., queued: _Optional[_Union[Queued, _Mapping]] = ..., thinking: _Optional[_Union[Words, _Mapping]] = ..., draft: _Optional[_Union[Words, _Mapping]] = ..., completed: _Optional[_Union[Answer, _Mapping]] = ..., refusal: _Optional[_Union[Answer, _Mapping]] = ...) -> None: ...

class Retrieved(_message.Message):
    __slots__ = ("answerable", "generation", "evidence")
    ANSWERABLE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    answerable: bool
    generation: int
    evidence: _containers.RepeatedCompositeFieldContainer[Passage]
    def __init__(self, answerable: _Optional[bool] = ..., generation: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("ahead", "wait_seconds")
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ahead: int
    wait_seconds: float
    def __init__(self, ahead: _Optional[int] = ..., wait_seconds: _Optional[float] = ...) -> None: ...

class Words(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("number", "document_id", "path", "title", "headings", "text", "start", "end", "language", "source", "updated_on", "expired_on", "starts_on", "audience", "quoted", "unconfirmed")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    HEADINGS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_ON_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_ON_FIELD_NUMBER: _ClassVar[int]
    STARTS_ON_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    QUOTED_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    number: int
    document_id: str
    path: str
    title: str
    headings: _containers.RepeatedScalarFieldContainer[str]
    text: str
    start: int
    end: int
    language: str
    source: str
    updated_on: str
    expired_on: str
    starts_on: str
    audience: str
    quoted: _containers.RepeatedCompositeFieldContainer[Span]
    unconfirmed: _containers.RepeatedCompositeFieldContainer[Span]
    def __init__(self, number: _Optional[int] = ..., document_id: _Optional[str] = ..., path: _Optional[str] = ..., title: _Optional[str] = ..., headings: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., language: _Optional[str] = ..., source: _Optional[str] = ..., updated_on: _Optional[str] = ..., expired_on: _Optional[str] = ..., starts_on: _Optional[str] = ..., audience: _Optional[str] = ..., quoted: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., unconfirmed: _Optional[_Iterable[_Union[Span, _Mapping]]] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("start", "end", "document_id", "path", "quote", "quote_start", "quote_end", "heading", "condition")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    QUOTE_START_FIELD_NUMBER: _ClassVar[int]
    QUOTE_END_FIELD_NUMBER: _ClassVar[int]
    HEADING_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    document_id: str
    path: str
    quote: str
    quote_start: int
    quote_end: int
    heading: str
    condition: str
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., document_id: _Optional[str] = ..., path: _Optional[str] = ..., quote: _Optional[str] = ..., quote_start: _Optional[int] = ..., quote_end: _Optional[int] = ..., heading: _Optional[str] = ..., condition: _Optional[str] = ...) -> None: ...

class Conflict(_message.Message):
    __slots__ = ("document_id", "quote", "other_document_id", "other_quote")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    OTHER_DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    OTHER_QUOTE_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    quote: str
    other_document_id: str
    other_quote: str
    def __init__(self, document_id: _Optional[str] = ..., quote: _Optional[str] = ..., other_document_id: _Optional[str] = ..., other_quote: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("name", "duration_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    duration_ms: float
    def __init__(self, name: _Optional[str] = ..., duration_ms: _Optional[float] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("turn_id", "knowledge_base", "text", "refused", "language", "lane", "model", "stand_in", "generation", "instead_of", "citations", "unsupported", "unconfirmed", "conflicts", "evidence", "stages", "prompt_tokens", "generated_tokens", "thinking", "left_open", "by_words_alone", "quotation")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STAND_IN_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    INSTEAD_OF_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    UNSUPPORTED_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    THINKING_FIELD_NUMBER: _ClassVar[int]
    LEFT_OPEN_FIELD_NUMBER: _ClassVar[int]
    BY_WORDS_ALONE_FIELD_NUMBER: _ClassVar[int]
    QUOTATION_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    knowledge_base: str
    text: str
    refused: bool
    language: str
    lane: str
    model: str
    stand_in: bool
    generation: int
    instead_of: str
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    unsupported: _containers.RepeatedCompositeFieldContainer[Span]
    unconfirmed: _containers.RepeatedCompositeFieldContainer[Span]
    conflicts: _containers.RepeatedCompositeFieldContainer[Conflict]
    evidence: _containers.RepeatedCompositeFieldContainer[Passage]
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    prompt_tokens: int
    generated_tokens: int
    thinking: str
    left_open: _containers.RepeatedScalarFieldContainer[str]
    by_words_alone: str
    quotation: Span
    def __init__(self, turn_id: _Optional[str] = ..., knowledge_base: _Optional[str] = ..., text: _Optional[str] = ..., refused: _Optional[bool] = ..., language: _Optional[str] = ..., lane: _Optional[str] = ..., model: _Optional[str] = ..., stand_in: _Optional[bool] = ..., generation: _Optional[int] = ..., instead_of: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., unsupported: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., unconfirmed: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., conflicts: _Optional[_Iterable[_Union[Conflict, _Mapping]]] = ..., evidence: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., prompt_tokens: _Optional[int] = ..., generated_tokens: _Optional[int] = ..., thinking: _Optional[str] = ..., left_open: _Optional[_Iterable[str]] = ..., by_words_alone: _Optional[str] = ..., quotation: _Optional[_Union[Span, _Mapping]] = ...) -> None: ...

class RetrieveRequest(_message.Message):
    __slots__ = ("question", "knowledge_base", "earlier")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    question: str
    knowledge_base: str
    earlier: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, question: _Optional[str] = ..., knowledge_base: _Optional[str] = ..., earlier: _Optional[_Iterable[str]] = ...) -> None: ...

class RetrieveResponse(_message.Message):
    __slots__ = ("knowledge_base", "answerable", "answerable_probability", "generation", "evidence", "by_words_alone")
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    ANSWERABLE_FIELD_NUMBER: _ClassVar[int]
    ANSWERABLE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    BY_WORDS_ALONE_FIELD_NUMBER: _ClassVar[int]
    knowledge_base: str
    answerable: bool
    answerable_probability: float
    generation: int
    evidence: _containers.RepeatedCompositeFieldContainer[Passage]
    by_words_alone: str
    def __init__(self, knowledge_base: _Optional[str] = ..., answerable: _Optional[bool] = ..., answerable_probability: _Optional[float] = ..., generation: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., by_words_alone: _Optional[str] = ...) -> None: ...

class BatchRequest(_message.Message):
    __slots__ = ("id", "question")
    ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    question: AskRequest
    def __init__(self, id: _Optional[str] = ..., question: _Optional[_Union[AskRequest, _Mapping]] = ...) -> None: ...

class BatchResponse(_message.Message):
    __slots__ = ("id", "answer", "problem")
    ID_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    id: str
    answer: Answer
    problem: Problem
    def __init__(self, id: _Optional[str] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class Sentence(_message.Message):
    __slots__ = ("en", "zh")
    EN_FIELD_NUMBER: _ClassVar[int]
    ZH_FIELD_NUMBER: _ClassVar[int]
    en: str
    zh: str
    def __init__(self, en: _Optional[str] = ..., zh: _Optional[str] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "sentence", "retry_after_seconds")
    CODE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    code: str
    sentence: Sentence
    retry_after_seconds: int
    def __init__(self, code: _Optional[str] = ..., sentence: _Optional[_Union[Sentence, _Mapping]] = ..., retry_after_seconds: _Optional[int] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("knowledge_base", "containing", "limit", "offset")
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    CONTAINING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    knowledge_base: str
    containing: str
    limit: int
    offset: int
    def __init__(self, knowledge_base: _Optional[str] = ..., containing: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("knowledge_base", "generation", "total", "documents")
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    knowledge_base: str
    generation: int
    total: int
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    def __init__(self, knowledge_base: _Optional[str] = ..., generation: _Optional[int] = ..., total: _Optional[int] = ..., documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("knowledge_base", "document_id", "start", "end")
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    knowledge_base: str
    document_id: str
    start: int
    end: int
    def __init__(self, knowledge_base: _Optional[str] = ..., document_id: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("document_id", "path", "title", "language", "source", "updated_on", "audience", "characters", "generation", "start", "end", "text", "unconfirmed")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_ON_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    path: str
    title: str
    language: str
    source: str
    updated_on: str
    audience: str
    characters: int
    generation: int
    start: int
    end: int
    text: str
    unconfirmed: _containers.RepeatedCompositeFieldContainer[Span]
    def __init__(self, document_id: _Optional[str] = ..., path: _Optional[str] = ..., title: _Optional[str] = ..., language: _Optional[str] = ..., source: _Optional[str] = ..., updated_on: _Optional[str] = ..., audience: _Optional[str] = ..., characters: _Optional[int] = ..., generation: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., text: _Optional[str] = ..., unconfirmed: _Optional[_Iterable[_Union[Span, _Mapping]]] = ...) -> None: ...

class PutDocumentRequest(_message.Message):
    __slots__ = ("file", "content")
    class File(_message.Message):
        __slots__ = ("knowledge_base", "name")
        KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        knowledge_base: str
        name: str
        def __init__(self, knowledge_base: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: PutDocumentRequest.File
    content: bytes
    def __init__(self, file: _Optional[_Union[PutDocumentRequest.File, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class PutDocumentResponse(_message.Message):
    __slots__ = ("knowledge_base", "files")
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    knowledge_base: str
    files: _containers.RepeatedCompositeFieldContainer[WaitingFile]
    def __init__(self, knowledge_base: _Optional[str] = ..., files: _Optional[_Iterable[_Union[WaitingFile, _Mapping]]] = ...) -> None: ...

class WaitingFile(_message.Message):
    __slots__ = ("name", "size_bytes", "replaces")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REPLACES_FIELD_NUMBER: _ClassVar[int]
    name: str
    size_bytes: int
    replaces: bool
    def __init__(self, name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., replaces: _Optional[bool] = ...) -> None: ...

class IngestRequest(_message.Message):
    __slots__ = ("knowledge_base", "rehearsal", "roots", "prune", "force", "follow")
    KNOWLEDGE_BASE_FIELD_NUMBER: _ClassVar[int]
    REHEARSAL_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    PRUNE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    knowledge_base: str
    rehearsal: bool
    roots: _containers.RepeatedScalarFieldContainer[str]
    prune: bool
    force: bool
    follow: bool
    def __init__(self, knowledge_base: _Optional[str] = ..., rehearsal: _Optional[bool] = ..., roots: _Optional[_Iterable[str]] = ..., prune: _Optional[bool] = ..., force: _Optional[bool] = ..., follow: _Optional[bool] = ...) -> None: ...

class IngestEvent(_message.Message):
    __slots__ = ("job_id", "stage", "done", "total", "troubles", "summary")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    TROUBLES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    job_id: int
    stage: str
    done: int
    total: int
    troubles: _containers.RepeatedCompositeFieldContainer[Problem]
    summary: IngestSummary
    def __init__(self, job_id: _Optional[int] = ..., stage: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., troubles: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., summary: _Optional[_Union[IngestSummary, _Mapping]] = ...) -> None: ...

class IngestSummary(_message.Message):
    __slots__ = ("published", "generation", "documents", "passages", "added", "changed", "unchanged", "moved", "retired", "missing", "failures", "seconds", "undescribed_pictures")
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    UNDESCRIBED_PICTURES_FIELD_NUMBER: _ClassVar[int]
    published: bool
    generation: int
    documents: int
    passages: int
    added: int
    changed: int
    unchanged: int
    moved: int
    retired: int
    missing: int
    failures: int
    seconds: float
    undescribed_pictures: int
    def __init__(self, published: _Optional[bool] = ..., generation: _Optional[int] = ..., documents: _Optional[int] = ..., passages: _Optional[int] = ..., added: _Optional[int] = ..., changed: _Optional[int] = ..., unchanged: _Optional[int] = ..., moved: _Optional[int] = ..., retired: _Optional[int] = ..., missing: _Optional[int] = ..., failures: _Optional[int] = ..., seconds: _Optional[float] = ..., undescribed_pictures: _Optional[int] = ...) -> None: ...

class JudgeRequest(_message.Message):
    __slots__ = ("turn_id", "useful", "reason", "outcome", "changed_share")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    USEFUL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CHANGED_SHARE_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    useful: bool
    reason: str
    outcome: str
    changed_share: float
    def __init__(self, turn_id: _Optional[str] = ..., useful: _Optional[bool] = ..., reason: _Optional[str] = ..., outcome: _Optional[str] = ..., changed_share: _Optional[float] = ...) -> None: ...

class JudgeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
