"""Stores turns, so that they can be reopened after a restart, with feedback and outcomes, counts citations, and erases.

    store.feedback.record(turn_id, "edited", 0.2, OutcomeOrigin("model", "en/returns", "shop"))
    store.feedback.counts_by("topic")      # accepted, edited, discarded and handed over, the largest topic first

Teams and topics are counted, never persons.
"""

import json
import os
import secrets
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import psutil
from pydantic import TypeAdapter

from rag.errors import AnswerCancelled, AnswerdeskError, AnswerInterrupted
from rag.schema import Answer, Evidence, Language
from rag.settings import DatabasePlace, ServerDatabase
from rag.storage.connection import Connection, Row, SharedDatabase, SharedStore, one_of_condition, open_database
from rag.storage.migrations import TURN_MIGRATIONS
from rag.storage.turn_times import TurnTimes, write_times

TurnState = Literal["queued", "searching", "thinking", "answering", "done", "refused", "failed", "stopped"]
RUNNING_STATES: tuple[TurnState, ...] = ("queued", "searching", "thinking", "answering")

_LISTED_CHARACTERS = 120  # of a question, in a list
_OTHER_MACHINES_SECONDS = 3600.0
"""After which a turn of another machine counts as abandoned whenever a store is opened."""

_SETTLING_SECONDS = 5
"""After a start of the server, until the living processes have come back."""

_EVIDENCE = TypeAdapter(tuple[Evidence, ...])

_RUNNING = ", ".join(f"'{state}'" for state in RUNNING_STATES)
"""In SQL."""

FeedbackReason = Literal["wrong", "outdated", "incomplete", "source", "tone", "language"]
Outcome = Literal["copied", "edited", "discarded", "handed_over"]
Grouping = Literal["topic", "agent_group", "lane"]
Standing = Literal["colleague", "asker", "lead"]
"""The author of an opinion; later ones here take precedence."""

_STANDINGS = get_args(Standing)


@dataclass(frozen=True, slots=True)
class Opinion:
    """Whether an answer was useful; ``reason`` is None if none was given."""

    useful: bool
    reason: FeedbackReason | None = None


@dataclass(frozen=True, slots=True)
class OutcomeOrigin:
    """An answer's lane, its topic in the knowledge base, and its agent's team."""

    lane: str
    topic: str
    agent_group: str


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """The outcomes of the answers of one topic, team or lane.

    ``changed_share`` in [0, 1] is the mean over those that were edited, None where none was.  ``useful`` and
    ``not_useful`` count opinions on the same answers.
    """

    name: str
    copied: int
    edited: int
    discarded: int
    handed_over: int
    changed_share: float | None
    useful: int
    not_useful: int


class TurnFeedback:
    """The tables ``turn_opinion``, ``turn_feedback`` (of each turn the opinion that counts) and ``turn_outcome``."""

    def __init__(self, database: SharedDatabase) -> None:
        self._database = database

    def judge(
        self,
        turn_id: str,
        person: str,
        *,
        useful: bool,
        reason: FeedbackReason | None = None,
        standing: Standing = "asker",
    ) -> None:
        """Record a person's opinion of a turn's answer, in place of their earlier one.

        Counted is one opinion a turn: a lead's before the asker's, the asker's before a colleague's, and of several of
        one standing the latest.
        """
        values = {"at": _now(), "person": person, "useful": int(useful), "reason": "" if useful else reason or ""}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO turn_opinion (turn_number, person, at, useful, reason, standing) "
                "SELECT turn_number, :person, :at, :useful, :reason, :standing FROM turn WHERE turn_id = :turn "
                "ON CONFLICT (turn_number, person) DO UPDATE SET at = excluded.at, useful = excluded.useful, "
                "reason = excluded.reason, standing = excluded.standing",
                {**values, "standing": _STANDINGS.index(standing), "turn": turn_id},
            )
            connection.execute(
                "INSERT INTO turn_feedback (turn_number, at, person, useful, reason) "
                "SELECT turn_number, at, person, useful, reason FROM turn_opinion JOIN turn USING (turn_number) "
                "WHERE turn_id = ? ORDER BY standing DESC, at DESC LIMIT 1 "
                "ON CONFLICT (turn_number) DO UPDATE SET at = excluded.at, person = excluded.person, "
                "useful = excluded.useful, reason = excluded.reason",
                (turn_id,),
            )

    def opinion(self, turn_id: str, person: str = "") -> Opinion | None:
        """Return a person's opinion of a turn's answer or, without one, the opinion that counts.

        None where nobody said anything.
        """
        row = self._database.row(
            "SELECT useful, reason FROM turn_opinion JOIN turn USING (turn_number) "
            "WHERE turn_id = ? ORDER BY person = ? DESC, standing DESC, at DESC LIMIT 1",
            (turn_id, person),
        )
        return None if row is None else Opinion(bool(row["useful"]), row["reason"] or None)

    def record(self, turn_id: str, outcome: Outcome, changed_share: float, origin: OutcomeOrigin) -> None:
        """Record the outcome of a turn's answer.

        The last use counts; an answer that was used is not discarded afterwards.  Raises ``ValueError`` for a share
        outside of [0, 1].
        """
        if not 0 <= changed_share <= 1:
            raise ValueError(f"changed_share must be between 0 and 1, not {changed_share}")
        columns = ("at", "outcome", "changed_share", "lane", "topic", "agent_group")
        over = f"UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in columns)}"
        with self._database.transaction() as connection:
            connection.execute(
                f"INSERT INTO turn_outcome (turn_number, {', '.join(columns)}) "
                "SELECT turn_number, ?, ?, ?, ?, ?, ? FROM turn WHERE turn_id = ? "
                f"ON CONFLICT (turn_number) DO {'NOTHING' if outcome == 'discarded' else over}",
                (_now(), outcome, changed_share, origin.lane, origin.topic, origin.agent_group, turn_id),
            )

    def outcome(self, turn_id: str) -> tuple[Outcome, float] | None:
        """Return the outcome of a turn's answer, and the share that was changed; None if unknown."""
        row = self._database.row(
            "SELECT outcome, changed_share FROM turn_outcome JOIN turn USING (turn_number) WHERE turn_id = ?",
            (turn_id,),
        )
        return None if row is None else (row["outcome"], row["changed_share"])

    def counts_by(
        self, grouping: Grouping, *, since: datetime | None = None, knowledge_base: str | None = None
    ) -> list[OutcomeCounts]:
        """Count outcomes by topic, team or lane, the one with most of them first."""
        if grouping not in get_args(Grouping):
            raise ValueError(f"unknown grouping {grouping!r}; known: {get_args(Grouping)}")
        counts = ", ".join(f"sum(CASE outcome WHEN '{outcome}' THEN 1 ELSE 0 END)" for outcome in get_args(Outcome))
        rows = self._database.rows(
            f"SELECT turn_outcome.{grouping}, {counts}, avg(CASE outcome WHEN 'edited' THEN changed_share END), "
            "coalesce(sum(useful), 0), coalesce(sum(1 - useful), 0) "
            "FROM turn_outcome JOIN turn USING (turn_number) LEFT JOIN turn_feedback USING (turn_number) "
            "WHERE turn_outcome.at >= ? AND knowledge_base = coalesce(CAST(? AS TEXT), knowledge_base) "
            f"GROUP BY turn_outcome.{grouping} ORDER BY count(*) DESC, turn_outcome.{grouping}",
            (since.astimezone(UTC).isoformat() if since is not None else "", knowledge_base),
        )
        return [OutcomeCounts(*row) for row in rows]


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of one session.  ``created_at`` is in UTC.

    ``partial_text`` and ``thinking`` are what the model had said; ``answer`` is set once it is complete.
    ``error_class`` is a name from ``rag.errors``, ``error_en`` and ``error_zh`` are its sentences; all are empty where
    nothing failed.  ``follows`` is the id of the turn that the question goes on from, or empty.  ``knowledge_base`` is
    the one that was asked: who may not use it must not see the turn.
    """

    turn_id: str
    session: str
    created_at: datetime
    question: str
    language: Language
    state: TurnState = "queued"
    evidence: tuple[Evidence, ...] = ()
    answer: Answer | None = None
    partial_text: str = ""
    thinking: str = ""
    error_class: str = ""
    error_en: str = ""
    error_zh: str = ""
    follows: str = ""
    knowledge_base: str = "default"

    @property
    def running(self) -> bool:
        """Whether somebody is still working on it."""
        return self.state in RUNNING_STATES


_COLUMNS = tuple(field.name for field in fields(Turn))
_READ_COLUMNS = ", ".join(_COLUMNS).replace("question", "substr(question, 1, :longest) AS question")


@dataclass(frozen=True, slots=True)
class ListedTurn:
    """One turn in a list: ``question`` is the beginning of it, at most 120 characters."""

    turn_id: str
    session: str
    created_at: datetime
    question: str
    language: Language
    state: TurnState


class TurnStore(SharedStore):
    """Turns in the database at ``place``, made when it is missing; safe from many threads and processes.

    Opening it marks as failed every turn that a process left running when it died.  Of a question the first
    ``question_characters`` are read: no longer ones are taken, but an older program may have kept some.

    >>> import tempfile
    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = TurnStore(Path(folder.name) / "turns.db")
    >>> turn = store.add("How long is the warranty?", session="a", language="en")
    >>> store.update(replace(turn, state="stopped"))
    >>> store.get(turn.turn_id).state
    'stopped'
    >>> store.close()
    >>> folder.cleanup()
    """

    def __init__(self, place: DatabasePlace, *, question_characters: int = 8000) -> None:
        self._longest = question_characters
        super().__init__(open_database(place, TURN_MIGRATIONS, create=True, wipes=True))
        self.feedback = TurnFeedback(self._database)
        self._owner, self._life = _process_mark(os.getpid()), None
        if isinstance(place, ServerDatabase):
            from rag.storage.server_session import SignOfLife  # brings the server's libraries

            self._owner = f"{self._owner}@{socket.gethostname()}@{secrets.token_hex(4)}"
            self._life = SignOfLife(place.url, self._owner)
        self.fail_abandoned()

    def add(
        self, question: str, *, session: str, language: Language, follows: str = "", knowledge_base: str = "default"
    ) -> Turn:
        """Store a new question as ``queued`` and return its turn, with a random, URL-safe id."""
        if self._life is not None:
            self._life.begin()
        turn = Turn(
            turn_id=secrets.token_urlsafe(12),
            session=session,
            created_at=datetime.now(UTC),
            question=question,
            language=language,
            follows=follows,
            knowledge_base=knowledge_base,
        )
        with self._database.transaction() as connection:
            connection.execute(
                f"INSERT INTO turn ({', '.join(_COLUMNS)}, owner) VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})",
                (*_to_row(turn), self._owner),
            )
        return turn

    def update(self, turn: Turn, times: TurnTimes | None = None) -> None:
        """Write the turn over its older self, and where its time went.  Raises ``KeyError`` where its id is unknown.

        A running turn is not written over one that another process has stopped meanwhile.
        """
        turn_id, *values = _to_row(turn)
        assignments = ", ".join(f"{column} = ?" for column in _COLUMNS[1:])
        with self._database.transaction() as connection:
            kept = connection.execute("SELECT state FROM turn WHERE turn_id = ?", (turn_id,)).fetchone()
            if kept is None:
                raise KeyError(turn_id)
            if kept["state"] == "stopped" and turn.state in RUNNING_STATES:
                return
            connection.execute(f"UPDATE turn SET {assignments} WHERE turn_id = ?", (*values, turn_id))
            if turn.state == "done" and turn.answer is not None:
                write_citations(connection, turn.turn_id, (citation.document_id for citation in turn.answer.citations))
            if times is not None:
                write_times(connection, turn.turn_id, times)

    def stop(self, turn_id: str) -> None:
        """Mark a running turn as stopped; the process that answers it asks for that with ``stopped``."""
        with self._database.transaction() as connection:
            _end_turns(connection, [turn_id], "stopped", AnswerCancelled())

    def stopped(self, turn_ids: Collection[str]) -> frozenset[str]:
        """Return those of some turns that are marked as stopped."""
        of_turns, values = one_of_condition("turn_id", turn_ids)
        with self._database.reading() as connection:
            rows = connection.execute(f"SELECT turn_id FROM turn WHERE state = 'stopped' AND {of_turns}", values)
            return frozenset(row["turn_id"] for row in rows)

    def get(self, turn_id: str) -> Turn:
        """Return one turn.  Raises ``KeyError`` where its id is unknown."""
        row = self._database.row(
            f"SELECT {_READ_COLUMNS} FROM turn WHERE turn_id = :turn_id",
            {"turn_id": turn_id, "longest": self._longest},
        )
        if row is None:
            raise KeyError(turn_id)
        return _from_row(row)

    def has(self, turn_id: str) -> bool:
        """Tell whether a turn is kept: it may have been erased by another process."""
        return self._database.row("SELECT 1 FROM turn WHERE turn_id = ?", (turn_id,)) is not None

    def questions_before(self, turn: Turn, limit: int) -> tuple[str, ...]:
        """Return the questions that the turn goes on from, oldest first, the last ``limit`` of them.

        A question to another knowledge base ends the conversation: it is none of this one's readers' business.
        """
        questions: list[str] = []
        follows = turn.follows
        with self._database.reading() as connection:
            while follows and len(questions) < limit:
                row = connection.execute(
                    "SELECT substr(question, 1, ?) AS question, follows FROM turn "
                    "WHERE turn_id = ? AND knowledge_base = ?",
                    (self._longest, follows, turn.knowledge_base),
                ).fetchone()
                if row is None:
                    break
                questions.append(row["question"])
                follows = row["follows"]
        return tuple(reversed(questions))

    def list(
        self,
        session: str | None,
        *,
        limit: int = 30,
        offset: int = 0,
        before: str = "",
        knowledge_bases: Collection[str] | None = None,
        containing: str = "",
    ) -> tuple[ListedTurn, ...]:
        """Return turns, newest first: of a session (None: of all), of some knowledge bases (None: of all).

        ``before`` is the ID of a turn: only older ones are listed, and none if it is unknown.  A page that begins there
        costs the same anywhere in the history; one that begins at an ``offset`` skips all turns before it.
        ``containing`` is text that the question must hold, in any case of its ASCII letters.
        """
        of_bases, values = one_of_condition("knowledge_base", knowledge_bases)
        conditions = [of_bases]
        if session is not None:
            conditions.append("session = :session")
        if containing:
            conditions.append("instr(lower(question), lower(:text)) > 0")
        if before:
            conditions.append("turn_number < (SELECT turn_number FROM turn WHERE turn_id = :before)")
        where, first = " AND ".join(conditions), ""
        if offset:  # to skip numbers, which an index has, costs a server a third of skipping turns
            first = (
                f" AND turn_number <= (SELECT turn_number FROM turn WHERE {where} "
                "ORDER BY turn_number DESC LIMIT 1 OFFSET :offset)"
            )
        # A server that gets the limit beforehand plans the statement once; else it does so for every page.  That is
        # right for several knowledge bases: it knows then which of them are rare.
        several = len(values) > 1
        rows = self._database.rows(
            "SELECT turn_id, session, created_at, substr(question, 1, :characters) AS question, language, state "
            f"FROM turn WHERE {where}{first} ORDER BY turn_number DESC LIMIT {':limit' if several else int(limit)}",
            {"session": session, "text": containing, "before": before, "limit": limit, "offset": offset}
            | {"characters": _LISTED_CHARACTERS, **values},
        )
        return tuple(
            ListedTurn(turn_id, owner, datetime.fromisoformat(created_at), question, language, state)
            for turn_id, owner, created_at, question, language, state in rows
        )

    def fail_abandoned(self) -> int:
        """Mark the running turns of dead processes as failed, and return how many there were.

        Of another machine, whose processes cannot be seen from here, those that began more than an hour ago.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(
                f"SELECT owner, turn_id, created_at FROM turn WHERE state IN ({_RUNNING})"
            ).fetchall()
            dead = _dead_owners(row["owner"] for row in rows if _is_of_this_machine(row["owner"]))
            long_ago = (datetime.now(UTC) - timedelta(seconds=_OTHER_MACHINES_SECONDS)).isoformat()
            abandoned = [
                row["turn_id"]
                for row in rows
                if row["owner"] in dead or (row["created_at"] < long_ago and not _is_of_this_machine(row["owner"]))
            ]
            _end_turns(connection, abandoned, "failed", AnswerInterrupted())
        return len(abandoned)

    def fail_if_abandoned(self, turn_id: str) -> bool:
        """Mark a running turn as failed if its process is dead, and tell whether it was.

        A process of another machine is dead when the server has had no connection of it for some seconds.
        """
        row = self._database.row(f"SELECT owner FROM turn WHERE turn_id = ? AND state IN ({_RUNNING})", (turn_id,))
        if row is None or not self._is_dead(row["owner"]):
            return False
        with self._database.transaction() as connection:
            _end_turns(connection, [turn_id], "failed", AnswerInterrupted())
        return True

    def close(self) -> None:
        """Close the connections of all threads, and show no longer that this process lives; the next call opens new."""
        if self._life is not None:
            self._life.end()
        super().close()

    def _is_dead(self, owner: str) -> bool:
        if _is_of_this_machine(owner):
            return bool(_dead_owners([owner]))
        if owner.count("@") < 3:  # an older program shows no sign of life
            return False
        from rag.storage.server_session import is_dead  # brings the server's libraries

        row = self._database.row(
            f"SELECT clock_timestamp() - pg_postmaster_start_time() > interval '{_SETTLING_SECONDS} seconds' "
            f"AND {is_dead('owner')} AS dead FROM (SELECT :owner AS owner) AS one",
            {"owner": owner},
        )
        return row is not None and bool(row["dead"])


def _end_turns(connection: Connection, turn_ids: Iterable[str], state: TurnState, error: AnswerdeskError) -> None:
    """End those of some turns that are running, with an error."""
    values = (state, type(error).__name__, error.text("en"), error.text("zh"))
    connection.executemany(
        "UPDATE turn SET state = ?, error_class = ?, error_en = ?, error_zh = ? "
        f"WHERE turn_id = ? AND state IN ({_RUNNING})",
        [(*values, turn_id) for turn_id in turn_ids],
    )


def _is_of_this_machine(owner: str) -> bool:
    """Tell whether a turn's process is of this machine; without a server, always."""
    return owner.split("@")[2:3] in ([], [socket.gethostname()])


def _process_mark(pid: int) -> str:
    """Name a process so that a later one with the same pid is not taken for it."""
    return f"{pid}@{psutil.Process(pid).create_time():.2f}"


def _dead_owners(owners: Iterable[str]) -> set[str]:
    dead = set()
    for owner in set(owners):
        try:
            mark = "@".join(owner.split("@")[:2])
            alive = _process_mark(int(owner.partition("@")[0])) == mark
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            dead.add(owner)
    return dead


def _to_row(turn: Turn) -> tuple[str | None, ...]:
    """Return the values of ``_COLUMNS``: those of the fields, with times and JSON as text."""
    as_text = {
        "created_at": turn.created_at.isoformat(),
        "evidence": _EVIDENCE.dump_json(turn.evidence).decode(),
        "answer": json.dumps(turn.answer.to_json(), ensure_ascii=False) if turn.answer is not None else None,
    }
    return tuple(as_text[name] if name in as_text else getattr(turn, name) for name in _COLUMNS)


def _from_row(row: Row) -> Turn:
    values = dict(row)
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    values["evidence"] = _EVIDENCE.validate_json(values["evidence"])
    values["answer"] = Answer.from_json(json.loads(values["answer"])) if values["answer"] is not None else None
    return Turn(**values)


@dataclass(frozen=True, slots=True)
class DocumentUse:
    """``cited`` counts the answers that cite a document, ``disliked`` those among them that got a thumb down."""

    cited: int = 0
    disliked: int = 0


class DocumentUses(SharedStore):
    """Reads the database of turns at ``place``; without the file there are none, and none is made."""

    def __init__(self, place: DatabasePlace) -> None:
        super().__init__(open_database(place, TURN_MIGRATIONS))

    def counts(self, knowledge_base: str, since: datetime) -> dict[str, DocumentUse]:
        """Count the questions to a knowledge base at ``since`` (with a zone) or later, by the documents' ids.

        Documents that no answer cites are left out.  Raises ``KnowledgeError`` where the file cannot be read.
        """
        if not self._database.exists():
            return {}
        rows = self._database.rows(
            "SELECT document_id, count(*), sum(CASE WHEN useful = 0 THEN 1 ELSE 0 END) "
            "FROM turn_citation LEFT JOIN turn_feedback USING (turn_number) "
            "WHERE knowledge_base = ? AND asked_at >= ? GROUP BY document_id",
            (knowledge_base, since.astimezone(UTC).isoformat()),
        )
        return {row[0]: DocumentUse(row[1], row[2]) for row in rows}


def write_citations(connection: Connection, turn_id: str, document_ids: Iterable[str]) -> None:
    """Replace the record of the documents that a turn's answer cites, within the caller's transaction."""
    connection.execute(
        "DELETE FROM turn_citation WHERE turn_number = (SELECT turn_number FROM turn WHERE turn_id = ?)", (turn_id,)
    )
    connection.executemany(
        "INSERT INTO turn_citation (knowledge_base, asked_at, turn_number, document_id) "
        "SELECT knowledge_base, created_at, turn_number, ? FROM turn WHERE turn_id = ?",
        [(document_id, turn_id) for document_id in sorted(set(document_ids))],
    )


@dataclass(frozen=True, slots=True)
class ErasableTurn:
    """A turn without its passages.  ``running``: somebody still works on it, so that it cannot be erased now."""

    turn_id: str
    knowledge_base: str
    question: str
    follows: str
    running: bool = False
    written: tuple[str, ...] = ()

    def holds(self, test: Callable[[str], bool]) -> bool:
        """Tell whether the question, or any text written as an answer, passes a test."""
        return test(self.question) or any(map(test, self.written))


class TurnErasure(SharedStore):
    """Finds and deletes turns in the database at ``place``; without the file there are none, and none is made."""

    def __init__(self, place: DatabasePlace) -> None:
        super().__init__(open_database(place, TURN_MIGRATIONS, wipes=True))

    def all(self) -> Iterator[ErasableTurn]:
        """Yield every turn, oldest first."""
        if not self._database.exists():
            return
        for row in self._database.stream(
            "SELECT turn_id, knowledge_base, question, follows, answer, partial_text, thinking, "
            f"state IN ({_RUNNING}) AS running FROM turn ORDER BY turn_number"
        ):
            answer = json.loads(row["answer"]) if row["answer"] is not None else {}
            yield ErasableTurn(
                row["turn_id"],
                row["knowledge_base"],
                row["question"],
                row["follows"],
                bool(row["running"]),
                (row["partial_text"], row["thinking"], answer.get("text", ""), answer.get("thinking", "")),
            )

    def turns_before(self, moment: datetime, limit: int) -> list[ErasableTurn]:
        """Return the oldest ``limit`` turns that were asked before a moment and have ended."""
        if not self._database.exists():
            return []
        rows = self._database.rows(
            "SELECT turn_id, knowledge_base, question, follows FROM turn "
            f"WHERE created_at < ? AND state NOT IN ({_RUNNING}) ORDER BY created_at LIMIT ?",
            (moment.astimezone(UTC).isoformat(), limit),
        )
        return [ErasableTurn(*row) for row in rows]

    def delete(self, turn_ids: Collection[str]) -> int:
        """Delete turns that have ended, with times, opinions, outcomes and citations; return how many there were."""
        with self._database.transaction() as connection:
            return connection.executemany(
                f"DELETE FROM turn WHERE turn_id = ? AND state NOT IN ({_RUNNING})", [(one,) for one in turn_ids]
            ).rowcount


def whole_conversations(turns: Sequence[ErasableTurn], turn_ids: Collection[str]) -> set[str]:
    """Return the ids of the whole conversations of some turns."""
    beside: dict[str, list[str]] = {}
    for turn in turns:
        if turn.follows:
            beside.setdefault(turn.follows, []).append(turn.turn_id)
            beside.setdefault(turn.turn_id, []).append(turn.follows)
    known = {turn.turn_id for turn in turns}
    found, waiting = set(turn_ids), list(turn_ids)
    while waiting:
        for other in beside.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found & known
