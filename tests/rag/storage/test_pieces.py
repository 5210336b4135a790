"""Pieces in rows of a real PostgreSQL server and in a bucket (a mock of S3): one contract; no order makes a hole."""

import random
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import pytest

from rag.errors import BucketUnavailable, IngestRunning
from rag.settings import ServerDatabase
from rag.storage import bucket as bucket_module
from rag.storage.bucket import Bucket
from rag.storage.postgres import pool_of
from rag.storage.shared_pieces import Head, SharedFile, SharedKnowledge, new_token
from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import S3Room, S3Server

pytestmark = pytest.mark.real


def name_of(piece: bytes) -> str:
    return sha256(piece).hexdigest()


def head_of(*pieces: bytes, place: str) -> Head:
    file = SharedFile(sum(map(len, pieces)), 1, tuple(map(name_of, pieces)))
    return Head(new_token(), 1, 1, {"knowledge.db": file}, "", "public", "pid 1", place)


@pytest.fixture
def room(s3_server: S3Server) -> Iterator[S3Room]:
    yield s3_server.make_room()
    s3_server.heal()


@pytest.fixture(params=["rows", "bucket"])
def shared(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[SharedKnowledge]:
    blob_url = request.getfixturevalue("room").url if request.param == "bucket" else ""
    place = ServerDatabase("knowledge", postgres_server.make_room(), blob_url)
    yield SharedKnowledge(place)
    pool_of(place.url).close()


@pytest.fixture
def in_bucket(postgres_server: PostgresServer, room: S3Room) -> Iterator[SharedKnowledge]:
    place = ServerDatabase("knowledge", postgres_server.make_room(), room.url)
    yield SharedKnowledge(place)
    pool_of(place.url).close()


def publish(shared: SharedKnowledge, name: str, head: Head, pieces: Sequence[bytes], before: str) -> None:
    """Do as a publication does: put what is lacking, and move; again where somebody collected meanwhile."""
    while True:
        missing = shared.own.missing(name, [name_of(piece) for piece in pieces])
        shared.own.put(name, [piece for piece in pieces if name_of(piece) in missing])
        if shared.move(name, head, before):
            return


def test_pieces_are_put_once_taken_whole_and_collected(shared: SharedKnowledge) -> None:
    store, pieces = shared.own, [b"one", b"two", b"three"]
    names = [name_of(piece) for piece in pieces]
    assert store.missing("shop", names) == set(names)
    store.put("shop", pieces[:2])
    store.put("shop", pieces[:2])
    assert store.missing("shop", names) == {names[2]}
    assert store.missing("other", names) == set(names), "each knowledge base has its own"
    assert store.take("shop", names) == dict(zip(names[:2], pieces[:2], strict=True))
    head = head_of(*pieces, place=store.place)
    assert not shared.move("shop", head, ""), "one of them is not there"
    assert shared.head("shop") is None
    store.put("shop", pieces[2:])
    assert shared.move("shop", head, "") and shared.move("shop", head, "")
    with pytest.raises(IngestRunning):
        shared.move("shop", head_of(b"one", place=store.place), "")
    assert shared.head("shop") == head
    shared.collect("shop")  # in a bucket, the objects that were replaced
    assert (shared.collect("shop"), store.missing("shop", names)) == (0, set())
    assert shared.move("shop", head_of(b"one", place=store.place), head.token)
    assert shared.collect("shop") == 0, "a desk may be fetching the revision before"
    assert shared.collect("shop", former=False) == 2
    assert store.missing("shop", names) == set(names[1:])
    shared.delete("shop")
    assert store.missing("shop", names) == set(names)


def test_a_small_file_is_replaced_where_the_others_lie(shared: SharedKnowledge) -> None:
    assert shared.replace_file("shop", "calibration.json", b"{}", "pid 2") == "", "nobody shares it"
    publish(shared, "shop", head_of(b"one", place=shared.own.place), [b"one"], "")
    for content in (b"{}", b"[]", b"{}"):
        token = shared.replace_file("shop", "calibration.json", content, "pid 2")
        head = shared.head("shop")
        assert head is not None and (head.token, head.place) == (token, shared.own.place)
        digest = name_of(content)
        assert head.files["calibration.json"].pieces == (digest,)
        assert shared.own.take("shop", [digest]) == {digest: content}
    shared.collect("shop", former=False)
    assert shared.own.missing("shop", head.digests) == set()


def test_a_collection_takes_no_piece_that_a_publication_found_there(
    in_bucket: SharedKnowledge, room: S3Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publication finds the piece there, the collection dooms it, the pointer moves, the deletion arrives late."""
    store, piece, delete = in_bucket.own, b"relied upon", Bucket.delete
    store.put("shop", [piece])
    assert store.missing("shop", [name_of(piece)]) == set()
    head = head_of(piece, place=store.place)

    def delete_late(bucket: Bucket, keys: Sequence[str]) -> None:
        monkeypatch.setattr(Bucket, "delete", delete)
        assert not in_bucket.move("shop", head, ""), "the doomed piece is not there any more"
        publish(in_bucket, "shop", head, [piece], "")
        delete(bucket, keys)

    monkeypatch.setattr(Bucket, "delete", delete_late)
    assert in_bucket.collect("shop") == 1
    assert store.take("shop", [name_of(piece)]) == {name_of(piece): piece}
    assert list(room.objects().values()) == [piece]


def test_a_collection_after_the_pointer_moved_spares_its_pieces(in_bucket: SharedKnowledge, room: S3Room) -> None:
    in_bucket.own.put("shop", [b"one", b"in vain"])
    assert in_bucket.move("shop", head_of(b"one", place=in_bucket.own.place), "")
    assert in_bucket.collect("shop") == 1
    assert list(room.objects().values()) == [b"one"]


def test_pieces_that_are_collected_while_they_are_sent_leave_nothing(
    in_bucket: SharedKnowledge, room: S3Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put

    def put_late(bucket: Bucket, objects: Mapping[str, bytes]) -> None:
        in_bucket.collect("shop")
        put(bucket, objects)

    monkeypatch.setattr(Bucket, "put", put_late)
    in_bucket.own.put("shop", [b"one"])
    assert in_bucket.own.missing("shop", [name_of(b"one")]) == {name_of(b"one")}, "so it is sent again"
    assert room.objects() == {}


def test_what_a_publication_or_a_collection_left_is_deleted_by_the_next_collection(
    in_bucket: SharedKnowledge, room: S3Room
) -> None:
    room.client().put_object(Bucket=room.bucket, Key="desk/shop/of-somebody-else", Body=b"stays")
    publish(in_bucket, "shop", head_of(b"one", place=in_bucket.own.place), [b"one"], "")
    room.server.fail("PUT", how="403 AccessDenied", times=1)
    with pytest.raises(Exception, match="AccessDenied"):
        in_bucket.own.put("shop", [bytes([number]) for number in range(30)])
    room.server.fail("POST", how="403 AccessDenied")  # that is how S3 deletes several
    with pytest.raises(Exception, match="AccessDenied"):
        in_bucket.collect("shop")
    room.server.heal()
    assert in_bucket.collect("shop") == 30
    assert sorted(room.objects().values()) == [b"one", b"stays"]
    assert in_bucket.collect("shop") == 0


def test_what_somebody_deleted_or_cut_off_in_the_bucket_is_sent_again(in_bucket: SharedKnowledge, room: S3Room) -> None:
    publish(in_bucket, "shop", head_of(b"one", b"two", place=in_bucket.own.place), [b"one", b"two"], "")
    for change in (lambda _: None, lambda content: content[:-1]):
        room.change(change)
        names = {name_of(b"one"), name_of(b"two")}
        assert in_bucket.own.take("shop", sorted(names)).keys().isdisjoint(names)
        assert in_bucket.own.missing("shop", names) == names
        in_bucket.own.put("shop", [b"one", b"two"])
        in_bucket.collect("shop")
        assert in_bucket.own.take("shop", sorted(names)).keys() == names
        assert len(room.objects()) == 2


@pytest.mark.parametrize("rounds", [8, pytest.param(100, marks=pytest.mark.nightly)])
def test_no_hole_whatever_comes_between_the_steps(
    in_bucket: SharedKnowledge, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    """Collections come while a publication sends, and a publication while a collection deletes; pieces are few."""
    draw, put, delete = random.Random(7), Bucket.put, Bucket.delete
    serving: list[Head] = []
    publishing = False

    def publish_some() -> None:
        nonlocal publishing
        publishing = True
        pieces = [bytes([number]) * 100 for number in draw.sample(range(8), 4)]
        before = serving[-1].token if serving else ""
        serving.append(head_of(*pieces, place=in_bucket.own.place))
        publish(in_bucket, "shop", serving[-1], pieces, before)
        publishing = False

    def sometimes_collect() -> None:
        if draw.random() < 0.5:
            in_bucket.collect("shop", former=draw.random() < 0.5)

    def put_among_others(bucket: Bucket, objects: Mapping[str, bytes]) -> None:
        sometimes_collect()
        put(bucket, objects)
        sometimes_collect()

    def delete_among_others(bucket: Bucket, keys: Sequence[str]) -> None:
        if not publishing and draw.random() < 0.5:
            publish_some()
        delete(bucket, keys)

    monkeypatch.setattr(Bucket, "put", put_among_others)
    monkeypatch.setattr(Bucket, "delete", delete_among_others)
    for _ in range(rounds):
        publish_some()
        in_bucket.collect("shop", former=False)
        assert in_bucket.own.take("shop", sorted(serving[-1].digests)).keys() == serving[-1].digests


def test_a_bucket_that_is_away_is_told_by_each_method(
    in_bucket: SharedKnowledge, room: S3Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "_ANSWER_SECONDS", 0.4)
    publish(in_bucket, "shop", head_of(b"one", place=in_bucket.own.place), [b"one"], "")
    in_bucket.own.put("shop", [b"doomed"])
    room.server.fail(how="drop")
    for work in (
        lambda: in_bucket.own.put("shop", [b"two"]),
        lambda: in_bucket.own.take("shop", [name_of(b"one")]),
        lambda: in_bucket.own.missing("shop", [name_of(b"one")]),
        lambda: in_bucket.collect("shop"),
    ):
        with pytest.raises(BucketUnavailable):
            work()
