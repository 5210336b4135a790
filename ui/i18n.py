"""Every word that the page says of its own accord: one key, two texts, the same placeholders.

No sentence is glued from parts, and what a customer, a document or a model has said is never translated here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rag.schema import Language
from ui.wording.errors import ERROR_WORDS
from ui.wording.feedback import FEEDBACK_WORDS
from ui.wording.knowledge import KNOWLEDGE_WORDS
from ui.wording.models import MODEL_WORDS
from ui.wording.people import PEOPLE_WORDS
from ui.wording.performance import PERFORMANCE_WORDS
from ui.wording.quality import QUALITY_WORDS
from ui.wording.rewriting import REWRITING_WORDS
from ui.wording.search_trace import WHY_WORDS

WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        **KNOWLEDGE_WORDS,
        **WHY_WORDS,
        **QUALITY_WORDS,
        **MODEL_WORDS,
        # the page
        "product": ("Answerdesk", "答疑台"),
        "desk": ("Desk", "工作台"),
        "page_title": ("Answerdesk", "答疑台"),
        "skip": ("Skip to the question", "跳到问题输入框"),
        "language": ("Page language", "页面语言"),
        "history": ("History", "历史记录"),
        "history_empty": ("Questions that were asked appear here.", "提过的问题会显示在这里。"),
        "history_none_found": ("No question with these words.", "没有包含这些文字的问题。"),
        "history_search": ("Search the history", "搜索历史记录"),
        "history_team": ("The team's questions", "团队的问题"),
        "history_more": ("Older questions", "更早的问题"),
        "new_question": ("New question", "新问题"),
        # the head line
        "knowledge_base": ("Knowledge base no. {generation}, {age}", "知识库第 {generation} 版，{age}"),
        "knowledge_base_size": (
            "{documents} articles in {passages} passages",
            "{documents} 篇文章，{passages} 个段落",
        ),
        "knowledge_base_none": ("No knowledge base", "尚无知识库"),
        "age_now": ("just published", "刚刚发布"),
        "age_minutes": ("{count} min old", "{count} 分钟前发布"),
        "age_hours": ("{count} h old", "{count} 小时前发布"),
        "age_days": ("{count} d old", "{count} 天前发布"),
        "model_ready": ("{model} ready", "{model} 就绪"),
        "model_starting": ("Getting ready", "正在准备"),
        "model_down": ("Model server down", "模型服务未运行"),
        "model_missing": ("Model missing", "缺少模型"),
        "stand_in": ("Stand-in model, not DeepSeek-R1", "替代模型，非 DeepSeek-R1"),
        # asking
        "question": ("Customer's question", "客户问题"),
        "ask_placeholder": (
            "Paste or type the customer's words; Enter asks, Shift+Enter breaks the line",
            "粘贴或输入客户的话；按 Enter 提问，Shift+Enter 换行",
        ),
        "ask_on_placeholder": (
            "Ask on about this; for another matter choose “New question” first",
            "接着追问；如果是另一件事，请先点“新问题”",
        ),
        "ask": ("Ask", "提问"),
        "attachment_reading": ("Reading the file", "正在读取文件"),
        "attachment_stopped": ("Stopped; the file was not read.", "已停止，文件未读取。"),
        "thinking_switch": ("Thinking", "思考"),
        "thinking_auto": ("Auto", "自动"),
        "thinking_on": ("On", "开"),
        "thinking_off": ("Off", "关"),
        "stop": ("Stop", "停止"),
        "retry": ("Retry", "重试"),
        "examples": ("Topics from this knowledge base; choose one to try it", "本知识库中的主题，点击即可试问"),
        "empty_answer": (
            "The answer appears here, with its sources. Evidence comes first, before the model speaks.",
            "回答会显示在这里并附上出处。依据会先出现，然后模型才作答。",
        ),
        "empty_evidence": ("Evidence appears here.", "依据会显示在这里。"),
        # states
        "searching": ("Searching", "正在检索"),
        "queued": ("{ahead} ahead of you, about {from}-{to} s", "前面还有 {ahead} 位，约 {from}-{to} 秒"),
        "queued_unknown": ("{ahead} ahead of you; estimating the wait", "前面还有 {ahead} 位；正在估算等待时间"),
        "reading": ("The model is reading the evidence", "模型正在阅读依据"),
        "thinking": ("Thinking", "思考中"),
        "answering": ("Writing", "正在撰写"),
        "done": ("Answer ready", "回答完成"),
        "done_unsupported": (
            "Answer ready, {count} without support in the evidence",
            "回答完成，{count} 句在依据中未找到",
        ),
        "refused": ("Not in the knowledge base", "知识库中没有可靠答案"),
        "stopped": ("Stopped, incomplete", "已停止，内容不完整"),
        "failed": ("Not finished", "未完成"),
        "seconds": ("{seconds} s", "{seconds} 秒"),
        "milliseconds": ("{count} ms", "{count} 毫秒"),
        # stages, live and afterwards
        "stage_search": ("Search", "检索"),
        "stage_wait": ("Queue", "排队"),
        "stage_prompt": ("Reading", "阅读"),
        "stage_thinking": ("Thinking", "思考"),
        "stage_answer": ("Writing", "撰写"),
        "time_embed": ("embed", "向量化"),
        "time_search": ("search", "检索"),
        "time_pack": ("pack", "整理"),
        "time_wait": ("wait", "等待"),
        "time_load": ("load", "加载模型"),
        "time_prompt": ("first token", "首字"),
        "time_thinking": ("thinking", "思考"),
        "time_answer": ("answer", "回答"),
        "time_citations": ("citations", "核对出处"),
        "time_total": ("total", "总计"),
        "times": ("Where the time went", "时间去向"),
        "made_by": ("{model}, knowledge base no. {generation}", "{model}，知识库第 {generation} 版"),
        "made_without_model": (
            "No model was called; knowledge base no. {generation}",
            "未调用模型；知识库第 {generation} 版",
        ),
        # the answer
        "answer": ("Answer", "回答"),
        "thought": ("Thinking", "思考过程"),
        "well_supported": ("Well supported", "依据充分"),
        "check_marked": ("Check marked sentences", "请核对标记的句子"),
        "quoted": ("Quoted from the knowledge base", "引自知识库原文"),
        "best_match": ("Best match", "最匹配原文"),
        "use_this": ("Use this", "采用"),
        "no_support": ("No support in the evidence", "依据中未找到"),
        "unconfirmed": ("New address, not confirmed", "新出现的联系方式，尚未确认"),
        "remove": ("Remove from the reply", "从回复中删除"),
        "citation": ("Passage {number}: {title}", "依据 {number}：{title}"),
        "refused_why": (
            "The passages found do not answer this question, so no model was asked. The nearest ones are listed as "
            "evidence; the handoff note below is ready to copy.",
            "检索到的段落不足以回答该问题，因此没有调用模型。最接近的段落列在依据中，下方的转交说明可直接复制。",
        ),
        "read_meanwhile": ("The evidence can be read meanwhile.", "等待时可以先阅读依据。"),
        "refused_by_model": (
            "The model read these passages and found no answer in them. The handoff note below is ready to copy.",
            "模型阅读了这些段落，没有找到答案。下方的转交说明可直接复制。",
        ),
        "written_by": ("Written by {author}, {date}", "{author} 撰写，{date}"),
        "written_by_colleague": ("Written by a colleague, {date}", "由同事撰写，{date}"),
        "answered_before": (
            "Answered before, checked against no. {generation}",
            "此前已回答，已按第 {generation} 版核对",
        ),
        # evidence
        "evidence": ("Evidence", "依据"),
        "evidence_count": ("{count} passages", "{count} 个段落"),
        "nearest": ("Nearest articles", "最接近的文章"),
        "near_not_enough": ("Near, not enough", "相近，但不足以回答"),
        "conflict": ("Passage {number} says otherwise: {quote}", "第 {number} 条说法不同：{quote}"),
        "cited_once": ("Cited once", "引用 1 次"),
        "cited_often": ("Cited {count} times", "引用 {count} 次"),
        "internal": ("Internal, do not quote", "内部资料，勿引用"),
        "updated_on": ("As of {date}", "更新于 {date}"),
        "expired_on": ("Outdated, was valid until {date}", "已失效，有效期至 {date}"),
        "starts_on": ("Not in force before {date}", "尚未生效，{date} 起生效"),
        "none_found": ("There is no evidence for this question.", "该问题没有依据。"),
        # the reply
        "reply": ("Reply", "回复"),
        "reply_incomplete": ("Reply, incomplete", "回复（内容不完整）"),
        "reply_label": ("Reply to the customer, editable", "给客户的回复，可编辑"),
        "copy": ("Copy", "复制"),
        "copy_with_sources": ("Copy with sources", "连同出处复制"),
        "copied": ("Copied", "已复制"),
        "copy_failed": ("Could not copy; press Ctrl+C", "无法自动复制，请按 Ctrl+C"),
        "sources": ("Sources", "出处"),
        "restore": ("Undo my changes", "还原"),
        "handoff": ("Handoff note", "转交说明"),
        "handoff_label": ("Handoff note, editable", "转交说明，可编辑"),
        "handoff_copy": ("Copy the handoff note", "复制转交说明"),
        "handoff_question": ("Question: {question}", "问题：{question}"),
        "handoff_language": ("Language: {name}", "语言：{name}"),
        "handoff_asked_at": ("Asked at: {time}", "提问时间：{time}"),
        "handoff_searched": (
            "Searched: knowledge base no. {generation}; nothing there answers it",
            "已检索：知识库第 {generation} 版，其中没有可靠答案",
        ),
        "handoff_nearest": ("Nearest articles:", "最接近的文章："),
        "handoff_link": ("Turn: {link}", "记录：{link}"),
        "language_zh": ("Chinese", "中文"),
        "language_en": ("English", "英文"),
        # keys
        "keys": ("Keyboard", "快捷键"),
        "keys_focus": ("Question box", "问题输入框"),
        "keys_passage": ("Next passage", "下一个段落"),
        "keys_reply": ("Reply editor", "回复编辑框"),
        "keys_language": ("Page language", "页面语言"),
        "keys_list": ("This list", "本列表"),
        # banners
        "connection_lost": (
            "Connection lost. Your text is safe; reconnecting.",
            "连接已断开，内容已保留，正在重连。",
        ),
        "not_permitted": ("You may not see this.", "您没有查看权限。"),
        "turn_missing": (
            "This question is not kept here, or you may not see it.",
            "这里没有保存该问题，或您没有查看权限。",
        ),
        "page_failed": (
            "Something failed (no. {number}). Nothing was lost.",
            "出错了（编号 {number}），内容没有丢失。",
        ),
        # the other pages
        **ERROR_WORDS,
        **FEEDBACK_WORDS,
        **REWRITING_WORDS,
        **PEOPLE_WORDS,
        **PERFORMANCE_WORDS,
    }
)


def word(key: str, language: Language, **values: object) -> str:
    """Return the words for a key with its placeholders filled.  Raises ``KeyError`` for an unknown key or value."""
    english, chinese = WORDS[key]
    return (chinese if language == "zh" else english).format(**values)


def template(key: str, language: Language) -> str:
    """Return the words for a key with their placeholders as they are, to be filled in the browser."""
    english, chinese = WORDS[key]
    return chinese if language == "zh" else english


def language_of_locale(locale: str | None) -> Language:
    """Return the page language for a browser's locale; Chinese where nothing is known.

    >>> language_of_locale("en-GB"), language_of_locale("zh-TW"), language_of_locale("fr"), language_of_locale(None)
    ('en', 'zh', 'en', 'zh')
    """
    if not locale or locale.lower().startswith("zh"):
        return "zh"
    return "en"
