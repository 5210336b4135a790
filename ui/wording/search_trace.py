"""The words of "Why was this (not) found?", in the manner of ``ui/i18n.py``, which takes them in."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

WHY_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "kb_why_question": ("Question", "问题"),
        "kb_why_hint": ("A customer's question; Enter searches", "输入客户的问题，按 Enter 检索"),
        "kb_why_expected": ("Expected article (optional)", "应检索到的文章（可选）"),
        "kb_why_run": ("Explain", "解释"),
        "kb_why_empty": (
            "Type a question to see how both searches rank the passages, what is cut, and what the model would read.",
            "输入问题，查看两路检索的排名、被舍弃的段落，以及模型将读到的内容。",
        ),
        "kb_why_running": ("Searching", "正在检索"),
        "kb_why_answered": (
            "It would be answered: the answer is here with a probability of {probability} %, {threshold} % is enough.",
            "会作答：答案在库中的概率为 {probability} %，达到 {threshold} % 即可。",
        ),
        "kb_why_refused": (
            "It would be refused: the answer is here with a probability of {probability} %, {threshold} % is needed.",
            "会拒答：答案在库中的概率为 {probability} %，需要 {threshold} %。",
        ),
        "kb_why_searched": ("Searched as: {text}", "实际检索：{text}"),
        "kb_why_parts": ("Also searched by its parts: {parts}", "并分别检索：{parts}"),
        "kb_why_ranking": ("How the passages were ranked", "段落的排名过程"),
        "kb_why_chosen": ("The expected article's passages", "应检索到的文章的段落"),
        "kb_why_chosen_none": (
            "This article has no passage in this knowledge base.",
            "该文章在此知识库中没有段落。",
        ),
        "kb_column_place": ("Place", "排名"),
        "kb_column_passage": ("Passage", "段落"),
        "kb_column_meaning": ("Meaning", "语义"),
        "kb_column_words": ("Words", "字词"),
        "kb_column_fused": ("Both", "合并"),
        "kb_column_late": ("By token", "逐词元"),
        "kb_column_score": ("Score", "得分"),
        "kb_column_fate": ("Outcome", "结果"),
        "kb_why_columns": (
            "Rank over score in each search (meaning: cosine; words: BM25), the rank of both together, then the "
            "comparison token by token.",
            "上为各路排名，下为得分（语义为余弦，字词为匹配得分）；再合并两路，最后逐词元比较。",
        ),
        "kb_fate_sent": ("sent: {tokens} tokens", "发送 {tokens} 个词元"),
        "kb_fate_shown": ("shown, not sent", "展示但不发送"),
        "kb_fate_repeats": ("repeats {title}", "与《{title}》重复"),
        "kb_fate_no_room": ("no room: {tokens} tokens", "超出预算：{tokens} 个词元"),
        "kb_fate_beyond": ("behind the first {count}", "排在前 {count} 之后"),
        "kb_fate_not_kept": ("not among the best {count}", "未进入前 {count}"),
        "kb_fate_not_compared": ("too far behind in both", "两路排名都靠后"),
        "kb_fate_not_found": ("in neither first {count}", "两路前 {count} 均无"),
        "kb_why_budget": (
            "Shown: {shown} of {shown_limit} tokens. Read by the model: {sent} of {sent_limit} tokens.",
            "展示：{shown} / {shown_limit} 个词元；模型阅读：{sent} / {sent_limit} 个词元。",
        ),
        "kb_why_terms": ("The question's words", "问题中的词"),
        "kb_term": ("Word", "词"),
        "kb_term_weight": ("Weight", "权重"),
        "kb_term_nowhere": ("none", "无"),
        "kb_why_message": ("What the model would be sent", "将发送给模型的内容"),
        "kb_why_not_sent": ("It is not sent, because the question would be refused.", "因会拒答，不会发送。"),
        "kb_role_system": ("Rules", "规则"),
        "kb_role_user": ("Question with passages", "问题与段落"),
        "kb_role_assistant": ("Worked example", "示例回答"),
    }
)
