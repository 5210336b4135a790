"""Writes multilingual-e5-small as a folder for sentence-transformers and transformers."""

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.numpy import save_file

from rag.protocols import FloatMatrix
from rag.retrieval.model_folders import MAX_TOKENS, WEIGHTS
from rag.setup.packed_weights import ModelShape

E5_SMALL_SHAPE = ModelShape(
    hidden_size=384,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=1536,
    vocab_size=250037,
    max_position_embeddings=512,
    type_vocab_size=2,
    layer_norm_eps=1e-12,
)


def write_weights(folder: Path, tensors: dict[str, FloatMatrix]) -> None:
    """Write float32 tensors, by their names in ``BertModel``, as ``model.safetensors``."""
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def write_configuration(folder: Path, shape: ModelShape) -> None:
    """Write the small files beside the weights and ``tokenizer.json``: BERT, mean pooling, unit vectors."""
    bert = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": 0,  # as in the published model: no row of the embedding is masked by it
        "position_embedding_type": "absolute",
        "tokenizer_class": "XLMRobertaTokenizer",
        "dtype": "float32",
        **asdict(shape),
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_TOKENS,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    pooling = {"word_embedding_dimension": shape.hidden_size, "pooling_mode_mean_tokens": True}
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(
            (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")),
        )
    ]
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    for name, value in (
        ("config.json", bert),
        ("tokenizer_config.json", tokenizer),
        ("sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False}),
        ("modules.json", modules),
        ("1_Pooling/config.json", pooling),
    ):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
