"""Objects in a bucket of a mock of S3, over real HTTP: many at once, and what goes wrong in words without a key."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from rag.errors import AnswerdeskError, BucketRefused, BucketUnavailable, StorageFull
from rag.storage import bucket as module
from rag.storage.bucket import AT_ONCE, Bucket
from tests.conftest import free_port
from tests.support.s3_server import KEYS, S3Room, S3Server, only_these_keys

pytestmark = pytest.mark.real


@pytest.fixture
def room(s3_server: S3Server) -> Iterator[S3Room]:
    yield s3_server.make_room()
    s3_server.heal()


@pytest.fixture
def bucket(room: S3Room) -> Bucket:
    return Bucket(room.url)


def test_objects_are_written_read_listed_and_deleted(bucket: Bucket, room: S3Room) -> None:
    written = {f"shop/{number}": bytes([number]) * number for number in range(20)}
    bucket.put(written)
    bucket.put({"shop/7": b"seven", "shopping/1": b"another folder"})
    assert room.objects()["desk/shop/7"] == b"seven"
    assert sorted(bucket.get(["shop/2", "shop/7", "shop/missing"])) == [b"\2\2", b"seven"]
    assert bucket.sizes("shop/") == {key: len(content) for key, content in written.items()} | {"shop/7": 5}
    bucket.delete([f"shop/{number}" for number in range(19)] + ["shop/missing"])
    assert set(room.objects()) == {"desk/shop/19", "desk/shopping/1"}
    bucket.put({})
    bucket.delete([])
    assert bucket.get([]) == []


def test_a_listing_of_several_pages_is_read_to_its_end(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put({f"shop/{number}": b"x" for number in range(7)})
    client = _ThreeAPage(bucket._client())
    monkeypatch.setattr(bucket, "_client", lambda: client)
    assert len(bucket.sizes("shop/")) == 7


class _ThreeAPage:
    def __init__(self, client: object) -> None:
        self._client = client

    def list_objects_v2(self, **asked: object) -> object:
        return self._client.list_objects_v2(**asked, MaxKeys=3)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ("403 InvalidAccessKeyId", BucketRefused, "key"),
        ("403 SignatureDoesNotMatch", BucketRefused, "key"),
        ("400 ExpiredToken", BucketRefused, "key"),
        ("403 RequestTimeTooSkewed", BucketRefused, "clock"),
        ("403 AccessDenied", BucketRefused, "permission"),
        ("404 NoSuchBucket", BucketRefused, "missing"),
        ("400 AuthorizationHeaderMalformed", BucketRefused, "region"),
        ("301 PermanentRedirect", BucketRefused, "region"),
        ("400 Strange", BucketRefused, "other"),
        ("507 XMinioStorageFull", StorageFull, None),
        ("503 SlowDown", BucketUnavailable, "busy"),
        ("500 ", BucketUnavailable, "busy"),
        ("drop", BucketUnavailable, "lost"),
    ],
)
def test_what_goes_wrong_is_one_sentence_without_a_key(
    bucket: Bucket,
    room: S3Room,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
    kind: type[AnswerdeskError],
    reason: str | None,
) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.3)
    bucket.put({"shop/1": b"1"})
    room.server.fail(how=how)
    for work in (
        lambda: bucket.put({"shop/2": b"2"}),
        lambda: bucket.get(["shop/1"]),
        lambda: bucket.sizes("shop/"),
        lambda: bucket.delete(["shop/1"]),
    ):
        with caplog.at_level(logging.DEBUG), pytest.raises(kind) as told:
            work()
        assert told.value.details.get("reason") == reason
        assert told.value.exit_code == 3
        for language in ("en", "zh"):
            sentence = told.value.text(language)
            assert room.bucket in sentence and "{" not in sentence
            assert not any(key in sentence for key in KEYS.values())
    for key in (*KEYS.values(), "Signature="):
        assert key not in caplog.text


def test_a_bucket_that_is_busy_or_lost_for_a_moment_is_asked_again(bucket: Bucket, room: S3Room) -> None:
    bucket.put({"shop/1": b"1"})
    for how in ("503 SlowDown", "drop", "cut"):
        room.server.fail("GET", how=how, times=2)
        assert bucket.get(["shop/1"]) == [b"1"]


def test_nothing_there_no_key_and_no_such_bucket(room: S3Room, s3_server: S3Server) -> None:
    with pytest.raises(BucketUnavailable) as away:
        Bucket(f"s3://pieces?endpoint=http://127.0.0.1:{free_port()}").sizes("")
    assert away.value.details["reason"] == "away"
    with pytest.raises(BucketRefused) as missing:
        Bucket(f"s3://never-made?endpoint={room.endpoint}").put({"shop/1": b"1"})
    assert missing.value.details["reason"] == "missing"
    with only_these_keys({}), pytest.raises(BucketRefused) as no_key:
        Bucket(room.url).sizes("")
    assert no_key.value.details["reason"] == "no_key"
    with pytest.raises(BucketRefused, match="certificate"), socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        Bucket(f"s3://pieces?endpoint=https://127.0.0.1:{server.getsockname()[1]}").sizes("")


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"no TLS here\n" * 100)
        connection.recv(10_000)


def test_a_bucket_that_stands_still_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch, s3_server: S3Server) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        bucket = Bucket(f"s3://pieces?endpoint=http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(BucketUnavailable) as silent:
            bucket.get([f"shop/{number}" for number in range(100)])
        assert silent.value.details["reason"] == "silent"
        assert _connections(server) <= AT_ONCE, "the first eight have waited, and no others"


def _connections(server: socket.socket) -> int:
    """Return how many connections were made to a server that never took one."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_eight_requests_travel_at_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    together, most, lock = 0, 0, threading.Lock()

    def slowly(_: str) -> bytes:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.02)
        with lock:
            together -= 1
        return b""

    monkeypatch.setattr(bucket, "_content", slowly)
    assert len(bucket.get([str(number) for number in range(40)])) == 40
    assert most == AT_ONCE
