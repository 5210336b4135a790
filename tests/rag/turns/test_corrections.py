"""An agent corrects, a lead reviews; nobody reaches a knowledge base that is not theirs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import AccessDenied, NotPermitted
from rag.people.audit import AuditTrail
from rag.reuse.curated import Curation, Place
from rag.storage.access import LOCAL_USER, Access, KnowledgeBases, User
from rag.storage.curated import CuratedAnswers
from rag.storage.store import KnowledgeStore
from rag.storage.writer import KnowledgeWriter
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from rag.turns import PersonalCorrections

LIN = User("lin", "agent", frozenset({"shop"}))
BO = User("bo", "lead", frozenset({"shop"}))
EVE = User("eve", "admin", frozenset({"other"}))
QUESTION = "How long is the warranty?"


@pytest.fixture
def of(tmp_path: Path) -> Callable[[User], PersonalCorrections]:
    folder = tmp_path / "knowledge" / "shop"
    publish_documents(folder, SAMPLE_DOCUMENTS, HashEmbedder())
    writer = KnowledgeWriter(folder)
    writer.set_access(Access("shop"))
    writer.close()
    curation = Curation(KnowledgeStore(folder), CuratedAnswers(folder), review=True)
    bases, audit = KnowledgeBases(tmp_path / "knowledge"), AuditTrail(tmp_path / "people.db")
    return lambda user: PersonalCorrections(lambda name: curation, bases, lambda: user, audit, "Wei")


@pytest.mark.slow
def test_an_agents_answer_waits_for_a_lead(of: Callable[[User], PersonalCorrections], tmp_path: Path) -> None:
    lin, bo = of(LIN), of(BO)
    assert lin.waits_for_review("shop")
    assert not bo.waits_for_review("shop")
    kept = lin.write("shop", QUESTION, "Two years.", [Place("kettle.md")])
    assert (kept.state, kept.kept.author) == ("waiting", "lin")
    for call in (lambda: lin.list("shop"), lambda: lin.approve("shop", 1), lambda: lin.retire("shop", 1)):
        with pytest.raises(NotPermitted):
            call()
    bo.approve("shop", kept.number)
    assert [one.number for one in bo.list("shop", "serving")] == [kept.number]
    bo.retire("shop", kept.number, "wrong")
    assert bo.write("shop", QUESTION, "Three years.").state == "serving"
    entries = AuditTrail(tmp_path / "people.db").entries()
    assert [(one.who, one.about, one.details["state"]) for one in reversed(entries)] == [
        ("lin", "shop", "waiting"),
        ("bo", "shop", "serving"),
        ("bo", "shop", "retired"),
        ("bo", "shop", "serving"),
    ]


def test_who_may_not_read_the_base_may_not_write_for_it(of: Callable[[User], PersonalCorrections]) -> None:
    eve = of(EVE)
    for call in (
        lambda: eve.waits_for_review("shop"),
        lambda: eve.write("shop", QUESTION, "x"),
        lambda: eve.list("shop"),
        lambda: eve.approve("shop", 1),
        lambda: eve.retire("shop", 1),
    ):
        with pytest.raises(AccessDenied):
            call()


def test_where_nobody_signs_in_the_setting_names_the_author(of: Callable[[User], PersonalCorrections]) -> None:
    kept = of(LOCAL_USER).write("shop", QUESTION, "Two years.")
    assert (kept.state, kept.kept.author) == ("serving", "Wei")


def test_a_lead_sees_which_contacts_no_document_has(of: Callable[[User], PersonalCorrections]) -> None:
    answer = "Two years. Write to claims@evil.example for more."
    assert of(BO).doubtful_sentences("shop", answer) == ("Write to claims@evil.example for more.",)
    with pytest.raises(NotPermitted):
        of(LIN).doubtful_sentences("shop", answer)
    with pytest.raises(AccessDenied):
        of(EVE).doubtful_sentences("shop", answer)
