"""The words of the report's page, in both languages."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Answerdesk: measured quality", "Answerdesk 质量报告"),
    "how_to_read": (
        "Bars are shares of the questions; the thin line is the 95 % interval. Ceiling: the same model given the right "
        "passage. Floor: the model without any passage.",
        "条形为占全部题目的比例，细线为 95% 置信区间。上限：同一模型直接获得正确资料；下限：模型没有任何资料。",
    ),
    "stand_in": (
        "A stand-in model answered: these are not DeepSeek-R1's figures.",
        "由替代模型回答：以下不是 DeepSeek-R1 的数据。",
    ),
    "no_section": (
        "{run} is a run of {command}; a page shows runs of answers, retrieval, refusal and load",
        "{run} 是 {command} 的运行记录；报告只支持 answers、retrieval、refusal 和 load",
    ),
    "answers": ("answers", "回答质量"),
    "retrieval": ("documents found", "检索结果"),
    "refusal": ("refusals", "拒答质量"),
    "load": ("many at once", "并发负载"),
    "own": ("product", "本产品"),
    "ceiling": ("ceiling", "上限"),
    "floor": ("floor", "下限"),
    "quality": ("Right answers and overlap with the known ones", "答对比例与参考答案的重合度"),
    "accuracy": ("accuracy", "准确率"),
    "token_f1": ("token F1", "词元 F1"),
    "rouge_l": ("ROUGE-L", "ROUGE-L"),
    "citations": ("What answers rest on", "回答的依据"),
    "supported_sentences": ("supported sentences", "有依据的句子"),
    "citation_precision": ("citation precision", "引用精确率"),
    "citation_recall": ("citation recall", "引用召回率"),
    "language_match": ("question's language", "语言一致"),
    "lost_in": ("Where wrong answers were lost (questions)", "答错的题在哪一步丢失（题数）"),
    "lost_retrieval": ("retrieval", "检索"),
    "lost_packing": ("packing", "资料筛选"),
    "lost_refusal": ("refusal", "拒答"),
    "lost_model": ("model", "模型"),
    "lost_error": ("error", "出错"),
    "tokens": ("Tokens a question", "每题词元数"),
    "tokens_prompt": ("prompt", "提示"),
    "tokens_generated": ("generated", "生成"),
    "tokens_evidence": ("evidence", "资料"),
    "latency": ("Latency, milliseconds", "延迟（毫秒）"),
    "stage": ("stage", "阶段"),
    "found": ("Is the right document found?", "是否找到正确文档"),
    "recall_at_1": ("first (R@1)", "首位命中 R@1"),
    "recall_at_5": ("first five (R@5)", "前五命中 R@5"),
    "recall_at_10": ("first ten (R@10)", "前十命中 R@10"),
    "mrr_at_10": ("MRR@10", "MRR@10"),
    "ndcg_at_10": ("nDCG@10", "nDCG@10"),
    "refusals": ("Refusals", "拒答"),
    "auroc": ("AUROC", "AUROC"),
    "refused_unanswerable": ("unanswerable, refused", "不可回答且拒答"),
    "refused_unanswerable_at_5": ("the same at 5 % false ones", "误拒 5% 时的拒答率"),
    "refused_answerable": ("answerable, refused", "可回答却拒答"),
    "ece": ("calibration error", "校准误差"),
    "reliability": ("How honest the probabilities are", "概率是否可信"),
    "said": ("probability that was said", "给出的概率"),
    "true": ("share that has an answer", "实际可回答比例"),
    "wrong": ("{n} questions that were not answered rightly", "{n} 道未答对的题"),
    "question": ("question", "问题"),
    "wanted": ("wanted", "应含内容"),
    "reply": ("reply", "回答"),
    "where": ("lost in", "丢失环节"),
    "figure": ("figure", "指标"),
    "difference": ("difference (95 %)", "差值（95%）"),
    "wins": ("wins / ties / losses", "胜 / 平 / 负"),
    "p": ("p", "p 值"),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
