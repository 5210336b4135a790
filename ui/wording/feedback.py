"""What the desk says of judging and correcting: the English and the Chinese text of each key of ``ui/i18n.py``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FEEDBACK_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        # what the agent thinks of it
        "useful": ("Useful", "有用"),
        "not_useful": ("Not useful", "没用"),
        "not_useful_why": ("What is wrong with it?", "哪里有问题？"),
        "reason_wrong": ("Wrong", "有错误"),
        "reason_outdated": ("Outdated", "已过时"),
        "reason_incomplete": ("Incomplete", "不完整"),
        "reason_source": ("Wrong source", "出处不对"),
        "reason_tone": ("Tone", "语气"),
        "reason_language": ("Language", "语言"),
        "correct": ("Correct this answer", "更正答案"),
        "write_answer": ("Write the answer", "撰写答案"),
        "correct_question": ("Question that it answers", "所回答的问题"),
        "correct_answer": ("Answer to be given from now on", "今后给出的答案"),
        "correct_sources": ("Rests on", "依据"),
        "correct_serves": (
            "Once saved, it answers this question at once, for everybody and under your name. It stops when an article "
            "that it rests on changes, and the next import must still find that article.",
            "保存后立即生效：所有人再问此问题都会得到该答案，并署您的名字。所依据的文章变更后自动停用；下次导入也必须仍能找到这些文章。",
        ),
        "correct_waits": (
            "Once saved, it waits for a lead; then it answers this question for everybody, under your name. It stops "
            "when an article that it rests on changes, and the next import must still find that article.",
            "保存后等待组长审核，通过后所有人再问此问题都会得到该答案，并署您的名字。所依据的文章变更后自动停用；下次导入也必须仍能找到这些文章。",
        ),
        "correct_save": ("Save", "保存"),
        "correct_leave": ("Cancel", "取消"),
        "corrected_serving": (
            "Saved. The same question is answered with it from now on.",
            "已保存，今后同样的问题将直接给出该答案。",
        ),
        "corrected_waiting": ("Saved. It waits for a lead's approval.", "已保存，等待组长审核。"),
        "error_CuratedUnusable": ("Question and answer need words.", "问题和答案都不能为空。"),
    }
)
