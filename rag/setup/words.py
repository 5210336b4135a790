"""Messages of set-up, in both languages with the same placeholders."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    # one line a step: what, which way, how long
    "step": ("{what}: {way}, {seconds:.1f} s", "{what}：{way}，{seconds:.1f} 秒"),
    # the ways
    "here": ("already here", "已就绪"),
    "adopted": ("the server that answers at {url} is used", "使用已在 {url} 运行的服务"),
    "on_path": ("the one on PATH is used ({path})", "使用 PATH 中的版本（{path}）"),
    "release": ("official release downloaded", "已下载官方版本"),
    "built": ("built from source for this CPU ({variant})", "已针对本机 CPU（{variant}）从源码编译"),
    "installed": ("installed from the distribution", "已从系统软件源安装"),
    "pulled": ("pulled from the registry", "已从模型仓库下载"),
    "packaged": ("joined from {count} Python packages and verified", "已由 {count} 个 Python 软件包合并并校验"),
    "from_hub": ("downloaded from the model hub and verified", "已从模型社区下载并校验"),
    "converted": ("converted from Python packages and verified", "已由 Python 软件包转换并校验"),
    "started": ("started at {url}", "已启动：{url}"),
    "ingested": ("{documents} documents in {passages} passages", "{documents} 篇文档，{passages} 个片段"),
    "own_documents": ("yours is kept, the sample is not added", "保留您自己的文档，未加入示例"),
    "quantized": ("made from the float32 model", "已由 float32 模型生成"),
    # what the steps are about
    "server": ("Model server", "模型服务"),
    "sample": ("Sample knowledge base", "示例知识库"),
    "model": ("Model {name}", "模型 {name}"),
    "stand_in": ("Model {name} (a stand-in, not DeepSeek-R1)", "模型 {name}（替代模型，非 DeepSeek-R1）"),
    "embedder": ("Embedder {name}", "向量模型 {name}"),
    "fast_embedder": ("Embedder {name} for this CPU", "向量模型 {name}（本机加速版）"),
    # notes on the way
    "gave_up": ("  {who} gives nothing ({why}); next way: {next}", "  {who} 不可用（{why}）；改用：{next}"),
    "waiting": ("  another process is at this step; waiting for it", "  另一个进程正在执行此步骤，等待其完成"),
    "installing": (
        "  installing {packages} with {path}, in all these packages: {all}",
        "  正在用 {path} 安装 {packages}，共涉及以下软件包：{all}",
    ),
    "tools": ("  building with {paths}", "  编译所用工具：{paths}"),
    "root": (
        "You are root, so the desk, the readers of foreign files and Ollama may do anything on this machine; "
        "run it as a user of its own instead.",
        "当前以 root 身份运行，工作台、外来文件的解析进程和 Ollama 将拥有本机全部权限；建议改用专门的普通用户。",
    ),
    "tool": ("  fetching {name}, which this machine lacks", "  正在获取本机缺少的 {name}"),
    "going_on": ("  going on at {megabytes:.0f} MB", "  从 {megabytes:.0f} MB 处继续"),
    "first_build": (
        "  building takes three to five minutes, once; log: {log}",
        "  首次编译约需三到五分钟，仅此一次；日志：{log}",
    ),
    "serving": ("The desk is open: {address}  (Ctrl-C ends it)", "工作台已打开：{address}（按 Ctrl-C 退出）"),
    "plain_http": (
        "The desk is open to other machines without https: passwords can be read on the way. Put a proxy with https in "
        "front and name it in ANSWERDESK_TRUSTED_PROXIES (docs/people.md).",
        "工作台以未加密的 http 对其他机器开放，密码可能在传输中被读取。请在前面部署 https 代理，"
        "并用 ANSWERDESK_TRUSTED_PROXIES 指明（见 docs/people.md）。",
    ),
    "first_admin": (
        "Nobody can sign in yet. Open {address}/sign-in and make the first admin with this code: {code}",
        "尚无可登录的用户。请打开 {address}/sign-in，用此验证码创建第一位管理员：{code}",
    ),
    "interrupted": (
        "Stopped; what has arrived is kept, and the same command goes on from there.",
        "已中断；已完成的部分会保留，重新运行同一命令即可继续。",
    ),
    "ready": ("Everything is here.  Open the desk with: make run", "全部就绪。打开工作台：make run"),
    # names in the notes
    "registry": ("the Ollama registry", "Ollama 模型仓库"),
    "hub": ("the model hub", "模型社区"),
    "releases": ("Ollama's release page", "Ollama 发布页"),
    "packaged_stand_in": ("the packaged stand-in {name}", "打包的替代模型 {name}"),
    "packaged_embedder": ("the packaged copy", "打包的副本"),
    "source": ("the source", "源码编译"),
    # progress
    "downloading": ("downloading {what}", "正在下载 {what}"),
    "joining": ("joining {what}", "正在合并 {what}"),
    "building": ("building {what}", "正在编译 {what}"),
    "creating": ("handing {what} to Ollama", "正在导入 Ollama：{what}"),
    "converting": ("converting {what}", "正在转换 {what}"),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
