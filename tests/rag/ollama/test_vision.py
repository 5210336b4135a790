"""Which model is shown pictures, and that one which sees none is refused."""

from pathlib import Path

import pytest

from rag.errors import ModelMissing, NotAVisionModel, OllamaUnavailable
from rag.ollama.vision import checked_vision_model
from rag.settings import Settings
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub


def settings_for(url: str, model: str) -> Settings:
    return Settings(data_dir=Path("/nowhere"), ollama_host=url, vision_model=model)


@pytest.mark.slow
def test_a_model_that_sees_is_taken_by_its_full_name() -> None:
    with OllamaStub(models=["text:1b", "eye:latest"]) as stub:
        stub.details_of["eye:latest"] = {"capabilities": ["completion", "vision"]}
        assert checked_vision_model(settings_for(stub.url, "eye")) == "eye:latest"
        assert checked_vision_model(settings_for(stub.url, "")) == ""
        with pytest.raises(NotAVisionModel) as refused:
            checked_vision_model(settings_for(stub.url, "text:1b"))
        assert "text:1b" in refused.value.text("en")
        assert "text:1b" in refused.value.text("zh")
        with pytest.raises(ModelMissing, match="absent"):
            checked_vision_model(settings_for(stub.url, "absent"))


def test_no_server_no_model() -> None:
    with pytest.raises(OllamaUnavailable):
        checked_vision_model(settings_for(f"http://127.0.0.1:{free_port()}", "eye"))


@pytest.mark.slow
def test_of_several_hosts_each_that_has_the_model_is_asked() -> None:
    with OllamaStub(models=["eye"]) as one, OllamaStub(models=["eye"]) as other, OllamaStub(models=["text"]) as third:
        one.details_of["eye"] = other.details_of["eye"] = {"capabilities": ["completion", "vision"]}
        hosts = settings_for(f"{one.url},{other.url},{third.url}", "eye")
        assert checked_vision_model(hosts) == "eye"
        other.details_of["eye"] = {"capabilities": ["completion"]}
        with pytest.raises(NotAVisionModel):
            checked_vision_model(hosts)
