"""Tiny embedding models and rerankers with random weights, as folders that sentence-transformers loads."""

import json
from pathlib import Path
from typing import Literal

WORDS = (
    "query", "passage", ":", "the", "kettle", "refund", "parcel", "is", "sent", "within", "days", "warranty", "lamp",
    "for", "of", "and", "how", "long", "a", "it",
)  # fmt: skip
HANZI = "保修多久退款天水壶灯订单的几"
HIDDEN = 32
QUERY_PROMPT, PASSAGE_PROMPT = "query: ", "passage: "

Pooling = Literal["mean", "cls", "last"]


def save_embedding_model(
    folder: Path,
    *,
    pooling: Pooling = "mean",
    hidden: int = HIDDEN,
    seed: int = 0,
    prompts: dict[str, str] | None = None,
    normalize: bool = True,
) -> Path:
    """Write a model of two layers with random weights and return its folder.

    It is a BERT, or where the last token is pooled a decoder, which reads texts that are padded in front.
    """
    from transformers import BertModel, Qwen3Config, Qwen3Model

    config = _bert_config(hidden, seed)
    if pooling == "last":
        shape = {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "initializer_range": 0.5}
        decoder = Qwen3Config(
            vocab_size=len(_vocabulary()), hidden_size=hidden, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=64, **shape,
        )  # fmt: skip
        _save(folder, Qwen3Model(decoder), padding_side="left")
    else:
        _save(folder, BertModel(config))
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), *([("2_Normalize", "Normalize")] if normalize else [])]
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(kinds)
    ]
    for path, _ in kinds[1:]:
        (folder / path).mkdir()
    named = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken"}
    modes = {mode: pooling == name for name, mode in named.items()}
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": hidden, **modes})
    _write(folder / "modules.json", modules)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})
    chosen = {"query": QUERY_PROMPT} if prompts is None else prompts
    _write(folder / "config_sentence_transformers.json", {"prompts": chosen, "default_prompt_name": None})
    return folder


def save_reranker(folder: Path, word: str, *, labels: int = 1) -> Path:
    """Write a cross-encoder whose score goes up with the share of ``word`` among the words; return its folder.

    One layer attends to all tokens alike and hands their mean on; only the embedding of ``word`` is not zero.
    """
    import torch
    from transformers import BertForSequenceClassification

    config = _bert_config(HIDDEN, 0)
    config.num_labels, config.num_hidden_layers, config.layer_norm_eps = labels, 1, 1.0
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.zero_()
        layer = model.bert.encoder.layer[0].attention
        for dense in (layer.self.value, layer.output.dense, model.bert.pooler.dense):
            dense.weight.copy_(torch.eye(HIDDEN))
        model.bert.embeddings.word_embeddings.weight[_vocabulary()[word], :2] = torch.tensor([4.0, -4.0])
        model.classifier.weight[:, 0] = 1.0
    _save(folder, model)
    return folder


def _bert_config(hidden: int, seed: int):  # noqa: ANN202 - transformers is loaded by whoever calls
    import torch
    from transformers import BertConfig

    torch.manual_seed(seed)
    return BertConfig(
        vocab_size=len(_vocabulary()),
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
    )


def _vocabulary() -> dict[str, int]:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *HANZI, *letters, *(f"##{one}" for one in letters)]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def _save(folder: Path, model, padding_side: str = "right") -> None:  # noqa: ANN001
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = _vocabulary()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    folder.mkdir(parents=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        padding_side=padding_side,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    model.save_pretrained(folder)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
