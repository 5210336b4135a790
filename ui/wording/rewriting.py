"""What the desk says of replies in other words and of translated passages: each key's English and Chinese text."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REWRITING_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        # the buttons
        "tone": ("Tone", "语气"),
        "wish_friendlier": ("Friendlier", "更亲切"),
        "wish_formal": ("More formal", "更正式"),
        "wish_shorter": ("Shorter", "缩短"),
        "wish_longer": ("Longer", "加长"),
        "wish_translate_en": ("Into English", "译成英文"),
        "wish_translate_zh": ("Into Chinese", "译成中文"),
        "undo_rewriting": ("Undo the rewriting", "撤销改写"),
        "keys_tone": ("Tone of the reply", "回复的语气"),
        "keys_translate": ("Translate the reply, or the passage that has the focus", "翻译回复，或当前所在的段落"),
        # while it is written
        "writing_prepared": ("Getting ready", "正在准备"),
        "writing_reply": ("Rewriting the reply: {wish}", "正在改写回复：{wish}"),
        "writing_passage": ("Translating passage {number}", "正在翻译第 {number} 段"),
        "writing_queued": (
            "{what}: {ahead} ahead, about {from}-{to} s",
            "{what}：前面还有 {ahead} 位，约 {from}-{to} 秒",
        ),
        "writing_queued_unknown": (
            "{what}: {ahead} ahead; estimating the wait",
            "{what}：前面还有 {ahead} 位；正在估算等待时间",
        ),
        "writing_stopped": ("Stopped; the text was kept as it is.", "已停止，原文已保留。"),
        # what became of it
        "rewritten": (
            "Rewritten; numbers, dates, codes and denials are as before",
            "已改写，数字、日期、代码和否定均未改变",
        ),
        "rewritten_by": ("Rewritten by {model}", "由 {model} 改写"),
        "rewritten_by_stand_in": (
            "Rewritten by {model}, a stand-in model, not DeepSeek-R1",
            "由 {model} 改写（替代模型，非 DeepSeek-R1）",
        ),
        "rewritten_meanwhile": (
            "You went on writing meanwhile, so your text was kept",
            "改写期间您修改了内容，因此保留了您的文字",
        ),
        # a passage in the other language
        "translation_en": ("Machine translation into English", "机器翻译：英文"),
        "translation_zh": ("Machine translation into Chinese", "机器翻译：中文"),
        "translated_by": (
            "Translated by {model}; the original above is what counts.",
            "由 {model} 翻译，以上方原文为准。",
        ),
        "translated_by_stand_in": (
            "Translated by {model}, a stand-in model, not DeepSeek-R1; the original above is what counts.",
            "由 {model} 翻译（替代模型，非 DeepSeek-R1），以上方原文为准。",
        ),
        "translate_again": ("Try again", "再试一次"),
    }
)
