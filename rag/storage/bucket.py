"""Keeps objects in an S3 bucket (Amazon's, MinIO, Ceph, SeaweedFS).  The only module that knows boto3.

    s3://BUCKET/PREFIX?endpoint=https://minio.example:9000&region=eu-central-1

The address names no key: keys, profiles and roles are what boto3 finds in the environment (``AWS_ACCESS_KEY_ID``,
``AWS_PROFILE``, a machine's role), and so are the endpoint and the region where the address leaves them out.  Errors
quote the bucket's own code and nothing that was sent or received, so no key and no signature gets into them.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from rag.errors import AnswerdeskError, BucketRefused, BucketUnavailable, StorageFull

AT_ONCE = 8
"""Requests that are on their way together: of pieces of 16 KB, a round trip takes most of the time."""

_CONNECT_SECONDS = 3
_ANSWER_SECONDS = 6
"""How long a connection and each part of an answer may take, as with the database server: nobody waits ten seconds."""
_AGAIN_SECONDS = 0.1
"""After so long a request is made again that the bucket was too busy for, then after twice as long, for as long as an
answer may take."""
_DELETED_AT_ONCE = 1000  # as many as S3 takes
_MOST_BYTES = 8 << 20  # no piece is as large: what is longer is no piece

_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_FULL = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "507"}
_BUSY = {"SlowDown", "RequestTimeout", "429"}
_LOST = (ConnectionClosedError, IncompleteReadError, ResponseStreamingError, ResponseParserError)
_NO_KEY = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Bucket:
    """The objects below one prefix of a bucket; keys are relative to it.  Safe from many threads.

    Making one asks nobody.  Methods raise ``BucketUnavailable`` where nothing answers (in time) or the bucket is too
    busy, ``BucketRefused`` where it does not do this with these keys, and ``StorageFull``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._options = dict(parse_qsl(parts.query))
        self._bucket = parts.netloc
        self._prefix = f"{path}/" if (path := parts.path.strip("/")) else ""
        self._made: Any = None
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """The name of the place in a ``Head``; desks may reach it by different endpoints.

        >>> Bucket("s3://pieces/desk/?endpoint=http://127.0.0.1:9000").place
        's3://pieces/desk'
        """
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def public_name(self) -> str:
        """The public name: bucket, prefix and, if the address has one, the endpoint's host.

        >>> Bucket("s3://pieces/desk?endpoint=http://127.0.0.1:9000").public_name
        's3://pieces/desk (127.0.0.1:9000)'
        """
        endpoint = urlsplit(self._options.get("endpoint", "")).netloc
        return f"{self.place} ({endpoint})" if endpoint else self.place

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Write objects, several at once; those that exist are replaced."""
        self._map(
            lambda key: self._client().put_object(**self._object_arguments(key), Body=objects[key]), list(objects)
        )

    def get(self, keys: Sequence[str]) -> list[bytes]:
        """Return the contents of the objects that exist, in any order, several requests at once."""
        return [content for content in self._map(self._content, keys) if content is not None]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are ignored."""
        batches = [keys[begin : begin + _DELETED_AT_ONCE] for begin in range(0, len(keys), _DELETED_AT_ONCE)]
        self._map(self._delete, batches)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes in bytes of all objects whose key begins with ``folder``, by their keys."""
        return {
            str(found["Key"]).removeprefix(self._prefix): int(found["Size"])
            for page in self._pages(folder)
            for found in page.get("Contents", ())
        }

    def _pages(self, folder: str) -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            asked = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{folder}", **more}
            page = self._request(lambda asked=asked: self._client().list_objects_v2(**asked))  # type: ignore[misc]
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _content(self, key: str) -> bytes | None:
        try:
            answer = self._client().get_object(**self._object_arguments(key))
        except ClientError as error:
            if _code(error) in ("NoSuchKey", "404"):
                return None
            raise
        with answer["Body"] as body:
            content = bytes(body.read(_MOST_BYTES))
        if len(content) < min(answer["ContentLength"], _MOST_BYTES):
            raise IncompleteReadError(actual_bytes=len(content), expected_bytes=answer["ContentLength"])
        return content

    def _delete(self, keys: Sequence[str]) -> None:
        objects = [{"Key": f"{self._prefix}{key}"} for key in keys]
        answer = self._client().delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
        for failed in answer.get("Errors", ()):
            raise self._refusal(str(failed.get("Code", "")))

    def _object_arguments(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{key}"}

    def _map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Call ``work`` for each item, several at once; after the first failure none is begun."""
        failed = threading.Event()

        def work_once(item: Item) -> Result | None:
            if failed.is_set():
                return None  # nobody looks at it
            try:
                return self._request(lambda: work(item))
            except BaseException:
                failed.set()
                raise

        if not items:
            return []
        with ThreadPoolExecutor(min(AT_ONCE, len(items)), thread_name_prefix="bucket") as pool:
            futures = [pool.submit(work_once, item) for item in items]
        return [future.result() for future in futures]  # type: ignore[misc]  # None only beside one that raises

    def _request(self, request: Callable[[], Result]) -> Result:
        """Make a request, with retries for some seconds while the bucket is busy or a connection was lost."""
        wait, ends = _AGAIN_SECONDS, time.monotonic() + _ANSWER_SECONDS
        while True:
            try:
                with self._errors():
                    return request()
            except BucketUnavailable as error:
                if error.details["reason"] not in ("busy", "lost") or time.monotonic() + wait > ends:
                    raise
            time.sleep(wait)
            wait *= 2

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate boto3's errors without their messages, which may quote a request."""
        try:
            yield
        except ClientError as error:
            raise self._translate_error(error) from None
        except SSLError:
            raise BucketRefused(bucket=self.public_name, reason="certificate", code="") from None
        except ConnectionError:
            raise BucketUnavailable(bucket=self.public_name, reason="away") from None
        except ReadTimeoutError:
            raise BucketUnavailable(bucket=self.public_name, reason="silent") from None
        except _LOST:
            raise BucketUnavailable(bucket=self.public_name, reason="lost") from None
        except _NO_KEY:
            raise BucketRefused(bucket=self.public_name, reason="no_key", code="") from None
        except HTTPClientError:
            raise BucketUnavailable(bucket=self.public_name, reason="away") from None
        except RecursionError:  # botocore asks a server that redirects everything, as to https, for its region, again
            raise self._refusal("301") from None
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint of the environment that is none
            raise BucketRefused(bucket=self.public_name, reason="other", code=type(error).__name__) from None

    def _translate_error(self, error: ClientError) -> AnswerdeskError:
        code, status = _code(error), int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _FULL or status == 507:
            return StorageFull(folder=self.public_name)
        if code in _BUSY or status == 429 or status >= 500:
            return BucketUnavailable(bucket=self.public_name, reason="busy")
        return self._refusal(code, status)

    def _refusal(self, code: str, status: int = 0) -> BucketRefused:
        reason = (
            "key" if code in _KEY
            else "clock" if code == "RequestTimeTooSkewed"
            else "region" if code in _REGION or status == 301
            else "missing" if code in ("NoSuchBucket", "404")
            else "permission" if code in ("AccessDenied", "403") or status == 403
            else "other"
        )  # fmt: skip
        return BucketRefused(bucket=self.public_name, reason=reason, code=code)

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes while it runs
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:  # noqa: ANN401
        for name in ("boto3", "botocore", "s3transfer"):
            logging.getLogger(name).setLevel(logging.WARNING)  # below it, they write signatures and session tokens
        endpoint = self._options.get("endpoint")
        return boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=self._options.get("region"),
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
                max_pool_connections=AT_ONCE,
                retries={"mode": "standard", "total_max_attempts": 1},  # ``_request`` knows how long one may wait
                # MinIO and Ceph of some years ago know no other; each piece is compared with its SHA-256 anyway
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"} if endpoint else None,
            ),
        )


def _code(error: ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if code.isalnum() and code.isascii() else "?"


@lru_cache(maxsize=64)
def bucket_of(url: str) -> Bucket:
    """Return this process's connections to a bucket."""
    return Bucket(url)
