"""What Ollama answers, and what is said when it answers badly."""

import socket
import threading
from pathlib import Path

import pytest

from rag.errors import NotOllama, OllamaRefused, OllamaSilent, OllamaUnavailable
from rag.ollama.client import InstalledModel, LoadedModel, ModelRecipe, OllamaClient, Progress
from tests.conftest import free_port
from tests.ollama_stub import CUT, SILENCE, OllamaStub


def test_version_models_and_loaded() -> None:
    with OllamaStub(models=["deepseek-r1:1.5b"]) as stub:
        stub.answers["/api/ps"] = lambda _: (
            200,
            [
                {
                    "models": [
                        {
                            "name": "m",
                            "size": 500,
                            "size_vram": 300,
                            "context_length": 4096,
                            "expires_at": "2026-01-01T00:00:00Z",
                        }
                    ]
                }
            ],
        )
        client = OllamaClient(stub.url + "/")
        assert client.version() == "0.0.0-stub"
        assert client.models() == [InstalledModel("deepseek-r1:1.5b", 1_000_000, "0.5B", "Q4_K_M")]
        assert client.loaded() == [
            LoadedModel("m", memory_bytes=500, gpu_bytes=300, context_tokens=4096, expires_at="2026-01-01T00:00:00Z")
        ]


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(OllamaUnavailable) as error:
        OllamaClient(url).models()
    assert error.value.details == {"host": url}


def test_who_takes_a_connection_and_hangs_up_is_somebody_who_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            connection, _ = listening.accept()
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(OllamaSilent):
            OllamaClient(f"http://127.0.0.1:{listening.getsockname()[1]}").version()


@pytest.mark.parametrize("answer", [{"hello": "world"}, ["version"], "version", 3, None])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_another_program_on_the_port_is_no_ollama(answer: object, status: int) -> None:
    with OllamaStub() as stub:
        for path in ("/api/version", "/api/tags", "/api/ps"):
            stub.answers[path] = lambda _: (status, [answer])  # type: ignore[list-item] # deliberately wrong
        client = OllamaClient(stub.url)
        for ask in (client.version, client.models, client.loaded):
            with pytest.raises(NotOllama) as told:
                ask()
            assert told.value.details == {"host": stub.url}


@pytest.mark.parametrize("rows", ["text", [3], [{"size": 1}], [{"name": "m", "size": "large"}]])
def test_a_list_that_is_not_ollamas_is_another_programs(rows: object) -> None:
    with OllamaStub() as stub:
        stub.answers["/api/tags"] = stub.answers["/api/ps"] = lambda _: (200, [{"models": rows}])
        for ask in (OllamaClient(stub.url).models, OllamaClient(stub.url).loaded):
            with pytest.raises(NotOllama):
                ask()


def test_a_program_that_does_not_speak_http_is_no_ollama() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        greeting = threading.Thread(target=greet)
        greeting.start()
        with pytest.raises(NotOllama):
            OllamaClient(f"http://127.0.0.1:{listening.getsockname()[1]}").version()
        greeting.join()


def test_a_refusal_keeps_ollamas_words() -> None:
    with OllamaStub() as stub:
        stub.answers["/api/tags"] = lambda _: (500, [{"error": "out of memory"}])
        with pytest.raises(OllamaRefused, match="out of memory") as error:
            OllamaClient(stub.url).models()
        assert error.value.details["status"] == 500


def test_pull_tells_its_progress() -> None:
    with OllamaStub() as stub:
        stub.answers["/api/pull"] = lambda _: (
            200,
            [
                {"status": "pulling manifest"},
                {"status": "pulling ab", "total": 10, "completed": 4},
                {"status": "success"},
            ],
        )
        assert list(OllamaClient(stub.url).pull("deepseek-r1:1.5b", silence_seconds=5)) == [
            Progress("pulling manifest", 0, 0),
            Progress("pulling ab", 4, 10),
            Progress("success", 0, 0),
        ]
        assert stub.requests == [("/api/pull", {"model": "deepseek-r1:1.5b"})]


def test_a_pull_that_fails_on_the_way_is_a_refusal() -> None:
    with OllamaStub() as stub:
        stub.answers["/api/pull"] = lambda _: (200, [{"status": "pulling manifest"}, {"error": "no such host"}])
        rows = OllamaClient(stub.url).pull("m", silence_seconds=5)
        assert next(rows).status == "pulling manifest"
        with pytest.raises(OllamaRefused, match="no such host"):
            next(rows)


@pytest.mark.slow
def test_a_pull_that_falls_silent_is_given_up() -> None:
    with OllamaStub() as stub:
        stub.answers["/api/pull"] = lambda _: (200, [{"status": "pulling manifest"}, SILENCE])
        rows = OllamaClient(stub.url).pull("m", silence_seconds=0.2)
        assert next(rows).status == "pulling manifest"
        with pytest.raises(OllamaUnavailable):
            next(rows)


def test_a_broken_connection_ends_a_pull_without_success() -> None:
    with OllamaStub() as stub:
        stub.answers["/api/pull"] = lambda _: (200, [{"status": "pulling manifest"}, CUT])
        assert [row.status for row in OllamaClient(stub.url).pull("m", silence_seconds=5)] == ["pulling manifest"]


def test_create_from_a_blob(tmp_path: Path) -> None:
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF" * 1000)
    with OllamaStub() as stub:
        client = OllamaClient(stub.url)
        assert not client.has_blob("ab12")
        client.upload_blob(weights, "ab12")
        assert stub.blobs == {"ab12": b"GGUF" * 1000}
        assert client.has_blob("ab12")
        client.create(
            ModelRecipe(
                "stand-in:0.5b", "w.gguf", "ab12", "{{ .Prompt }}", ("<|im_end|>",), {"temperature": 0.6}, "MIT"
            )
        )
        assert stub.models == ["stand-in:0.5b"]
        assert stub.requests[-1] == (
            "/api/create",
            {
                "model": "stand-in:0.5b",
                "files": {"w.gguf": "sha256:ab12"},
                "template": "{{ .Prompt }}",
                "license": "MIT",
                "parameters": {"stop": ["<|im_end|>"], "temperature": 0.6},
            },
        )
