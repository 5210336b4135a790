"""Messages of ``python -m rag.ollama``, in both languages with the same placeholders."""

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
    # several hosts
    "host_usable": (
        "{name}: Ollama {version}, {model} {memory}; {busy} of {slots} slots busy",
        "{name}：Ollama {version}，{model} {memory}；{slots} 个并发中 {busy} 个占用",
    ),
    "host_loaded": ("in memory ({size:.1f} GB)", "已加载（{size:.1f} GB）"),
    "host_not_loaded": ("not loaded yet", "尚未加载"),
    "host_down": ("{name}: left out, no model server answers", "{name}：未使用，没有模型服务响应"),
    "host_without_model": (
        "{name}: left out, Ollama {version} does not have {model}; it has {installed}",
        "{name}：未使用，Ollama {version} 没有模型 {model}；已有 {installed}",
    ),
    "host_without_any": (
        "{name}: left out, Ollama {version} has no model",
        "{name}：未使用，Ollama {version} 没有模型",
    ),
    "host_is_down": (
        "The model server {name} is left out: it does not answer",
        "模型服务 {name} 没有响应，暂不使用",
    ),
    "host_is_without_model": (
        "The model server {name} is left out: it does not have {model}",
        "模型服务 {name} 没有模型 {model}，暂不使用",
    ),
    "host_is_usable": (
        "The model server {name} takes questions again",
        "模型服务 {name} 已恢复使用",
    ),
    "hosts_together": (
        "{usable} of {count} hosts answer together: {busy} of {slots} slots busy, {waiting} waiting",
        "{count} 台主机中 {usable} 台可用：共 {slots} 个并发，占用 {busy} 个，排队 {waiting} 个",
    ),
    "hosts_left_alone": (
        "Several hosts are named; they are used as they are, and neither started nor stopped here",
        "已指定多台主机，只使用而不启动或停止它们",
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
        "Let the desk use it with: python -m rag.ollama use {name}",
        "设为工作台模型：python -m rag.ollama use {name}",
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
    # what a model takes
    "size_model": (
        "{name} ({architecture}, {kind}): {layers} layers, {heads} heads, {kv_heads} of them with keys and values of "
        "{width} numbers; embedding {embedding:,}, vocabulary {vocabulary:,}, trained for {trained:,} tokens",
        "{name}（{architecture}，{kind}）：{layers} 层，{heads} 个注意力头，其中 {kv_heads} 个有键值，每个 {width} 维，"
        "词向量 {embedding:,} 维，词表 {vocabulary:,}，训练上下文 {trained:,} 词元",
    ),
    "size_machine": (
        "Machine: {cores} cores, {memory:.1f} GB memory, {gpu}; {budget:.1f} GB for the model",
        "本机：{cores} 核，{memory:.1f} GB 内存，{gpu}；可供模型使用 {budget:.1f} GB",
    ),
    "size_gpu": ("{gpu:.1f} GB on the GPU", "{gpu:.1f} GB 显存"),
    "size_no_gpu": ("no GPU", "无 GPU"),
    "size_small_machine": (
        "This is less than the 4 cores and 8 GB that are usually asked for: expect to wait",
        "低于通常要求的 4 核和 8 GB，响应会较慢",
    ),
    "size_weights": (
        "Weights:  {parameters:,.1f} million numbers as {kind} = {size:.3f} GB",
        "权重：    {parameters:,.1f} 百万参数，{kind} = {size:.3f} GB",
    ),
    "size_context_cut": (
        "(the context is {trained:,} tokens, not {asked:,}: the model was trained for no more)",
        "（上下文为 {trained:,} 词元而非 {asked:,}：模型训练时不超过此长度）",
    ),
    "size_kv": (
        "KV cache: 2 x {layers} layers x {kv_heads} heads x {width} numbers x {context:,} tokens x {slots} slots x "
        "{number:g} bytes = {size:.3f} GB",
        "KV 缓存： 2 x {layers} 层 x {kv_heads} 头 x {width} 维 x {context:,} 词元 x {slots} 个并发 x "
        "{number:g} 字节 = {size:.3f} GB",
    ),
    "size_buffers": (
        "Buffers:  4 bytes x {batch} tokens a batch x ({embedding:,} + {vocabulary:,}), and outputs = {size:.3f} GB",
        "缓冲区：  4 字节 x 每批 {batch} 词元 x（{embedding:,} + {vocabulary:,}），加输出 = {size:.3f} GB",
    ),
    "size_total_fits": (
        "Together {size:.2f} GB of {budget:.1f} GB: it fits",
        "合计 {size:.2f} GB，可用 {budget:.1f} GB：放得下",
    ),
    "size_total_too_much": (
        "Together {size:.2f} GB of {budget:.1f} GB: too much; take fewer slots, a smaller context or a smaller "
        "quantization",
        "合计 {size:.2f} GB，可用 {budget:.1f} GB：放不下；请减少并发数、缩短上下文或选用更小的量化",
    ),
    "size_ps": (
        "Ollama's /api/ps says {size:.3f} GB: on a CPU it counts neither the input embedding nor the buffers",
        "Ollama 的 /api/ps 显示 {size:.3f} GB：在 CPU 上它不计输入词向量和缓冲区",
    ),
    "size_ps_gpu": (
        "Ollama's /api/ps says {size:.3f} GB: its own estimate of the buffers, without the input embedding",
        "Ollama 的 /api/ps 显示 {size:.3f} GB：缓冲区为其自身估算，不计输入词向量",
    ),
    "size_ps_now": (
        "It is loaded now, and /api/ps says {size:.3f} GB: the arithmetic is off by {difference:+.1%}",
        "模型已加载，/api/ps 显示 {size:.3f} GB：估算误差 {difference:+.1%}",
    ),
    "size_slots": (
        "Slots:    {size:.3f} GB each, so memory would do for {by_memory:,}; they share {cores} cores: {slots} advised",
        "并发：    每个 {size:.3f} GB，内存可容纳 {by_memory:,} 个；但共用 {cores} 个核，建议 {slots} 个",
    ),
    "size_slots_gpu": (
        "Slots:    {size:.3f} GB each, so memory would do for {by_memory:,}; {slots} advised",
        "并发：    每个 {size:.3f} GB，显存可容纳 {by_memory:,} 个；建议 {slots} 个",
    ),
    "size_rates": (
        "Measured here on {when}, one answer alone: prompts {prompt:.0f} tokens/s, answers {generation:.1f} tokens/s",
        "{when} 在本机实测（单个回答）：读取 {prompt:.0f} 词元/秒，生成 {generation:.1f} 词元/秒",
    ),
    "size_no_rates": (
        "Its speed was not measured here yet: python -m rag.ollama size {name} --measure",
        "尚未在本机实测速度：python -m rag.ollama size {name} --measure",
    ),
    "size_no_rates_file": (
        "Its speed can be measured once it is imported",
        "导入后可实测速度",
    ),
    "size_variants": (
        "  weights  on disk        in memory   tokens/s (*: measured; others by the weights that each token reads)",
        "  量化     磁盘           内存        词元/秒（* 为实测，其余按每词元读取的权重推算）",
    ),
    "size_fits": ("fits", "放得下"),
    "size_does_not_fit": ("does not fit", "放不下"),
    "size_advice": (
        "{kind} is the most exact that fits; which is best for your questions tells: python -m eval calibrate model",
        "放得下的最精确量化是 {kind}；哪种最适合您的问题，请运行：python -m eval calibrate model",
    ),
    "size_advice_none": ("None fits on this machine; take a smaller model", "本机放不下任何一种，请换更小的模型"),
    "size_article": (
        "For comparison, as published for a 7B model (not measured here): weights, speed, loss of accuracy",
        "对照：7B 模型的公开数据（非本机实测）：权重大小、速度、精度损失",
    ),
    "size_article_rule": (
        "  its rule: 16 GB of memory: INT8; 8 GB: Q4_K_M; at least 4 cores and 8 GB",
        "  其建议：16 GB 内存选 INT8，8 GB 选 Q4_K_M；至少 4 核、8 GB",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
