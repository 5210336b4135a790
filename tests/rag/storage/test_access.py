"""Each knowledge base says who may read it."""

from pathlib import Path

import pytest

from rag.errors import AccessDenied
from rag.factory import build_pipeline
from rag.schema import Audience
from rag.settings import Settings
from rag.storage.access import Access, access_to, require_access
from rag.storage.store import KnowledgeStore
from rag.storage.writer import KnowledgeWriter
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents


@pytest.mark.parametrize(
    ("access", "scopes", "audience", "expected"),
    [
        (Access(), [], "public", True),
        (Access("finance"), [], "internal", False),
        (Access("finance"), ["sales"], "internal", False),
        (Access("finance"), ["sales", "finance"], "public", True),
        (Access("", "internal"), [], "internal", True),
        (Access("", "internal"), [], "public", False),
        (Access("finance", "internal"), ["finance"], "public", False),
    ],
)
def test_who_may_read(access: Access, scopes: list[str], audience: Audience, expected: bool) -> None:
    assert access.permits(scopes, audience) is expected
    if expected:
        require_access(access, "kb", scopes, audience)
    else:
        with pytest.raises(AccessDenied, match="kb"):
            require_access(access, "kb", scopes, audience)


def test_nobody_is_asked_without_scopes() -> None:
    require_access(Access("finance", "internal"), "kb", None, "public")


def test_access_is_kept_in_the_knowledge_base(tmp_path: Path) -> None:
    store = KnowledgeStore(tmp_path)
    assert access_to(store) == Access()
    writer = KnowledgeWriter(tmp_path)
    writer.set_access(Access("finance", "internal"))
    writer.begin()
    assert access_to(store) == Access("finance", "internal")


@pytest.mark.slow
def test_a_pipeline_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    publish_documents(settings.knowledge_dir, SAMPLE_DOCUMENTS, HashEmbedder())
    KnowledgeWriter(settings.knowledge_dir).set_access(Access("finance"))
    with pytest.raises(AccessDenied, match="finance"):
        build_pipeline(settings, scopes=["sales"])


def test_a_closed_knowledge_base_names_the_scope_that_it_asks_for() -> None:
    with pytest.raises(AccessDenied, match="The knowledge base shop is for finance only;"):
        require_access(Access("finance"), "shop", ["sales"])
