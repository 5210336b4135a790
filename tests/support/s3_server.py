"""A mock of S3 (moto's) that is reached over real HTTP on 127.0.0.1, in a process of its own, and can be told to fail.

It keeps objects in memory and looks at no signature: what it proves is the wire and our side of it, not Amazon's.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAOFTHETESTS", "AWS_SECRET_ACCESS_KEY": "s3cretOfTheTests/+1234567890"}
_NOTHING_ELSE = {
    "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}  # fmt: skip
_OF_THIS_MACHINE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION",
                    "AWS_DEFAULT_REGION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")  # fmt: skip


@contextmanager
def only_these_keys(keys: dict[str, str] = KEYS) -> Iterator[None]:
    """Let boto3 find these keys in the environment, and nothing else that a machine may have."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*_OF_THIS_MACHINE, *KEYS):
            patch.delenv(name, raising=False)
        for name, value in (_NOTHING_ELSE | keys).items():
            patch.setenv(name, value)
        yield


class S3Server:
    """The mock, on a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.s3_server", str(port)],
            cwd=_ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read()

    def fail(self, method: str = "", *, how: str, times: int = -1) -> None:
        """Let requests of a method, empty: of any, fail from now on, or so many ``times``.

        ``how``: ``drop`` the connection, ``cut`` the answer, or be an error, ``STATUS CODE``.
        """
        self._say({"method": method, "how": how, "times": times})

    def heal(self) -> None:
        """Fail no more."""
        self._say({})

    def make_room(self) -> "S3Room":
        """Make a bucket of its own."""
        room = S3Room(f"pieces-{secrets.token_hex(6)}", self.endpoint, self)
        room.client().create_bucket(Bucket=room.bucket, CreateBucketConfiguration={"LocationConstraint": _REGION})
        return room

    def close(self) -> None:
        """End it; what it held is gone."""
        self._process.communicate()

    def _say(self, fault: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fault) + "\n")
        self._process.stdin.flush()
        self._read()

    def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the mock of S3 does not answer"


@dataclass(frozen=True)
class S3Room:
    """A bucket of the mock, looked at and changed behind the product's back."""

    bucket: str
    endpoint: str
    server: S3Server

    @property
    def url(self) -> str:
        """The address by which a desk puts its pieces below ``desk/``."""
        return f"s3://{self.bucket}/desk?endpoint={self.endpoint}&region={_REGION}"

    def client(self) -> Any:
        import boto3.session

        return boto3.session.Session().client("s3", endpoint_url=self.endpoint, region_name=_REGION)

    def objects(self) -> dict[str, bytes]:
        """Return all objects."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {key: client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def change(self, changed: Callable[[bytes], bytes | None]) -> None:
        """Let every object have another content; None: it is gone."""
        client = self.client()
        for key, content in self.objects().items():
            new = changed(content)
            if new is None:
                client.delete_object(Bucket=self.bucket, Key=key)
            else:
                client.put_object(Bucket=self.bucket, Key=key, Body=new)


class _Failing:
    """Stands before the mock and fails as it was told."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self.fault: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        how = self._how(environ["REQUEST_METHOD"])
        if not how:
            return self._application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if how == "cut":
            start_response("200 OK", [("Content-Length", "1000"), ("Content-Type", "binary/octet-stream")])
            return [b"cut"]
        if how == "drop":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return [b""]
        status, _, code = how.partition(" ")
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{KEYS['AWS_ACCESS_KEY_ID']}</Message></Error>"
        start_response(f"{status} {code}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body.encode()]

    def _how(self, method: str) -> str:
        with self._lock:
            fault = self.fault
            if not fault or fault["method"] not in ("", method) or fault["times"] == 0:
                return ""
            fault["times"] -= 1
            return str(fault["how"])


def main(port: int) -> None:
    """Serve until standard input ends; each line there is what fails from now on."""
    import logging

    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    failing = _Failing(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", port, failing, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        failing.fault = json.loads(line)
        print("ready", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
