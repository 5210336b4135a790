"""An OIDC provider on this machine: discovery, keys and tokens; the test plays the browser's visit to it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "the desk"


class Provider:
    """It vouches for ``claims``; ``is_away`` lets it answer everything with 503."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.claims: dict[str, object] = {}
        self.is_away = False
        self._nonce = ""
        self._key = _key()

    def visit(self, location: str) -> dict[str, str]:
        """Return the query of the reply to a person who was led to ``location`` and signs in there."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        self._nonce = query["nonce"]
        return {"code": "a code", "state": query["state"]}

    def answer(self, path: str) -> object:
        """Return the document at a path."""
        if path == "/keys":
            return {"keys": [self._key.as_dict(private=False)]}
        if path == "/token":
            return {"access_token": "opaque", "token_type": "Bearer", "id_token": self._id_token()}
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _id_token(self) -> str:
        now = int(time.time())
        said = {"iss": self.address, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": self._nonce}
        return jwt.encode({"alg": "RS256", "kid": "one"}, said | self.claims, self._key)


@cache
def _key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


@contextmanager
def serving() -> Iterator[Provider]:
    """Serve a provider on a free port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(provider.answer(urlsplit(self.path).path)).encode()
            self.send_response(503 if provider.is_away else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
