"""Every error that the product raises on purpose.

    AnswerdeskError                     exit code
    ├── QuestionError                       2     the words that somebody typed
    │   ├── QuestionEmpty
    │   ├── QuestionTooLong
    │   ├── QuestionsTooFast
    │   ├── PromptTooLong
    │   └── QuestionWithoutWords
    ├── SettingsError                       2
    │   ├── BatchLinesUnusable
    │   ├── BenchmarkMissing
    │   ├── GlossaryUnusable
    │   ├── LoaderUnusable
    │   ├── CalibrationDamaged
    │   ├── MetricsPortTaken
    │   ├── OpenWithoutSignIn
    │   ├── ProxyWithoutSignIn
    │   ├── ModelUnfit
    │   └── PortTaken
    ├── KnowledgeError                      3     the knowledge base
    │   ├── KnowledgeBaseMissing
    │   ├── KnowledgeBaseNewer
    │   ├── AccessDenied
    │   │   └── AccessUnsettled
    │   ├── EmbedderMismatch
    │   ├── IndexDamaged
    │   ├── GenerationGone
    │   ├── NoRegressionQuestions
    │   ├── CuratedMissing
    │   ├── CuratedUnusable
    │   ├── IngestRunning
    │   ├── IngestStopped
    │   ├── UploadUnusable
    │   ├── UploadsUsedUp
    │   ├── OwnFilesWaiting
    │   ├── StorageFull
    │   │   └── NoRoomToOpen
    │   ├── SourceMissing
    │   ├── LoaderFailed
    │   ├── NothingToIngest
    │   └── DocumentUnreadable
    ├── PeopleError                         7     who is there, and what they may do
    │   ├── SignInNeeded
    │   ├── SignInWrong
    │   ├── SignInThrottled
    │   ├── NotPermitted
    │   ├── PersonUnknown
    │   ├── PersonTaken
    │   ├── PersonUnusable
    │   ├── ScopeNotHeld
    │   ├── PersonOutOfReach
    │   ├── LastAdmin
    │   ├── ForeignHost
    │   ├── ForeignPage
    │   ├── TooManyTabs
    │   └── UploadsFull
    ├── ServingError                        4     the model server
    │   ├── OllamaUnavailable
    │   │   └── NoHostAnswers
    │   ├── OllamaElsewhere
    │   ├── OllamaNotInstalled
    │   ├── OllamaNotStarted
    │   ├── OllamaRefused
    │   ├── ModelMissing
    │   ├── ModelTooLarge
    │   ├── ModelTimedOut
    │   ├── ModelStoppedHalfway
    │   ├── ModelSaidNothing
    │   ├── QueueFull
    │   ├── OwnQueueFull
    │   ├── WaitedTooLong
    │   ├── ModelTooSlow
    │   ├── AnswerCancelled
    │   └── AnswerInterrupted
    ├── TurnError                           6     a question that was asked before
    │   ├── TurnMissing
    │   ├── TurnFailed
    │   ├── RewritingUnusable
    │   └── FactsChanged
    └── ProvisioningError                   5     getting the parts onto this machine
        ├── DownloadFailed
        ├── ChecksumMismatch
        ├── LinkInCache
        ├── ToolMissing
        ├── BuildFailed
        ├── AuditImpossible
        ├── VulnerablePackages
        └── EmbedderMissing

Each room that raises them has its module here; all are imported from ``rag.errors``.
The sentences are in ``rag/locale/*/errors.toml``, under the names of the classes; ``error.text("zh")`` fills one in.
Foreign exceptions are translated where they arise (``raise OllamaUnavailable(...) from error``), never swallowed.
"""

from rag.errors.asking import (
    PromptTooLong,
    QuestionEmpty,
    QuestionError,
    QuestionsTooFast,
    QuestionTooLong,
    QuestionWithoutWords,
    TurnError,
    TurnFailed,
    TurnMissing,
)
from rag.errors.base import (
    AnswerdeskError,
    printable,
)
from rag.errors.ingesting import (
    DocumentUnreadable,
    IngestRunning,
    IngestStopped,
    LoaderFailed,
    LoaderUnusable,
    NothingToIngest,
    OwnFilesWaiting,
    SourceMissing,
    UploadsUsedUp,
    UploadUnusable,
)
from rag.errors.knowledge import (
    AccessDenied,
    AccessUnsettled,
    CuratedMissing,
    CuratedUnusable,
    EmbedderMismatch,
    GenerationGone,
    IndexDamaged,
    KnowledgeBaseMissing,
    KnowledgeBaseNewer,
    KnowledgeError,
    NoRegressionQuestions,
    NoRoomToOpen,
    StorageFull,
)
from rag.errors.people import (
    ForeignHost,
    ForeignPage,
    LastAdmin,
    NotPermitted,
    PeopleError,
    PersonOutOfReach,
    PersonTaken,
    PersonUnknown,
    PersonUnusable,
    ScopeNotHeld,
    SignInNeeded,
    SignInThrottled,
    SignInWrong,
    TooManyTabs,
    UploadsFull,
)
from rag.errors.provisioning import (
    AuditImpossible,
    BuildFailed,
    ChecksumMismatch,
    DownloadFailed,
    EmbedderMissing,
    LinkInCache,
    ProvisioningError,
    ToolMissing,
    VulnerablePackages,
)
from rag.errors.rewriting import FactsChanged, RewritingUnusable
from rag.errors.serving import (
    AnswerCancelled,
    AnswerInterrupted,
    ModelMissing,
    ModelSaidNothing,
    ModelStoppedHalfway,
    ModelTimedOut,
    ModelTooLarge,
    ModelTooSlow,
    NoHostAnswers,
    OllamaElsewhere,
    OllamaNotInstalled,
    OllamaNotStarted,
    OllamaRefused,
    OllamaUnavailable,
    OwnQueueFull,
    QueueFull,
    ServingError,
    WaitedTooLong,
)
from rag.errors.settings import (
    BatchLinesUnusable,
    BenchmarkMissing,
    CalibrationDamaged,
    GlossaryUnusable,
    MetricsPortTaken,
    ModelUnfit,
    OpenWithoutSignIn,
    PortTaken,
    ProxyWithoutSignIn,
    SettingsError,
)

__all__ = [
    "AccessDenied",
    "AccessUnsettled",
    "AnswerCancelled",
    "AnswerInterrupted",
    "AnswerdeskError",
    "AuditImpossible",
    "BatchLinesUnusable",
    "BenchmarkMissing",
    "BuildFailed",
    "CalibrationDamaged",
    "ChecksumMismatch",
    "CuratedMissing",
    "CuratedUnusable",
    "DocumentUnreadable",
    "DownloadFailed",
    "EmbedderMismatch",
    "EmbedderMissing",
    "FactsChanged",
    "ForeignHost",
    "ForeignPage",
    "GenerationGone",
    "GlossaryUnusable",
    "IndexDamaged",
    "IngestRunning",
    "IngestStopped",
    "KnowledgeBaseMissing",
    "KnowledgeBaseNewer",
    "KnowledgeError",
    "LastAdmin",
    "LinkInCache",
    "LoaderFailed",
    "LoaderUnusable",
    "MetricsPortTaken",
    "ModelMissing",
    "ModelSaidNothing",
    "ModelStoppedHalfway",
    "ModelTimedOut",
    "ModelTooLarge",
    "ModelTooSlow",
    "ModelUnfit",
    "NoHostAnswers",
    "NoRegressionQuestions",
    "NoRoomToOpen",
    "NotPermitted",
    "NothingToIngest",
    "OllamaElsewhere",
    "OllamaNotInstalled",
    "OllamaNotStarted",
    "OllamaRefused",
    "OllamaUnavailable",
    "OpenWithoutSignIn",
    "OwnFilesWaiting",
    "OwnQueueFull",
    "PeopleError",
    "PersonOutOfReach",
    "PersonTaken",
    "PersonUnknown",
    "PersonUnusable",
    "PortTaken",
    "PromptTooLong",
    "ProvisioningError",
    "ProxyWithoutSignIn",
    "QuestionEmpty",
    "QuestionError",
    "QuestionTooLong",
    "QuestionWithoutWords",
    "QuestionsTooFast",
    "QueueFull",
    "RewritingUnusable",
    "ScopeNotHeld",
    "ServingError",
    "SettingsError",
    "SignInNeeded",
    "SignInThrottled",
    "SignInWrong",
    "SourceMissing",
    "StorageFull",
    "TooManyTabs",
    "ToolMissing",
    "TurnError",
    "TurnFailed",
    "TurnMissing",
    "UploadUnusable",
    "UploadsFull",
    "UploadsUsedUp",
    "VulnerablePackages",
    "WaitedTooLong",
    "printable",
]
