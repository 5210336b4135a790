"""The sentences of the load test, in both languages."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "gpu_serving": (
        "A stand-in for a GPU, not a model, answers at {url} as {model}: {slots} slots, {first:g} ms to the first "
        "token, {rate:g} tokens/s a slot, {answer} tokens an answer. Ctrl-C ends it.",
        "GPU 计时替身（不是模型）已在 {url} 启动，模型名 {model}：{slots} 个并行槽，首词元 {first:g} 毫秒，"
        "每槽 {rate:g} 词元/秒，每个回答 {answer} 词元。按 Ctrl-C 结束。",
    ),
    "load": ("Many at once", "并发负载"),
    "arm": ("who", "对象"),
    "arm_desk": ("the product", "本产品"),
    "arm_page": ("the page, in browsers", "网页（浏览器）"),
    "arm_raw": ("raw Ollama clients, same prompts", "直接访问 Ollama，提示词相同"),
    "arm_top5": ("raw Ollama clients, five whole passages", "直接访问 Ollama，五个完整片段"),
    "asked": ("questions", "题数"),
    "a_minute": ("answers a minute", "每分钟回答数"),
    "outcomes": ("answered / refused / failed / unfinished / lost", "回答 / 拒答 / 失败 / 未完成 / 丢失"),
    "accuracy": ("accuracy", "准确率"),
    "tokens": ("tokens: prompt / generated", "词元：提示词 / 生成"),
    "times": ("Milliseconds since the question was due", "从应提问时刻算起的毫秒数"),
    "times_plot": ("Milliseconds: median, and the line up to p99", "毫秒：条形为中位数，细线至 p99"),
    "evidence_ms": ("evidence seen", "看到资料"),
    "first_word_ms": ("first word of the model", "模型首词"),
    "total_ms": ("whole answer", "完整回答"),
    "late_ms": ("sent late by", "发送延迟"),
    "largest": ("largest", "最大"),
    "against": (
        "answers a minute, product / {arm}: {ratio} (by rounds: {rounds})",
        "每分钟回答数之比，本产品 / {arm}：{ratio}（各轮：{rounds}）",
    ),
    "machine": (
        "load average of the machine before: {load} on {cores} cores",
        "测量前系统平均负载：{load}（{cores} 核）",
    ),
    "gpu_note": (
        "A stand-in for a GPU answered, not a model: only the product's share of these times is measured.",
        "由 GPU 计时替身（不是模型）回答：只有本产品自身的耗时是实测值。",
    ),
    "what": ("bar", "指标"),
    "measured": ("measured", "实测"),
    "bar": ("wanted", "要求"),
    "met": ("met", "达标"),
    "bars": ("Bars", "达标情况"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "bar_raw": ("answers a minute against raw clients, same prompts", "每分钟回答数与直接访问之比（提示词相同）"),
    "bar_top5": ("answers a minute against five whole passages", "每分钟回答数与五个完整片段之比"),
    "bar_wait": ("median error of the remaining wait", "剩余等待时间的误差中位数"),
    "bar_evidence": ("evidence, p99", "看到资料，p99"),
    "bar_page_evidence": ("evidence on the page, p99", "网页上看到资料，p99"),
    "bar_gpu_total": ("whole answer, p99", "完整回答，p99"),
    "bar_memory": ("memory a session", "每个会话的内存"),
    "bar_lost": ("errors / lost turns", "错误 / 丢失的提问"),
    "round": ("{arm}, round {number} of {rounds}", "{arm}，第 {number} / {rounds} 轮"),
    "warming": ("warming up", "预热"),
    "bounded": (
        "{arms} arms of {seconds:.0f} s each; what is under way then may still end, for at most {drain:.0f} s a round.",
        "共 {arms} 组，每组 {seconds:.0f} 秒；届时未答完的问题最多再等 {drain:.0f} 秒（每轮）。",
    ),
    "not_warm": ("the first question was not answered: {error}", "第一个问题未能得到回答：{error}"),
    "no_desk": ("the desk did not come up; its log: {log}", "工作台未能启动，日志：{log}"),
    "no_browser": (
        "--page needs Playwright and Chromium: pip install 'answerdesk[dev]', and the distribution's chromium",
        "--page 需要 Playwright 与 Chromium：pip install 'answerdesk[dev]'，并安装系统的 chromium",
    ),
    "idle_all": ("everything but the model", "除模型外的全部"),
    "bar_idle_p50": ("everything but the model, p50", "除模型外的全部，p50"),
    "bar_idle_p99": ("everything but the model, p99", "除模型外的全部，p99"),
    "bar_start": ("new process to its first passage, median", "新进程到首个片段，中位数"),
    "killed": (
        "Ollama killed; it answered again after {down_seconds}, and the model spoke {back_seconds} after that",
        "已终止 Ollama；{down_seconds} 后恢复响应，再过 {back_seconds} 模型重新输出",
    ),
    "kills_foreign": (
        "an Ollama that this program did not start answers at {url}; give OLLAMA_HOST another port",
        "{url} 上已有不是由本程序启动的 Ollama，请为 OLLAMA_HOST 指定其他端口",
    ),
    "kills_met": (
        "{kills} kills, {questions} questions: {in_words} ended with a sentence about the model server, the others "
        "with an answer or a refusal; none lost. The model spoke at the latest {longest} after Ollama answered "
        "({bar} wanted).",
        "终止 {kills} 次，共 {questions} 个问题：{in_words} 个以模型服务的说明结束，其余得到回答或拒答，"
        "无一丢失。Ollama 恢复后，模型最迟 {longest} 重新输出（要求 {bar}）。",
    ),
    "kills_missed": (
        "Not met: {kills} kills, {came_back} came back; of {questions} questions {lost} lost, {unforeseen} failed "
        "without a sentence of their own; the model spoke at the latest {longest} after Ollama answered ({bar} "
        "wanted).",
        "未达标：终止 {kills} 次，恢复 {came_back} 次；{questions} 个问题中丢失 {lost} 个，"
        "{unforeseen} 个失败且无专门说明；Ollama 恢复后模型最迟 {longest} 重新输出（要求 {bar}）。",
    ),
    "no_gpu_server": ("the stand-in for a GPU did not start", "GPU 计时替身未能启动"),
    "flood_refused": ("refused", "被拒绝"),
    "flood_before": ("the others, before the flood", "其他人（刷量前）"),
    "flood_flood": ("the others, in the flood", "其他人（刷量中）"),
    "flooder": (
        "The flooder's questions: {questions}. Files: {files}.",
        "刷量者的问题：{questions}。文件：{files}。",
    ),
    "flood_memory": (
        "Memory with all processes started: {before} MB before, {peak} MB at most.",
        "内存（含所启动的进程）：之前 {before} MB，最高 {peak} MB。",
    ),
    "flood_met": (
        "Met: the others' evidence p99 {p99} ms ({bar:g} ms wanted), nothing was refused to them.",
        "达标：其他人看到资料的 p99 为 {p99} 毫秒（要求 {bar:g} 毫秒），没有被拒绝。",
    ),
    "flood_missed": (
        "Not met: the others' evidence p99 {p99} ms ({bar:g} ms wanted), {without} without any, {refused} refused.",
        "未达标：其他人看到资料的 p99 为 {p99} 毫秒（要求 {bar:g} 毫秒），{without} 个没有资料，{refused} 个被拒绝。",
    ),
    "kept": ("every question's record: {folder}", "逐题记录：{folder}"),
    "cut_short": (
        "Interrupted; the figures are of what was measured until then.",
        "已中断；以下为中断前的测量结果。",
    ),
    "nothing": ("no question was asked", "没有提出任何问题"),
    "run_used": ("the run {run} exists already; give --run another name", "运行 {run} 已存在，请换一个 --run 名称"),
    "no_prompt": (
        "the product refuses all {count} questions without the model; give others with --questions",
        "{count} 个问题全部无需模型即被拒答，请用 --questions 指定其他问题",
    ),
    "positive": ("--{option} must be above 0, not {value:g}", "--{option} 必须大于 0，现为 {value:g}"),
    "gpu_port": ("port {port} is in use; give another with --port", "端口 {port} 已被占用，请用 --port 指定其他端口"),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
