"""What the calibration of a model says, in both languages with the same placeholders."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "already": (
        "{name} is quantized already ({kind}); name its makers' F16 with --model, try only slots and contexts with "
        "--quantizations as-is, or let an F16 be reconstructed of it with --reconstruct",
        "{name} 已是量化模型（{kind}）；请用 --model 指定其 F16 版本，或用 --quantizations as-is 只比较并发和上下文，"
        "或用 --reconstruct 还原出 F16",
    ),
    "reconstructing": ("reconstructing an F16 of {what}", "正在由 {what} 还原 F16"),
    "checking": ("taking the checksum of {what}", "正在计算校验和：{what}"),
    "sending": ("handing {what} to Ollama", "正在传给 Ollama：{what}"),
    "making": ("making {what}", "正在生成 {what}"),
    "trying": ("{kind}, {slots} at once, {context:,} tokens", "{kind}，并发 {slots}，上下文 {context:,}"),
    "title": ("{name} on this machine", "{name} 在本机的表现"),
    "kind": ("weights", "量化"),
    "slots": ("slots", "并发"),
    "context": ("context", "上下文"),
    "questions": ("asked", "题数"),
    "accuracy": ("accuracy", "准确率"),
    "prompt_rate": ("prompt t/s", "读取 词元/秒"),
    "generation_rate": ("answer t/s", "生成 词元/秒"),
    "load_rate": ("all slots t/s", "全部并发 词元/秒"),
    "memory": ("memory (ps)", "内存（ps）"),
    "p50": ("p50 s", "p50 秒"),
    "p99": ("p99 s", "p99 秒"),
    "agents": ("agents", "客服人数"),
    "target": (
        "agents: how many can each ask {pause:.0f} s after their last answer, on average, and have {share:.0%} of the "
        "answers whole within {seconds:g} s; worked out by playing them through a fair line with the measured times",
        "客服人数：每人平均在上一个回答后 {pause:.0f} 秒再次提问，且 {share:.0%} 的回答在 {seconds:g} 秒内完成；"
        "按实测用时模拟公平排队得出",
    ),
    "few": (
        "accuracy is over the {compared} questions that all were asked; with so few, 95 % intervals are wide "
        "({low:.0%} to {high:.0%} for the first), and p99 is the slowest answer",
        "准确率按全部配置都回答过的 {compared} 题计算；题数较少，95% 区间很宽（第一行为 {low:.0%} 至 {high:.0%}），"
        "p99 即最慢的一次回答",
    ),
    "time_up": (
        "Time was up: some were asked fewer questions. More: the same command with --run {run} and more --minutes",
        "时间已到：部分配置未问完。继续：加上 --run {run} 并增大 --minutes 再次运行",
    ),
    "stand_in": (
        "{name} is a stand-in: these are not DeepSeek-R1's figures",
        "{name} 是替代模型：以上不是 DeepSeek-R1 的数据",
    ),
    "reconstructed": (
        "The F16 was reconstructed from {kind}: the losses are those of quantizing twice, not of quantizing the "
        "makers' weights",
        "F16 由 {kind} 还原：所测损失是两次量化的损失，而非对原始权重量化的损失",
    ),
    "winner": (
        "Best: {kind} with {slots} slots of {context:,} tokens: the most agents among those at most {margin:.0%} less "
        "accurate than the best",
        "最佳：{kind}，并发 {slots}，上下文 {context:,}：在准确率与最高者相差不超过 {margin:.0%} 的配置中服务人数最多",
    ),
    "no_winner": ("Nothing was answered, so nothing is chosen.", "没有得到任何回答，未作选择。"),
    "ask": (
        "Let the desk use it from its next start on? [y/N] ",
        "让工作台下次启动后使用它？[y/N] ",
    ),
    "not_applied": (
        "Nothing was changed. To choose it: the same command with --run {run} --yes",
        "未作改动。如需采用：加上 --run {run} --yes 再次运行",
    ),
    "applied": (
        "{name} with {slots} slots of {context:,} tokens serves from the next start of the desk and of its model "
        "server on (kept in {path})",
        "工作台及其模型服务下次启动后使用 {name}，并发 {slots}，上下文 {context:,}（已保存到 {path}）",
    ),
    "goes_before": (
        "But {variables} is set in the environment and goes before that",
        "但环境变量 {variables} 已设置，优先于此选择",
    ),
    "report": ("Page with plots: {path}", "图表报告：{path}"),
    "plot_accuracy": ("Accuracy, with 95 % intervals", "准确率（95% 区间）"),
    "plot_p99": ("Slowest answers (p99), seconds", "最慢的回答（p99，秒）"),
    "plot_speed": ("Answers' tokens a second, all slots together", "生成速度（全部并发合计，词元/秒）"),
    "plot_memory": ("Memory by /api/ps, gigabytes", "内存（/api/ps，GB）"),
    "plot_agents": ("Agents served within the target", "目标内可服务的客服人数"),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
