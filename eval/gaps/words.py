"""The sentences of the knowledge-gap report, in both languages."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "topics": ("What is missing, by topic", "知识缺口（按主题）"),
    "topic": ("topic", "主题"),
    "asked": ("asked", "次数"),
    "how": ("how it went", "结果"),
    "languages": ("languages", "语言"),
    "nearest": ("nearest article", "最接近的文章"),
    "refused_count": ("{n} refused", "拒答 {n}"),
    "unanswered_count": ("{n} unanswered", "未答 {n}"),
    "disliked_count": ("{n} disliked", "差评 {n}"),
    "zh": ("{n} Chinese", "中文 {n}"),
    "en": ("{n} English", "英文 {n}"),
    "summary": (
        "{unmet} of {asked} questions went badly; {settled} more are answered by a person's answer by now",
        "{asked} 个问题中有 {unmet} 个未得到满意回答；另有 {settled} 个现已有人工答案",
    ),
    "elsewhere": (
        "{n} questions failed because the model server was away: not counted",
        "{n} 个问题因模型服务不可用而失败，未计入",
    ),
    "left_out": ("{n} older questions were not grouped", "较早的 {n} 个问题未参与归类"),
    "none": (
        "No question was refused, left unanswered or disliked in this time.",
        "这段时间内没有被拒答、未答或差评的问题。",
    ),
    "contradictions": ("Answers that rest on articles which contradict each other", "依据相互矛盾的回答"),
    "expired": ("Answers that rest on expired articles", "依据已失效的回答"),
    "article": ("article", "文章"),
    "says": ("it says", "内容"),
    "but": ("but this one", "另一篇"),
    "since_then": ("expired on", "失效日期"),
    "answers": ("answers", "回答数"),
    "no_topic": ("there is no topic no. {number}; there are {count}", "没有第 {number} 个主题，共有 {count} 个"),
    "draft_questions": ("Questions that this article must answer", "本文必须回答的问题"),
    "draft_answer": ("Answer", "答案"),
    "draft_asked": ("Asked {n} times ({how}).", "共被问到 {n} 次（{how}）。"),
    "draft_nearest": (
        "The nearest article so far is “{title}” ({article}): perhaps it only has to say more.",
        "目前最接近的文章是《{title}》（{article}）：也许只需补充该文。",
    ),
    "draft_remove": (
        "Write the answer here, then take these lines and the list of questions out.",
        "请在此撰写答案，完成后删除这些提示行和问题列表。",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
