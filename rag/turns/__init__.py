"""Answers in the background: a caller gets an id at once and reads snapshots while a worker runs the pipeline.

    pipelines = Pipelines(KnowledgeBases(settings.data_dir / "knowledge"), build)
    turns = TurnService(pipelines, TurnStore(settings.turns_database), workers=16)
    turn_id = turns.submit(token, TurnRequest("How long is the warranty?", session="local"))
    snapshot = turns.snapshot(turn_id)          # evidence, thought and text so far
    turns.cancel(turn_id)

Every turn is in the store from its submission to its end, also if it was stopped or failed; one that is not running any
more is read from there, so a turn survives its browser tab and this process.

``WritingService`` lets the model write other texts in the same line: a rewritten reply, a translated passage.

A page gets ``PersonalTurns``: the same for one person, who reaches only turns of their knowledge bases.
"""

from rag.turns.fairness import NO_LIMITS, FairPool, PersonLimits, Quota, Share, file_pool
from rag.turns.personal import PersonalCorrections, PersonalTurns, owner_of
from rag.turns.service import AnswerPipeline, Occupancy, PipelineOf, Pipelines, TurnRequest, TurnService
from rag.turns.snapshot import FINAL_STATES, FINAL_VERSION, Failure, TurnSnapshot, TurnState, TurnSummary
from rag.turns.writings import (
    PersonalRewritings,
    Translations,
    Writing,
    WritingService,
    WritingSnapshot,
    pipeline_parts,
)

__all__ = [
    "FINAL_STATES",
    "FINAL_VERSION",
    "NO_LIMITS",
    "AnswerPipeline",
    "Failure",
    "FairPool",
    "Occupancy",
    "PersonLimits",
    "PersonalCorrections",
    "PersonalRewritings",
    "PersonalTurns",
    "PipelineOf",
    "Pipelines",
    "Quota",
    "Share",
    "Translations",
    "TurnRequest",
    "TurnService",
    "TurnSnapshot",
    "TurnState",
    "TurnSummary",
    "Writing",
    "WritingService",
    "WritingSnapshot",
    "file_pool",
    "owner_of",
    "pipeline_parts",
]
