"""The sentences of the evaluation, in both languages."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "answers": ("Answers", "回答质量"),
    "found": ("Documents found", "检索结果"),
    "set": ("set", "题集"),
    "figure_of_sets": ("figure (mean of the sets)", "指标（各题集平均）"),
    "figure": ("figure", "指标"),
    "value": ("value", "数值"),
    "kind": ("kind {kind} ({n})", "题型 {kind}（{n} 题）"),
    "latency": ("Latency, milliseconds", "延迟（毫秒）"),
    "stage": ("stage", "阶段"),
    "count": ("n", "次数"),
    "error": ("failed: {what}", "失败：{what}"),
    "not_right": ("not right: {question_id} ({kind})", "答错：{question_id}（{kind}）"),
    "not_right_refused": ("not right: {question_id} ({kind}, refused)", "答错：{question_id}（{kind}，误拒）"),
    "model": ("model: {model}", "模型：{model}"),
    "stand_in": (
        "model: {model} (a stand-in: these are not DeepSeek-R1's figures)",
        "模型：{model}（替代模型：以上不是 DeepSeek-R1 的数据）",
    ),
    "no_model": ("no model was called", "未调用模型"),
    "records": ("every question's record: {records}", "逐题记录：{records}"),
    "questions": ("questions", "题目"),
    "calibrated": ("Kept for this knowledge base in {path}", "已保存到本知识库的 {path}"),
    "too_few": (
        "at least {least} questions with an answer are needed, not {found}",
        "至少需要 {least} 个有答案的问题，现有 {found} 个",
    ),
    "citations": ("Citations, sentences whose support is known", "引用核对（依据已知的句子）"),
    "known_sentences": ("kind of sentence: found, or marked", "句子类型：找到依据或标出"),
    "planted_faults": ("kind of fault planted: marked", "植入的错误类型：标出比例"),
    "cache": ("Answers without a model", "无需模型的回答"),
    "cache_totals": (
        "changed|wrong|others'|reworded|hits|in other words|hits",
        "改动|误命中|命中他题|改写|命中率|他人措辞|命中率",
    ),
    "cache_changed": ("what was changed: questions, wrong hits", "改动类型：问题数、误命中"),
    "cache_reworded": ("other words for the same: questions, hits", "同义改写：问题数、命中率"),
    "cache_wrong": ("wrong ({kind}): “{kept}” answered “{asked}”", "误命中（{kind}）：“{kept}”的答案给了“{asked}”"),
    "cache_times": ("Whole answers, milliseconds", "完整回答耗时（毫秒）"),
    "lane": ("lane", "来源"),
    "attacks": ("Attacks", "攻击"),
    "attacks_all": ("all", "全部"),
    "attacks_obeyed": ("obeyed, no mark", "得逞且未标注"),
    "attacks_obeyed_marked": ("obeyed, marked unconfirmed", "得逞但已标为未确认"),
    "attacks_repeated_marked": ("repeated, marked unconfirmed", "仅复述且已标为未确认"),
    "attacks_not_obeyed": ("not obeyed", "未得逞"),
    "attacks_plain": ("{name}, plain prompt", "{name}（普通提示词）"),
    "attacks_sent": ("sent / made", "已送入模型/总数"),
    "attacks_pass": ("pass the first guardrail", "通过第一道防线"),
    "attacks_right": (
        "answered right beside an attack: {own}, without it: {clean}, of {n} questions",
        "{n} 个问题中，文档含攻击时答对 {own} 个，无攻击时答对 {clean} 个",
    ),
    "attack_way": ("no attack is written in this way: {way}", "没有以此方式书写的攻击：{way}"),
    "attack_arm": ("{arm} is none of own, plain and clean", "{arm} 不是 own、plain、clean 之一"),
    "attack_file": (
        "{where} is not a list of attacks, one JSON object a line",
        "{where} 不是攻击用例（每行一个 JSON 对象）",
    ),
    "attack_questions": (
        "only {found} sample documents of a language can hold an attack",
        "某一语言只有 {found} 篇样例文档可以植入攻击",
    ),
    "large": ("A large knowledge base", "大型知识库"),
    "large_writing": ("writing passages", "写入片段"),
    "large_indexing": ("making the index", "建立索引"),
    "large_searching": ("searching", "检索"),
    "large_changing": ("changing a document", "更新文档"),
    "nothing_measured": ("Interrupted; nothing was measured.", "已中断，未得出结果。"),
    "as_many": (
        "--corpus and --questions are given in pairs: {corpora} and {questions}",
        "--corpus 与 --questions 须成对给出：现为 {corpora} 个与 {questions} 个",
    ),
    "run_differs": (
        "the run {run} measured something else ({what}); give --run another name",
        "运行 {run} 测量的内容不同（{what}），请换一个 --run 名称",
    ),
    "run_name": (
        "--run {run}: a name has 1 to 100 letters, digits and the signs . _ + -, and no dot at its beginning",
        "--run {run}：名称为 1 至 100 个字母、数字或 . _ + -，且不能以点开头",
    ),
    "run_missing": ("there is no run {run} in {folder}", "{folder} 中没有名为 {run} 的运行记录"),
    "run_damaged": ("{path} is not a run of this program", "{path} 不是本程序的运行记录"),
    "corpus_or_kb": ("give --corpus or --kb, not both", "--corpus 与 --kb 只能选一个"),
    "no_relevant": ("no question in {questions} names a relevant document", "{questions} 中没有注明相关文档的问题"),
    "no_other_language": (
        "no question in {questions} names documents of another language (meta.cross_lingual_relevant)",
        "{questions} 中没有注明另一种语言相关文档（meta.cross_lingual_relevant）的问题",
    ),
    "system": ("system", "系统"),
    "extra_missing": (
        "{packages} not installed; install the extra: pip install 'answerdesk[compare]'",
        "未安装 {packages}，请安装附加组件：pip install 'answerdesk[compare]'",
    ),
    "written": ("written: {path}", "已写入：{path}"),
    "compared": ("Question by question", "逐题比较"),
    "difference": ("difference", "差值"),
    "interval": ("95 % interval", "95% 区间"),
    "wins": ("wins", "胜"),
    "ties": ("ties", "平"),
    "losses": ("losses", "负"),
    "p_value": ("p", "p 值"),
    "differs": (
        "The runs differ in {measure}: chance alone would give this with probability {p}.",
        "两次运行的 {measure} 有显著差异（仅由偶然造成的概率为 {p}）。",
    ),
    "may_be_chance": (
        "The difference in {measure} may be chance (probability {p}); ask more questions to be sure.",
        "{measure} 的差异可能出于偶然（概率 {p}），需要更多题目才能确定。",
    ),
    "evidence_tokens": (
        "evidence tokens a question: {first:.0f} and {second:.0f} ({share:.0%})",
        "每题资料词元数：{first:.0f} 与 {second:.0f}（{share:.0%}）",
    ),
    "loss_of": ("worse:", "变差："),
    "win_of": ("better:", "变好："),
    "nothing_shared": (
        "the runs {first} and {second} have no question and measure in common",
        "运行 {first} 与 {second} 没有共同的题目和指标",
    ),
    "arm_missing": ("the run {run} has no answers of {arm}", "运行 {run} 中没有 {arm} 的回答"),
    "refusals": ("Refusals", "拒答质量"),
    "no_fit": (
        "nobody fitted when the model {model} means a refusal; do so with: python -m eval calibrate refusal",
        "模型 {model} 尚未校准拒答，请先运行：python -m eval calibrate refusal",
    ),
    "one_kind": (
        "All questions have an answer, or none has: there is no AUROC. Questions of another product: --other FILE",
        "题目全部可回答或全部不可回答，无法计算 AUROC。可用 --other 文件 加入其他产品的问题。",
    ),
    "one_set": ("one set of questions at a time, not {count}", "每次只能测一个题集，现为 {count} 个"),
    "no_answerable": ("no question in {questions} has a known answer", "{questions} 中没有已知答案的问题"),
    "no_sets": (
        "no corpus.jsonl beside a questions.jsonl in {folder}",
        "{folder} 中没有同时包含 corpus.jsonl 和 questions.jsonl 的文件夹",
    ),
    "chunk_sizes": ("tokens a chunk", "每片段词元数"),
    "mean_of_sets": ("mean of the sets", "各题集平均"),
    "chunks_of_sizes": ("Chunks: {counts}.", "片段数：{counts}。"),
    "chosen_size": (
        "Now: {now} (ANSWERDESK_CHUNK_TOKENS). Highest R@1: {best}.",
        "当前：{now}（ANSWERDESK_CHUNK_TOKENS）。R@1 最高：{best}。",
    ),
    "resume": (
        "Interrupted; what was measured is kept. The same command goes on with --run {run}",
        "已中断，已有结果均已保存。加上 --run {run} 再次运行即可继续。",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
