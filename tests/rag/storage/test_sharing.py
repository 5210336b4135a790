"""Desks share a knowledge base over a real PostgreSQL server: what travels, what is placed, and what is refused.

Every test runs twice: with the pieces in rows of the server, and in a bucket (of a mock of S3, over HTTP).
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.check import check
from ingest.loaders.source import Limits
from ingest.lock import publication, writer_lock
from ingest.publish import rollback
from ingest.reader import FileReader
from rag.erasure import Erasure
from rag.errors import IndexDamaged, IngestRunning, KnowledgeBaseNewer
from rag.reuse.curated import Curation, Place
from rag.schema import Answer
from rag.storage.access import Access, access_to
from rag.storage.cached import CachedAnswer, CachedAnswers, CacheKey
from rag.storage.calibration import read_calibration, save_calibration
from rag.storage.figures import FigureFolder
from rag.storage.regression import RegressionQuestions
from rag.storage.sharing import SHARED_NAME
from rag.storage.store import KEPT_GENERATIONS
from rag.storage.writer import KnowledgeWriter
from rag.text.mention import Mention
from rag.tracing import Trace
from tests.ingest.loaders.test_figures import picture, word
from tests.support.postgres_server import PostgresServer
from tests.support.shared_site import Machine, Site, open_site

pytestmark = pytest.mark.real


def questions_of(machine: Machine) -> RegressionQuestions:
    return RegressionQuestions(machine.store, machine.settings.questions_database)


@pytest.fixture(params=["rows", "bucket"])
def site(request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Site]:
    room = request.getfixturevalue("s3_server").make_room() if request.param == "bucket" else None
    with open_site(postgres_server, tmp_path, room) as site:
        yield site


def test_a_desk_with_an_empty_folder_starts_from_the_server_alone(site: Site) -> None:
    site.here.ingest(site.manual)
    assert site.there.share.catch_up()
    assert site.there.texts() == site.here.texts()
    assert check(site.there.settings.knowledge_dir).findings == ()
    assert not site.there.share.catch_up(), "it is here"


def test_what_one_changed_the_other_has_and_changes_further(site: Site) -> None:
    site.here.ingest(site.manual)
    site.write("deadline.md", "# Deadline\n\nReturn it within 14 days.")
    summary = site.there.ingest(site.manual)
    assert (summary.generation, summary.changed, summary.embedded) == (2, 1, 1), "it had fetched the first generation"
    site.here.share.catch_up()
    assert site.here.texts() == site.there.texts()
    assert site.here.texts()["deadline.md"].endswith("14 days.")
    assert check(site.here.settings.knowledge_dir).findings == ()


def test_going_back_moves_all_desks_and_their_history(site: Site) -> None:
    site.here.ingest(site.manual)
    site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
    site.here.ingest(site.manual)
    info = rollback(site.there.settings.knowledge_dir, share=site.there.share) if site.there.share.catch_up() else None
    assert info is not None and (info.generation, info.change.restored) == (3, 1)
    site.here.share.catch_up()
    assert site.here.texts()["gifts.md"].endswith("We wrap gifts.")
    with site.here.store as here, site.there.store as there:
        assert here.generations() == there.generations()


def test_only_what_changed_travels_and_old_pieces_are_collected(site: Site) -> None:
    for number in range(200):
        site.write(f"{number}.md", f"# Article {number}\n\n" + f"Part {number} has its own words. " * 8)
    site.here.ingest(site.manual)
    share = site.here.share
    site.there.share.catch_up()
    fetched = site.there.share
    for number in range(KEPT_GENERATIONS + 2):
        site.write("7.md", f"# Article 7\n\nVersion {number} of it.")
        site.here.ingest(site.manual)
        assert fetched.catch_up()
        assert fetched.transfer.sent_bytes > 0 and fetched.transfer.kept_bytes > 0
    pieces = site.pieces()
    share.server.collect("default", former=False)
    assert 0 < len(site.pieces()) < len(pieces)
    shutil.rmtree(site.there.settings.knowledge_dir)
    assert site.there.share.catch_up(), "what is left is whole"
    assert check(site.there.settings.knowledge_dir).findings == ()


def test_who_holds_the_lock_on_another_machine_is_told(site: Site) -> None:
    site.here.ingest(site.manual)
    with (
        writer_lock(site.here.settings.knowledge_dir, site.here.share),
        pytest.raises(IngestRunning, match=r"pid \d+, "),
    ):
        site.there.ingest(site.manual)
    site.write("new.md", "# New\n\nSomething new.")
    assert site.there.ingest(site.manual).added == 1


def test_a_missing_and_a_broken_piece_are_said_and_the_old_generation_serves_on(site: Site) -> None:
    site.here.ingest(site.manual)
    site.there.share.catch_up()
    before = site.there.texts()
    site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
    site.here.ingest(site.manual)
    for damage in (site.break_pieces, site.lose_pieces):
        damage()
        with pytest.raises(IndexDamaged, match=r"piece .* is not on (the server|s3://)"):
            site.there.share.catch_up()
        assert site.there.texts() == before
        assert check(site.there.settings.knowledge_dir).findings == ()
    site.write("gifts.md", "# Gifts\n\nWe wrap them again.")
    site.here.ingest(site.manual)
    assert site.there.share.catch_up(), "a publication puts all that the server lacks"
    assert site.there.texts() == site.here.texts()


def test_a_newer_format_and_files_of_strangers_are_refused(site: Site) -> None:
    site.here.ingest(site.manual)
    site.ask("UPDATE shared_base SET format = 99")
    with pytest.raises(KnowledgeBaseNewer):
        site.there.share.catch_up()
    site.ask("UPDATE shared_base SET format = 1, files = replace(files, 'knowledge.db', '../../evil.db')")
    with pytest.raises(IndexDamaged, match="evil"):
        site.there.share.catch_up()
    assert not site.there.settings.knowledge_dir.joinpath("knowledge.db").exists()


def test_a_folder_that_was_there_before_becomes_shared_with_the_first_writer(site: Site) -> None:
    alone = Machine(site.here.settings.changed(database_url=""))
    alone.ingest(site.manual)
    assert not (alone.settings.knowledge_dir / SHARED_NAME).exists()
    assert not site.here.share.catch_up()
    assert site.here.ingest(site.manual).published is False, "nothing new"
    assert site.there.share.catch_up()
    assert site.there.texts() == alone.texts()


def test_scope_and_calibration_are_everybodys(site: Site) -> None:
    site.here.ingest(site.manual)
    site.there.share.catch_up()
    folder, share = site.here.settings.knowledge_dir, site.here.share
    with writer_lock(folder, share), KnowledgeWriter(folder) as writer, publication(writer, share) as publisher:
        publisher.set_access(Access("finance", "internal"))
    save_calibration(folder, {"automatic": {"threshold": 0.5}})
    share.publish_file("calibration.json")
    assert site.there.share.catch_up()
    for machine in (site.here, site.there):
        with machine.store as store:
            assert access_to(store) == Access("finance", "internal")
        assert read_calibration(machine.settings.knowledge_dir)["automatic"]["threshold"] == 0.5
    assert site.there.store.current_generation() == 1


def test_answers_and_questions_of_people_serve_on_both_at_once(site: Site) -> None:
    alone = Machine(site.here.settings.changed(database_url=""))
    alone.ingest(site.manual)
    Curation.of(alone.settings).write("How long?", "7 days.", author="Lin", sources=[Place("deadline.md")])
    site.here.ingest(site.manual)
    site.there.share.catch_up()
    here, there = Curation.of(site.here.settings), Curation.of(site.there.settings)
    served = there.answer("How long?", "en", Trace())
    assert served is not None and served.completed.answer.text.startswith("7 days.")
    here.write("Do you wrap?", "We do.", author="Lin", sources=[Place("gifts.md")])
    assert there.answer("Do you wrap?", "en", Trace()) is not None
    kept = [one.asked.question for one in questions_of(site.there).all()]
    assert kept == ["How long?", "Do you wrap?"]
    site.write("new.md", "# New\n\nSomething new.")
    site.there.ingest(site.manual)
    site.here.share.catch_up()
    assert [one.placed_in for one in questions_of(site.here).all()] == [2, 2], "the gate has asked them"
    other = Curation.of(site.there.settings.changed(knowledge_base="other"))
    assert other.all() == [], "each knowledge base has its own"
    [_, first] = here.all()
    there.retire(first.number, "Mei")
    assert here.answer("How long?", "en", Trace()) is None


def test_what_is_erased_is_gone_from_the_server(site: Site) -> None:
    site.write("gifts.md", "# Gifts\n\nWe wrap gifts for Annabel Wu.")
    site.here.ingest(site.manual)
    Curation.of(site.here.settings).write("Is Annabel Wu known?", "Yes.", author="Lin", sources=[Place("gifts.md")])
    site.write("gifts.md", "# Gifts\n\nWe wrap gifts.")
    for number in range(KEPT_GENERATIONS):
        site.write("deadline.md", f"# Deadline\n\nReturn it within {number} days.")
        site.here.ingest(site.manual)
    site.there.share.catch_up()
    erasure = Erasure(site.there.settings, Mention("Annabel Wu"))
    found = erasure.erase(by="test")
    assert (found.curated, found.questions, found.left) == (1, 1, ())
    words = "count(*) FROM {} WHERE {} LIKE '%Annabel%'"
    assert site.ask("SELECT " + words.format("curated", "question"))[0][0] == 0
    assert site.ask("SELECT " + words.format("regression_question", "question"))[0][0] == 0
    assert site.pieces() and not any(b"Annabel" in piece for piece in site.pieces())


def test_answers_that_were_cached_before_joining_serve_no_more(site: Site) -> None:
    alone = Machine(site.there.settings.changed(database_url=""))
    alone.ingest(site.manual)
    with CachedAnswers(alone.settings.knowledge_dir) as cached:
        answer = Answer("7 days.", "en", False, "", (), (), (), "none", True, 1)
        cached.keep(CacheKey("en: how long", "p", 1), CachedAnswer(answer, (), datetime.now(UTC)), 10)
        site.write("deadline.md", "# Deadline\n\nReturn it within 14 days.")
        site.here.ingest(site.manual)
        assert cached.count() == 1
        site.there.share.catch_up()
        assert (cached.count(), site.there.texts()) == (0, site.here.texts())


def test_pictures_come_along_and_go_with_their_document(site: Site) -> None:
    with FileReader(Limits(1_000_000, ocr_pages=0, figures=5)) as reader:
        here = replace(site.here, reader=reader)
        (site.manual / "lamp.docx").write_bytes(word("Press it.", picture("x"), "Figure 1: The reset button"))
        here.ingest(site.manual)
        site.there.share.catch_up()
        with site.there.store as store:
            (figure,) = store.document("lamp.docx", 1).figures
        assert FigureFolder(site.there.settings.knowledge_dir).read(figure.digest) is not None
        assert check(site.there.settings.knowledge_dir).findings == ()
        (site.manual / "lamp.docx").unlink()
        for number in range(KEPT_GENERATIONS + 1):
            site.write("deadline.md", f"# Deadline\n\nReturn it within {number} days.")
            here.ingest(site.manual)
        site.there.share.catch_up()
        for machine in (site.here, site.there):
            assert list(machine.settings.knowledge_dir.glob("figures/*/*")) == []


def test_a_writer_whose_lock_was_lost_publishes_only_what_follows_on_what_serves(site: Site) -> None:
    site.here.ingest(site.manual)
    folder, share = site.here.settings.knowledge_dir, site.here.share
    with pytest.raises(IngestRunning, match="pid"), writer_lock(folder, share), KnowledgeWriter(folder) as writer:
        site.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pid %'")
        site.write("new.md", "# New\n\nSomething new.")
        site.there.ingest(site.manual)
        with publication(writer, share) as publisher:
            publisher.set_access(Access("finance"))
    assert access_to(site.here.store) == Access(), "nothing of it is left"
    with writer_lock(folder, share):
        pass
    assert site.here.texts() == site.there.texts()


def test_a_lost_lock_is_taken_again_where_nobody_was_quicker(site: Site) -> None:
    site.here.ingest(site.manual)
    folder, share = site.here.settings.knowledge_dir, site.here.share
    with writer_lock(folder, share), KnowledgeWriter(folder) as writer:
        site.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pid %'")
        with publication(writer, share) as publisher:
            publisher.set_access(Access("finance"))
        with pytest.raises(IngestRunning):
            site.there.ingest(site.manual)
    site.there.share.catch_up()
    assert access_to(site.there.store) == Access("finance")
