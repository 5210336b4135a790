"""The Knowledge page without a browser: who may do what, and that nothing happens twice or unasked."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.jobs import Jobs
from api.services.knowledge import CheckResult, KnowledgeRegistry, KnowledgeService
from ingest.gate import register
from ingest.lock import writer_lock
from ingest.summary import IngestProgress, IngestSummary
from rag.errors import DocumentUnreadable, IngestRunning, NothingToIngest, NotPermitted, UploadsUsedUp
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, Role, User
from rag.storage.contact_details import NewDetail
from rag.translate import translate
from rag.turns import AnswerPipeline
from tests.ingest.test_gate import question_file
from tests.ui.views.knowledge.library import Library
from ui.formats import as_markdown
from ui.views.knowledge.outcome import detail_cards, failure_groups, progress_words, question_cards, refused_cards

pytestmark = pytest.mark.slow

NEW = b"# Christmas\n\nDecember's parcels can be sent back until 31 January."


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path)
    yield made
    made.close()


@pytest.fixture
def small(library: Library) -> Library:
    """Two articles, published."""
    library.publish({"fees.md": "# Fees\n\nDelivery costs 4.95 euros.", "退货.md": "# 退货\n\n签收后 7 天内可以退货。"})
    return library


def page(library: Library, view: str, language: Language = "en", role: Role = "admin", **query: str) -> AppTest:
    def script(desk, role, language):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        from datetime import UTC, datetime
        from types import SimpleNamespace

        from rag.ollama.neighbours import Neighbours
        from rag.storage.access import User
        from ui.session import PageContext
        from ui.turn_data import Reading
        from ui.views.knowledge import page as knowledge

        reading = Reading(language, datetime.now(UTC), UTC, "")
        services = SimpleNamespace(knowledge=desk, neighbours=lambda: Neighbours(1.5, "backup"))
        knowledge.render(PageContext(services, language, reading, User("lin", role)))

    desk = library.desk(lambda: User("lin", role))
    test = AppTest.from_function(script, args=(desk, role, language), default_timeout=60)
    test.query_params["view"] = view
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def texts(test: AppTest) -> str:
    shown = (*test.markdown, *test.caption, *test.warning, *test.error, *test.info, *test.success, *test.header)
    return " ".join(element.value for element in shown)


def done(library: Library) -> object:
    job = library.jobs.wait("knowledge default", timeout_seconds=60)
    assert job is not None
    assert job.state == "done", job
    return job.result


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_a_knowledge_base_every_view_says_what_to_do(library: Library, language: Language) -> None:
    assert translate("ui.kb_none_yet", language) in texts(page(library, "articles", language))
    for view in ("update", "history", "why"):
        assert not page(library, view, language).exception
    assert translate("ui.kb_result_none", language) in texts(page(library, "update", language))


@pytest.mark.parametrize(
    ("role", "views", "buttons"),
    [("agent", 3, set()), ("lead", 4, {"kb_check"}), ("admin", 4, {"kb_check"})],
)
def test_each_role_sees_what_it_may_do(small: Library, role: Role, views: int, buttons: set[str]) -> None:
    test = page(small, "update", role=role)
    assert not test.exception
    assert len(test.segmented_control(key="kb_view").options) == views
    assert {button.key for button in test.button} == buttons
    history = page(small, "history", role=role)
    assert not history.exception
    why = page(small, "why", role=role)
    assert why.segmented_control(key="kb_view").value == ("articles" if role == "agent" else "why")


def test_the_filters_stand_in_the_address_and_are_taken_from_it(small: Library) -> None:
    test = page(small, "articles", "zh")
    test.selectbox(key="kb_language").set_value("en").run()
    test.selectbox(key="kb_source").set_value("manual").run()
    assert (test.query_params["kb_language"], test.query_params["kb_source"]) == ("en", "manual")
    other = page(small, "articles", "en", kb_language="en", kb_source="manual", kb_age="nonsense", rows="-1")
    assert not other.exception
    values = {key: other.selectbox(key=key).value for key in ("kb_language", "kb_source", "kb_age", "kb_use")}
    assert values == {"kb_language": "en", "kb_source": "manual", "kb_age": "", "kb_use": ""}
    test.selectbox(key="kb_language").set_value("").run()
    assert "kb_language" not in test.query_params


def test_no_link_and_no_forged_button_gets_past_a_role(small: Library) -> None:
    agent = small.desk(lambda: User("lin", "agent"))
    lead = small.desk(lambda: User("lin", "lead"))
    forbidden: list[Callable[[], object]] = [
        lambda: agent.keep([("a.md", NEW)]),
        agent.discard,
        agent.check,
        agent.stop,
        agent.forget_job,
        lambda: agent.explain("tab", "fees?"),
        lambda: agent.explanation("tab"),
        lambda: agent.confirm_details(["host evil.example"]),
        lambda: lead.go_back(1),
        lambda: lead.publish(checked(small, lead)),
    ]
    for call in forbidden:
        with pytest.raises(NotPermitted):
            call()
    assert small.registry.store("default").current_generation() == 1


def test_a_day_has_room_for_so_many_uploads_of_one_person(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, person_upload_files_a_day=3, person_upload_megabytes_a_day=1)
    registry = KnowledgeRegistry(settings, Jobs(), lambda name, user: _no_pipeline())

    def desk(user: User) -> KnowledgeService:
        return KnowledgeService(registry, "default", lambda: user, lambda user, name: None)

    lin, root, alone = desk(User("lin", "lead")), desk(User("root", "admin")), desk(LOCAL_USER)
    lin.keep([("a.md", NEW), ("b.md", NEW)])
    with pytest.raises(UploadsUsedUp, match="3 files and 1 MB a day"):
        lin.keep([("c.md", NEW), ("d.md", NEW)])
    with pytest.raises(UploadsUsedUp):
        lin.keep([("c.md", b"x" * 999_999)])
    assert [upload.name for upload in lin.waiting()] == ["a.md", "b.md"], "none of what is refused is kept"
    lin.keep([("c.md", NEW)])
    root.keep([("d.md", NEW)])
    for number in range(9):  # the machine's own user has the whole disk anyway
        alone.keep([(f"{number}.md", NEW)])
    registry.close()


def _no_pipeline() -> AnswerPipeline:
    raise AssertionError("uploading asks no pipeline")


def checked(library: Library, desk: KnowledgeService) -> CheckResult:
    desk.keep([("christmas.md", NEW)])
    desk.check()
    result = done(library)
    assert isinstance(result, CheckResult)
    return result


def test_from_a_file_to_a_published_state_and_back_with_who_did_it(small: Library) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    found = checked(small, desk)
    assert (found.summary.changes.added, found.summary.published) == (1, False)
    assert desk.is_current(found)
    desk.publish(found)
    done(small)
    assert desk.waiting() == ()
    assert not desk.is_current(found)
    assert {source.name: source.articles for source in desk.sources()} == {"manual": 2, "default": 1}
    assert [source.uploads for source in desk.sources()] == [False, True]
    desk.go_back(1)
    done(small)
    assert [info.change.restored for info in desk.history().generations] == [1, 0, 0]
    assert small.changes == [
        ("lin", "published", {"generation": 2, "added": 1, "changed": 0}),
        ("lin", "rolled_back", {"generation": 3, "restored": 1}),
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_new_addresses_are_listed_at_the_check_and_confirmed_by_a_lead(small: Library, language: Language) -> None:
    admin = small.desk(lambda: User("lin", "admin"))
    admin.keep([("fees.md", b"# Fees\n\nPay the fee at https://evil.example/pay.")])
    admin.check()
    found = done(small)
    assert isinstance(found, CheckResult)
    assert [detail.detail for detail in found.summary.new_details] == ["host evil.example"]
    (card,) = detail_cards(found.summary.new_details, language)
    assert (card.title, card.mark) == ("evil.example", translate("ui.kb_detail_host", language))
    assert not page(small, "update", language, role="admin").exception
    admin.publish(found)
    done(small)
    assert not page(small, "update", language, role="agent").button
    test = page(small, "update", language, role="lead")
    assert translate("ui.kb_unconfirmed_why", language) in texts(test)
    test.button(key="kb_confirm").click().run()
    assert admin.new_details() == ()
    assert small.changes[-1][1:] == ("confirmed", {"generation": 2, "number": 1})
    assert "kb_confirm" not in {button.key for button in page(small, "update", language, role="lead").button}


def test_a_publication_is_shown_as_the_last_one_only_while_its_state_serves(small: Library) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    desk.publish(checked(small, desk))
    done(small)
    said = translate("ui.kb_published", "en", generation=2, documents=3, passages=3)
    assert said in texts(page(small, "update"))
    small.publish({"more.md": "# More\n\nGift cards never expire."})  # by another process
    assert said not in texts(page(small, "update"))
    assert translate("ui.kb_result_none", "en") in texts(page(small, "update"))
    desk.go_back(1)
    done(small)
    back = translate("ui.kb_went_back", "en", restored=1, generation=4)
    assert back in texts(page(small, "history"))
    small.publish({"more.md": "# More\n\nGift cards expire after four years."})
    assert back not in texts(page(small, "history"))


def test_what_was_checked_is_not_published_once_files_or_state_have_moved(small: Library) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    found = checked(small, desk)
    desk.keep([("christmas.md", NEW + b" Or later.")])
    assert not desk.is_current(found)
    test = page(small, "update")
    assert translate("ui.kb_outdated", "en") in texts(test)
    assert "kb_publish" not in {button.key for button in test.button}


def test_a_file_that_cannot_be_read_is_not_kept_and_what_it_replaced_is(small: Library) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    desk.publish(checked(small, desk))
    done(small)
    desk.keep([("christmas.md", b"\x00\x01\x02\xff\xfe\xfd" * 50), ("more.md", NEW + b" More.")])
    desk.check()
    found = done(small)
    assert isinstance(found, CheckResult)
    assert [failure.details["reason"] for failure in found.summary.failures] != []
    desk.publish(found)
    done(small)
    assert desk.waiting() == ()
    assert (small.settings.uploads_dir / "christmas.md").read_bytes() == NEW


def test_a_file_of_which_something_was_read_stays_and_its_articles_survive_the_next_clean_up(small: Library) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    rows = '{"id": "a", "text": "Parcels weigh up to 30 kilograms."}\nbroken\n'
    doubtful = "---\nvalid_until: next spring\n---\n# Vouchers\n\nA voucher is worth 20 euros."
    files = {"doubtful.md": doubtful, "rows.jsonl": rows, "broken.pdf": "not a PDF"}
    desk.keep([(name, text.encode()) for name, text in files.items()])
    desk.publish(checked(small, desk))
    published = done(small)
    assert isinstance(published, IngestSummary)
    assert {
        heading: [Path(str(one.details["path"])).name for one in troubles]
        for heading, troubles in failure_groups(published).items()
    } == {"kb_refused": ["broken.pdf"], "kb_partly_read": ["doubtful.md", "rows.jsonl"]}
    folder = small.settings.uploads_dir
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {
        "christmas.md",
        "doubtful.md",
        "rows.jsonl",
    }
    desk.check([str(folder.resolve())], prune=True)
    found = done(small)
    assert isinstance(found, CheckResult)
    assert (found.summary.retired, found.summary.missing) == (0, 0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_check_names_the_known_questions_of_an_article_that_is_removed(small: Library, language: Language) -> None:
    questions = {"How much does delivery cost?": "fees.md", "退货期限是几天？": "退货.md"}
    register(question_file(small.manual.parent / "questions.jsonl", questions), small.settings)
    (small.manual / "fees.md").unlink()
    small.desk(lambda: User("lin", "admin")).check([str(small.manual)], prune=True)
    found = done(small)
    assert isinstance(found, CheckResult)
    assert found.summary.gate is not None
    assert as_markdown(translate("ui.kb_gate_retired", language, count=1)) in texts(page(small, "update", language))
    [card] = question_cards(found.summary.gate, language)
    assert (card.title, card.mark) == ("How much does delivery cost?", translate("ui.kb_question_retired", language))
    assert "fees.md" in card.notes[0].text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_job_that_gives_way_to_a_busy_program_names_it(small: Library, language: Language) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    desk.keep([("christmas.md", NEW)])
    small.gate.clear()
    desk.check()
    said = texts(page(small, "update", language))
    assert translate("ui.job_gives_way", language, busiest="backup", cores="1.5") in said
    small.gate.set()
    done(small)
    assert "backup" not in texts(page(small, "update", language))


def test_beside_a_job_and_beside_another_process_it_refuses_in_words(small: Library) -> None:
    desk = small.desk(lambda: User("lin", "admin"))
    desk.keep([("christmas.md", NEW)])
    small.gate.clear()
    desk.check()
    for call in (desk.check, desk.discard, lambda: desk.keep([("b.md", NEW)]), lambda: desk.go_back(1)):
        with pytest.raises(IngestRunning):
            call()
    desk.stop()
    stopped = small.jobs.wait(desk.job_slot, timeout_seconds=60)
    assert stopped is not None
    assert stopped.state == "stopped"
    small.gate.set()
    with writer_lock(small.settings.knowledge_dir):
        desk.check()
        refused = small.jobs.wait(desk.job_slot, timeout_seconds=60)
    assert refused is not None
    assert refused.failure is not None
    assert refused.failure.kind == "IngestRunning"
    assert translate("ui.error_IngestRunning", "zh") in texts(page(small, "update", "zh"))
    assert [upload.name for upload in desk.waiting()] == ["christmas.md"]


def test_nothing_to_check_and_folders_that_are_not_ours(small: Library, tmp_path: Path) -> None:
    desk = small.desk(lambda: User("lin", "lead"))
    with pytest.raises(NothingToIngest):
        desk.check()
    with pytest.raises(NothingToIngest):
        desk.check([str(tmp_path)])  # only folders that the knowledge base came from are read


def test_an_article_shows_its_passages_with_offsets_and_tokens(small: Library) -> None:
    desk = small.desk()
    opened = desk.article("fees.md")
    assert opened is not None
    assert all(opened.document.text[one.start : one.end] == one.text for one in opened.passages)
    for _ in range(100):
        if opened is not None and opened.tokens is not None:
            break
        opened = desk.article("fees.md")  # each call waits a moment for the tokenizer
    assert opened is not None
    assert opened.tokens == tuple(small.embedder.count_tokens(one.text) for one in opened.passages)
    assert desk.article("nowhere.md") is None


def test_a_question_is_explained_in_a_job_of_its_tab(small: Library) -> None:
    test = page(small, "why")
    test.text_input(key="kb_why_question").set_value("What does delivery cost?")
    test.selectbox(key="kb_why_expected").set_value("退货.md")
    next(button for button in test.button if button.label == translate("ui.kb_why_run", "en")).click().run()
    small.jobs.wait(f"why default lin {test.session_state['tab_name']}", timeout_seconds=60)
    test.run()
    assert not test.exception
    assert translate("ui.kb_why_columns", "en") in texts(test)
    other = page(small, "why")
    assert translate("ui.kb_why_empty", "en") in texts(other)


def test_how_far_it_is_is_said_with_a_share_only_where_there_is_one() -> None:
    assert progress_words(None, "en") == (None, translate("ui.job_starting", "en"))
    share, said = progress_words(IngestProgress("reading", 1, 4), "zh")
    assert (share, said) == (0.25, translate("ui.kb_reading", "zh", done=1, total=4))
    nothing_to_embed = progress_words(IngestProgress("embedding", 4, 4, 0, 0), "zh")
    assert nothing_to_embed == (None, translate("ui.kb_stage_embedding", "zh")), "no figures where there are none"
    assert progress_words(IngestProgress("embedding", 4, 4, 3, 0), "en")[0] is None
    assert progress_words(IngestProgress("embedding", 4, 4, 3, 6), "en")[0] == 0.5
    describing = IngestProgress("describing", 4, 4, pictures_done=1, pictures_total=2)
    assert progress_words(describing, "en") == (0.5, translate("ui.kb_describing", "en", done=1, total=2))
    assert progress_words(IngestProgress("publishing"), "en") == (None, translate("ui.kb_publishing", "en"))
    helped = IngestProgress("embedding", 4, 4, 3, 6, workers=2)
    assert progress_words(helped, "en")[1].endswith("workers helping: 2")
    assert progress_words(helped, "zh")[1].endswith("协助的工作进程：2")


def test_the_line_of_an_unreadable_row_is_named_in_the_page_s_language() -> None:
    failure = DocumentUnreadable(path="/kb/rows.jsonl", reason="row", where="line 2")
    (english,), (chinese,) = (refused_cards((failure,), language) for language in ("en", "zh"))
    assert english.notes[0].text.startswith("line 2: ")
    assert chinese.notes[0].text.startswith("第 2 行：")


def test_an_address_of_many_articles_says_how_many_more_there_are() -> None:
    (card,) = detail_cards([NewDetail("host evil.example", tuple(f"{name}.md" for name in "abcde"))], "zh")
    assert [note.text for note in card.notes] == ["a.md", "b.md", "c.md", "……还有 2 篇文章"]
