"""Chat formats and tokenizers of model files; ``test_tuning_real.py`` compares both with Ollama's."""

from pathlib import Path

import pytest

from eval.train.chat import ChatStyle, ChatText, ModelTokenizer
from rag.errors import ModelUnfit
from rag.ollama.gguf import read_header, read_list
from rag.ollama.templates import FORMATS
from rag.protocols import Message
from tests.support.small_models import TUNABLE_LETTERS, write_tunable_model

ASKED = [Message("system", "S"), Message("user", "Q")]


def test_a_reply_is_opened_as_the_template_opens_it() -> None:
    chatml, thinking, r1 = (ChatStyle.of("m", FORMATS[name].template) for name in ("chatml", "chatml-think", "r1"))
    turns = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"
    assert chatml.prompt(ASKED) == turns
    assert thinking.prompt(ASKED) == f"{turns}<think>\n\n</think>\n\n"
    assert thinking.prompt([*ASKED, Message("assistant", "")]) == turns
    assert r1.prompt(ASKED) == "S<｜User｜>Q<｜Assistant｜><think>\n\n</think>\n\n"
    assert (chatml.end, r1.end) == ("<|im_end|>", "<｜end▁of▁sentence｜>")


def test_another_format_is_refused() -> None:
    with pytest.raises(ModelUnfit, match="neither ChatML nor DeepSeek"):
        ChatStyle.of("m", "[INST] {{ .Prompt }} [/INST]")


def test_the_vocabulary_is_read_at_its_full_length(tmp_path: Path) -> None:
    header = read_header(write_tunable_model(tmp_path / "m.gguf"))
    assert read_list(header, "tokenizer.ggml.tokens")[: len(TUNABLE_LETTERS)] == TUNABLE_LETTERS
    assert read_list(header, "tokenizer.ggml.token_type")[-1] == 3
    assert read_list(header, "nothing.of.the.kind") == []


def test_marks_are_single_tokens_and_pairs_are_merged(tmp_path: Path) -> None:
    tokenizer = ModelTokenizer.of(read_header(write_tunable_model(tmp_path / "m.gguf")))
    prompt, reply = tokenizer.training(ChatText("<|im_start|>the th", "é7", "<|im_end|>"))
    th = len(TUNABLE_LETTERS)
    assert prompt == [th + 3, th, TUNABLE_LETTERS.index("e"), th + 1]
    assert len(reply) == 4 and reply[-1] == th + 4  # é is two bytes
    assert tokenizer.tokenizer.decode(reply, skip_special_tokens=True) == "é7"


def test_llamas_prompts_begin_with_a_mark(tmp_path: Path) -> None:
    tokenizer = ModelTokenizer.of(read_header(write_tunable_model(tmp_path / "m.gguf", "llama")))
    assert tokenizer.beginning == (len(TUNABLE_LETTERS) + 2,)
    assert tokenizer.training(ChatText("a", "b", ""))[0] == [tokenizer.beginning[0], TUNABLE_LETTERS.index("a")]


def test_an_unknown_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="tokenizer"):
        ModelTokenizer.of(read_header(write_tunable_model(tmp_path / "m.gguf", pre="tekken")))
