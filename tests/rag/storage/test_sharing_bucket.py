"""Desks whose shared pieces lie in a bucket (of a mock of S3): it goes and comes back, refuses, and is moved to."""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.check import check
from rag.errors import BucketRefused, BucketUnavailable, PiecesElsewhere
from rag.storage import bucket, following, sharing
from rag.storage.calibration import read_calibration, save_calibration
from rag.storage.following import KnowledgeFollower
from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import KEYS, S3Room, S3Server
from tests.support.shared_site import Machine, Site, open_site
from tests.support.waiting import until

pytestmark = pytest.mark.real


@pytest.fixture
def room(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Room]:
    monkeypatch.setattr(bucket, "_ANSWER_SECONDS", 0.4)
    yield s3_server.make_room()
    s3_server.heal()


@pytest.fixture
def site(postgres_server: PostgresServer, room: S3Room, tmp_path: Path) -> Iterator[Site]:
    with open_site(postgres_server, tmp_path, room) as site:
        yield site


def with_blob_url(machine: Machine, url: str) -> Machine:
    return replace(machine, settings=machine.settings.changed(blob_url=url))


@pytest.mark.parametrize("how", ["drop", "503 SlowDown"])
def test_a_bucket_that_goes_in_the_midst_of_a_publication_leaves_the_former_generation(
    site: Site, room: S3Room, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(sharing, "_PATIENCE_SECONDS", 1.0)
    site.here.ingest(site.manual)
    site.there.share.catch_up()
    before = site.there.texts()
    site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
    room.server.fail("PUT", how=how)
    with pytest.raises(BucketUnavailable):
        site.here.ingest(site.manual)
    assert not site.there.share.catch_up()
    assert site.here.texts() == site.there.texts() == before
    room.server.heal()
    site.here.ingest(site.manual)
    site.there.share.catch_up()
    assert site.there.texts() == site.here.texts() != before
    site.here.share.server.collect("default", former=False)
    head = site.here.share.server.head("default")
    assert head is not None and len(room.objects()) == len(head.digests), "what was sent in vain is gone"


def test_a_publication_waits_for_a_bucket_that_comes_back(site: Site, room: S3Room) -> None:
    room.server.fail(how="drop")
    healing = threading.Timer(1.5, room.server.heal)
    healing.start()
    site.here.ingest(site.manual)
    healing.join()
    assert site.there.share.catch_up()


@pytest.mark.parametrize(
    ("how", "said"),
    [("403 AccessDenied", "permission"), ("404 NoSuchBucket", "no such"), ("403 SignatureDoesNotMatch", "its secret")],
)
def test_what_does_not_heal_by_itself_is_told_at_once(
    site: Site, room: S3Room, caplog: pytest.LogCaptureFixture, how: str, said: str
) -> None:
    room.server.fail("PUT", how=how)
    with caplog.at_level(logging.DEBUG), pytest.raises(BucketRefused, match=said):
        site.here.ingest(site.manual)
    assert not any(secret in caplog.text for secret in KEYS.values())


def test_a_publication_succeeds_although_nothing_may_be_deleted(site: Site, room: S3Room) -> None:
    for number in range(4):
        room.server.fail("POST", how="403 AccessDenied")
        site.write("gifts.md", f"# Gifts\n\nWe wrap {number} gifts.")
        assert site.here.ingest(site.manual).published
    room.server.heal()
    pieces = len(room.objects())
    site.here.share.server.collect("default")
    assert len(room.objects()) < pieces


def test_a_desk_serves_on_while_the_bucket_is_away_and_follows_again(
    site: Site, room: S3Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_AFTER_SILENCE_SECONDS", 0.2)
    site.here.ingest(site.manual)
    follower = KnowledgeFollower.of(site.there.settings)
    assert follower is not None
    follower.start(10)
    with closing(follower):
        until(lambda: site.there.store.current_generation() == 1)
        room.server.fail("GET", how="drop")
        site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sharing, "_PATIENCE_SECONDS", 0.0)
            with pytest.raises(BucketUnavailable):
                site.here.ingest(site.manual)  # it asks what is there
        room.server.heal()
        fetching = threading.Event()
        take = bucket.Bucket.get

        def take_and_lose(self: bucket.Bucket, keys: list[str]) -> list[bytes]:
            if not fetching.is_set():
                room.server.fail("GET", how="drop")
                fetching.set()
            return take(self, keys)

        monkeypatch.setattr(bucket.Bucket, "get", take_and_lose)
        site.here.ingest(site.manual)
        until(lambda: isinstance(follower.problem("default"), BucketUnavailable))
        assert site.there.store.current_generation() == 1
        assert site.there.texts()["gifts.md"].endswith("We wrap gifts.")
        assert check(site.there.settings.knowledge_dir).findings == ()
        room.server.heal()
        until(lambda: site.there.store.current_generation() == 2)
        until(lambda: follower.problem("default") is None)
        assert site.there.texts() == site.here.texts()


def test_an_answer_that_is_cut_off_is_no_piece(site: Site, room: S3Room) -> None:
    site.here.ingest(site.manual)
    room.server.fail("GET", how="cut")
    with pytest.raises(BucketUnavailable):
        site.there.share.catch_up()
    room.server.fail("GET", how="cut", times=2)
    assert site.there.share.catch_up(), "asked again"
    assert site.there.texts() == site.here.texts()


def test_a_base_moves_from_rows_into_the_bucket_and_back(site: Site, room: S3Room) -> None:
    without_here, without_there = (with_blob_url(machine, "") for machine in (site.here, site.there))
    without_here.ingest(site.manual)
    assert site.there.share.catch_up(), "a desk with the setting reads what still lies in rows"
    rows = site.ask("SELECT count(*) FROM shared_piece")[0][0]
    save_calibration(site.here.settings.knowledge_dir, {"automatic": {"threshold": 0.5}})
    site.here.share.publish_file("calibration.json")
    assert site.there.share.catch_up()
    assert read_calibration(site.there.settings.knowledge_dir)["automatic"]["threshold"] == 0.5
    assert room.objects() == {}, "one revision lies in one place"

    site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
    site.here.ingest(site.manual)
    assert room.objects()
    assert site.ask("SELECT count(*) FROM shared_piece")[0][0] >= rows, "the revision before stays where it was"
    before = without_there.texts()
    with pytest.raises(PiecesElsewhere, match=room.bucket):
        without_there.share.catch_up()
    assert without_there.texts() == before
    assert site.there.share.catch_up()
    assert site.there.texts() == site.here.texts()
    site.write("gifts.md", "# Gifts\n\nWe wrap gifts again.")
    site.here.ingest(site.manual)
    assert site.ask("SELECT count(*) FROM shared_piece") == [(0,)], "the next collection deletes the rows"

    site.write("gifts.md", "# Gifts\n\nWe wrap a few.")
    site.there.share.catch_up()
    back = with_blob_url(site.there, "")
    back.ingest(site.manual)
    assert site.here.share.catch_up(), "a desk with the setting reads rows"
    assert site.here.texts() == back.texts()


def test_a_base_moves_to_another_bucket(site: Site, s3_server: S3Server) -> None:
    site.here.ingest(site.manual)
    there = with_blob_url(site.there, s3_server.make_room().url)
    with pytest.raises(PiecesElsewhere):
        there.share.catch_up()
    other = with_blob_url(site.here, there.settings.blob_url)
    site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
    other.ingest(site.manual)
    assert there.share.catch_up()
    assert there.texts() == other.texts()
