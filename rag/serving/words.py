"""What ``python -m rag.serving`` says, in both languages with the same placeholders."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    # the server
    "managed": (
        "Ollama {version} runs at {url}, started here (process {pid}, restarts {restarts}); log: {log}",
        "Ollama {version} 正在运行：{url}，由本程序启动（进程 {pid}，重启 {restarts} 次）；日志：{log}",
    ),
    "adopted": (
        "Ollama {version} runs at {url}; it was there before and is left alone",
        "Ollama {version} 正在运行：{url}；它并非由本程序启动，不会被停止",
    ),
    "recovering": (
        "Ollama at {url} died and is being started again (restarts so far: {restarts}); log: {log}",
        "{url} 上的 Ollama 已退出，正在重新启动（已重启 {restarts} 次）；日志：{log}",
    ),
    "down": ("No model server answers at {url}", "{url} 上没有模型服务"),
    "stopped": ("Ollama at {url} was stopped", "已停止 {url} 上的 Ollama"),
    "not_running": ("Nothing to stop: no model server answers at {url}", "无需停止：{url} 上没有模型服务"),
    "not_ours": (
        "The Ollama at {url} was not started here and is left alone",
        "{url} 上的 Ollama 并非由本程序启动，未作改动",
    ),
    "leave": ("Press Ctrl-C to stop", "按 Ctrl-C 停止"),
    "interrupted": ("Interrupted.", "已中断。"),
    # the models
    "none": ("No model is installed; fetch one with: make setup", "尚未安装模型，请运行：make setup"),
    "head_model": ("model", "模型"),
    "head_disk": ("disk", "磁盘"),
    "head_memory": ("in memory", "内存占用"),
    "head_kind": ("weights", "量化"),
    "head_template": ("template", "对话模板"),
    "head_thinks": ("thinks", "思考"),
    "yes": ("yes", "有"),
    "no": ("no", "无"),
    "stand_in": ("a stand-in, not DeepSeek-R1", "替代模型，非 DeepSeek-R1"),
    "reconstructed": ("F16 reconstructed from {kind}", "F16 由 {kind} 还原"),
    "chosen_is": ("* answers the desk's questions", "* 由工作台使用"),
    "without_template": (
        "{name} has no chat template and would answer nonsense; import its file with --template instead",
        "{name} 没有对话模板，会胡乱回答；请改用 import 并加 --template 导入其文件",
    ),
    "downloading": ("downloading {what}", "正在下载 {what}"),
    "checking": ("taking the checksum of {what}", "正在计算校验和：{what}"),
    "sending": ("handing {what} to Ollama", "正在传给 Ollama：{what}"),
    "making": ("making {what}", "正在生成 {what}"),
    "pulled": ("{name} is installed", "{name} 已安装"),
    "made": ("{name} is made: {size:.2f} GB, {kind}", "已生成 {name}：{size:.2f} GB，{kind}"),
    "use_it": (
        "Let the desk use it with: python -m rag.serving use {name}",
        "设为工作台模型：python -m rag.serving use {name}",
    ),
    "delete_ask": ("Delete {name} ({size:.2f} GB)? [y/N] ", "删除 {name}（{size:.2f} GB）？[y/N] "),
    "delete_chosen_ask": (
        "Delete {name} ({size:.2f} GB), which answers the desk's questions? [y/N] ",
        "{name}（{size:.2f} GB）正由工作台使用，仍要删除？[y/N] ",
    ),
    "deleted": ("{name} is deleted", "已删除 {name}"),
    "kept": ("{name} stays", "已保留 {name}"),
    "using": (
        "{name} answers from the next start of the desk on (kept in {path})",
        "工作台下次启动后使用 {name}（已保存到 {path}）",
    ),
    "using_without_thought": (
        "It cannot think before it answers, so thinking is off",
        "该模型不支持先思考再回答，已关闭思考",
    ),
    "goes_before": (
        "But {variables} is set in the environment and goes before that",
        "但环境变量 {variables} 已设置，优先于此选择",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
