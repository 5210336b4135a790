"""Every word that the page says of its own accord: one key, two texts, the same placeholders.

No sentence is glued from parts, and what a customer, a document or a model has said is never translated here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rag.schema import Language

WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
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
        # people
        "sign_in": ("Sign in", "登录"),
        "sign_in_with": ("Sign in with your organisation's account", "使用单位账号登录"),
        "sign_out": ("Sign out", "退出登录"),
        "name": ("Name", "用户名"),
        "password": ("Password", "密码"),
        "password_new": ("New password, at least {limit} characters", "新密码，至少 {limit} 个字符"),
        "password_again": ("The same once more", "再次输入新密码"),
        "password_change": ("Change my password", "修改我的密码"),
        "password_changed": (
            "The password is changed. Please sign in with it.",
            "密码已修改，请用新密码登录。",
        ),
        "first_admin": ("First start: make the first admin", "首次启动：创建第一位管理员"),
        "first_admin_why": (
            "The code is in the terminal that started the desk.",
            "验证码显示在启动工作台的终端中。",
        ),
        "first_admin_code": ("Code", "验证码"),
        "first_admin_make": ("Make the admin", "创建管理员"),
        "role": ("Role", "角色"),
        "role_agent": ("Agent", "客服"),
        "role_lead": ("Lead", "组长"),
        "role_admin": ("Admin", "管理员"),
        "user_role": ("Role: {role}", "角色：{role}"),
        "user_scopes": ("May read: {names}", "可用知识库：{names}"),
        "list_comma": (", ", "、"),
        "scope": ("Knowledge base", "知识库"),
        "people": ("People", "用户"),
        "people_none_kept": ("This desk keeps no people.", "此工作台未启用用户管理。"),
        "people_not_required": (
            "Nobody has to sign in now: whoever sits at this machine may do everything. From the first admin on, "
            "everybody signs in.",
            "目前无需登录：使用本机的人可以执行所有操作。添加第一位管理员后，所有人都需要登录。",
        ),
        "people_nobody": ("Nobody yet.", "尚无用户。"),
        "people_may_read": ("May read", "可用知识库"),
        "people_everything": ("Every knowledge base", "全部知识库"),
        "people_choose_scopes": ("Choose knowledge bases", "选择知识库"),
        "people_state": ("State", "状态"),
        "people_active": ("Active", "正常"),
        "people_disabled": ("Disabled", "已停用"),
        "people_elsewhere": ("Signs in with the organisation's account", "使用单位账号登录"),
        "people_add": ("Let somebody in", "添加用户"),
        "people_add_button": ("Add", "添加"),
        "people_password_empty": ("Empty: the organisation's account", "留空表示使用单位账号"),
        "people_change": ("Change somebody", "修改用户"),
        "people_save": ("Save", "保存"),
        "people_disable": ("Disable", "停用"),
        "people_enable": ("Enable", "启用"),
        "people_sign_out": ("Sign out everywhere", "使所有登录失效"),
        "people_set_password": ("Set the password", "设置密码"),
        "people_done": ("Done. It acts from the next click on.", "已完成，从下一次点击起生效。"),
        # performance
        "performance": ("Performance", "性能"),
        "performance_window": ("Window", "时间范围"),
        "window_15m": ("15 min", "15 分钟"),
        "window_1h": ("1 h", "1 小时"),
        "window_24h": ("24 h", "24 小时"),
        "window_7d": ("7 d", "7 天"),
        "performance_live": ("Live, every 2 s", "实时，每 2 秒"),
        "performance_none": (
            "Nothing was asked in this window. Choose a longer one.",
            "该时间范围内没有提问，请选择更长的范围。",
        ),
        "performance_of": (
            "{window} until {time}: {count} questions ({states}). Model: {models}. Times from {measured} of them.",
            "截至 {time} 的 {window}：{count} 个提问（{states}）。模型：{models}。其中 {measured} 个有计时。",
        ),
        "performance_no_model": ("no model", "无模型"),
        "performance_stand_in": ("{model} (stand-in, not DeepSeek-R1)", "{model}（替代模型，非 DeepSeek-R1）"),
        "states_done": ("{count} answered", "{count} 个已回答"),
        "states_refused": ("{count} refused", "{count} 个未找到答案"),
        "states_failed": ("{count} failed", "{count} 个失败"),
        "states_stopped": ("{count} stopped", "{count} 个已停止"),
        "states_running": ("{count} running", "{count} 个进行中"),
        "stage_time_evidence": ("Evidence shown", "依据显示"),
        "stage_time_total": ("Whole answer", "完整回答"),
        "stage_time_embed": ("Embedding", "向量化"),
        "stage_time_search": ("Search", "检索"),
        "stage_time_pack": ("Packing", "整理"),
        "stage_time_wait": ("Waiting for a slot", "排队"),
        "stage_time_load": ("Loading the model", "加载模型"),
        "stage_time_prompt": ("Reading, to the first token", "阅读至首字"),
        "stage_time_thinking": ("Thinking", "思考"),
        "stage_time_answer": ("Writing", "撰写"),
        "stage_time_citations": ("Citations", "核对出处"),
        "figure_percentile": ("{stage} p{percent}", "{stage} p{percent}"),
        "figure_budget": ("Budget left", "剩余容错"),
        "figure_budget_help": (
            "Evidence within {limit} for {share} % of the questions: {met} of {count} were. {late} may be late, {were} "
            "were. Burn {burn}: above 1 the objective is missed.",
            "{share} % 的提问应在 {limit} 内显示依据：{count} 个中 {met} 个达标。允许超时 {late} 个，实际 {were} 个。"
            "消耗速度 {burn}，大于 1 表示未达标。",
        ),
        "figure_burn": ("Burn", "消耗速度"),
        "figure_rate": ("Asked/min", "提问/分钟"),
        "figure_tokens": ("Tokens/s", "词元/秒"),
        "figure_queue": ("Waiting now", "当前排队"),
        "chart_stage": ("Stage", "阶段"),
        "chart_title": ("{stage} over time, seconds", "{stage}随时间变化（秒）"),
        "chart_alt": (
            "Line chart of the 50th, 95th and 99th percentile of {stage}, {window}. The same numbers are in the table "
            "below it.",
            "{stage}第 50、95、99 百分位的折线图，{window}。相同数字见下方表格。",
        ),
        "chart_numbers": ("The same as numbers", "数据表"),
        "chart_time": ("Time", "时间"),
        "stages_title": ("Stages, slowest first", "各阶段，最慢在前"),
        "stages_count": ("n", "次数"),
        "stages_alt": ("Each stage with its percentiles, the slowest first", "各阶段的百分位数，最慢的在前"),
        "slowest_title": ("Slowest questions; choose one to open it", "最慢的提问，点击打开"),
        "slowest_none": ("No complete answer in this window.", "该时间范围内没有完整回答。"),
        "slowest_note": ("{total}, of it {stage} {worst}", "{total}，其中{stage} {worst}"),
        "machine_title": ("This machine now", "本机当前状态"),
        "machine_looking": ("Looking …", "正在查看……"),
        "machine_slots": ("Answers at once", "同时生成"),
        "machine_slots_value": ("{running} of {slots}", "{running}/{slots}"),
        "machine_average": ("An answer takes, lately", "近期平均用时"),
        "machine_cpu": ("CPU, {cores} cores", "处理器，{cores} 核"),
        "machine_memory": ("Memory", "内存"),
        "machine_of": ("{used} of {total} GB", "{used}/{total} GB"),
        "machine_desk": ("This program's memory", "本程序内存"),
        "machine_gigabytes": ("{count} GB", "{count} GB"),
        "machine_percent": ("{count} %", "{count} %"),
        "machine_model": ("Model {model}", "模型 {model}"),
        "machine_model_value": ("{all} GB, {gpu} GB of it on the GPU", "{all} GB，其中显卡 {gpu} GB"),
        "machine_no_server": ("Model server down", "模型服务未运行"),
        "machine_no_model": ("No model loaded", "未加载模型"),
        "machine_gpu": ("GPU {name}", "显卡 {name}"),
        "machine_gpu_value": ("{busy} % busy, {used} of {total} GB", "占用 {busy} %，显存 {used}/{total} GB"),
        "machine_no_gpu": ("No GPU found", "未发现显卡"),
        "machine_what": ("What", "项目"),
        "machine_value": ("Value", "数值"),
        # who changed what
        "record": ("Who changed what", "变更记录"),
        "record_empty": ("Nothing was changed yet.", "尚无变更。"),
        "record_shown": (
            "The last {count} changes; all of them are in the file.",
            "最近 {count} 条变更，完整记录见文件。",
        ),
        "record_at": ("When", "时间"),
        "record_who": ("Who", "操作人"),
        "record_what": ("What", "操作"),
        "record_about": ("About", "对象"),
        "record_how": ("How", "内容"),
        "record_download": ("All changes as a file", "下载全部记录"),
        "change_person_added": ("Let in", "添加用户"),
        "change_person_role": ("Role given", "更改角色"),
        "change_person_scopes": ("Knowledge bases given", "更改可用知识库"),
        "change_person_disabled": ("Disabled", "停用"),
        "change_person_enabled": ("Enabled", "启用"),
        "change_password_set": ("Password set", "设置密码"),
        "change_signed_out_everywhere": ("Signed out everywhere", "使所有登录失效"),
        "change_published": ("Published", "发布"),
        "change_rolled_back": ("Rolled back", "回滚"),
        "change_correction": ("Corrected an answer", "更正答案"),
        "change_setting": ("Setting", "设置"),
        "change_model": ("Model", "模型"),
        "no_scope": (
            "No knowledge base is open to you yet. Ask an admin.",
            "您还没有可用的知识库，请联系管理员。",
        ),
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
        "turn_missing": ("This question is not kept here.", "这里没有保存该问题。"),
        "page_failed": (
            "Something failed (no. {number}). Nothing was lost.",
            "出错了（编号 {number}），内容没有丢失。",
        ),
        # why a turn ended early: one sentence an error class of rag/errors.py
        "error_QuestionEmpty": ("Please type a question.", "请输入问题。"),
        "error_QuestionTooLong": (
            "The question is too long; please shorten it to the part that matters.",
            "问题太长，请只保留关键部分。",
        ),
        "error_QuestionWithoutWords": (
            "The question has no words to search for; please describe the problem in words.",
            "问题中没有可以检索的文字，请用文字描述问题。",
        ),
        "error_KnowledgeBaseMissing": (
            "No knowledge base yet. Ask an admin to import the articles.",
            "尚未建立知识库，请管理员导入文章。",
        ),
        "error_EmbedderMismatch": (
            "The index was built with another model. Ask an admin to rebuild it.",
            "索引由其他模型建立，请管理员重建。",
        ),
        "error_EmbedderMissing": (
            "The search model is not installed. Ask an admin to run the set-up.",
            "检索模型尚未安装，请管理员运行安装程序。",
        ),
        "error_KnowledgeError": (
            "The knowledge base cannot be read. Ask an admin to rebuild it.",
            "知识库无法读取，请管理员重建。",
        ),
        "error_OllamaUnavailable": (
            "The model server is not running. Evidence still works.",
            "模型服务未运行，依据检索仍可使用。",
        ),
        "error_ModelMissing": (
            "The model is not installed. Evidence still works; tell an admin.",
            "模型尚未安装，依据检索仍可使用，请联系管理员。",
        ),
        "error_ModelTimedOut": (
            "The model took too long. Evidence can be used as it is.",
            "模型响应超时，依据可直接使用。",
        ),
        "error_ModelStoppedHalfway": (
            "The model stopped halfway; this part may be incomplete.",
            "模型中途停止，以下内容可能不完整。",
        ),
        "error_ModelSaidNothing": (
            "The model gave no answer. Evidence can be used as it is.",
            "模型没有给出回答，依据可直接使用。",
        ),
        "error_QueueFull": (
            "Too many questions are waiting. Evidence still works; try again in a moment.",
            "排队的问题过多，依据仍可使用，请稍后重试。",
        ),
        "error_AnswerCancelled": ("Stopped, incomplete.", "已停止，内容不完整。"),
        "error_AnswerInterrupted": (
            "The desk was restarted before this answer was complete; please retry.",
            "回答完成前工作台已重启，请重试。",
        ),
        "error_SignInNeeded": (
            "You are not signed in, or your sign-in has ended.",
            "您尚未登录，或登录已失效。",
        ),
        "error_PeopleError": ("You may not do this.", "您没有权限执行此操作。"),
        "error_PersonUnknown": (
            "This name may not use the desk. Ask an admin to add it.",
            "该用户尚未开通，请联系管理员添加。",
        ),
        "error_AccessDenied": ("You may not see this.", "您没有查看权限。"),
        "error_OpenWithoutSignIn": (
            "This desk can be reached from other machines, but nobody has to sign in. Ask whoever runs it to switch "
            "sign-in on.",
            "其他机器可以访问此工作台，但未启用登录。请联系管理员启用登录。",
        ),
        "error_ServingError": (
            "The model cannot answer now. Evidence still works; tell an admin.",
            "模型暂时无法回答，依据检索仍可使用，请联系管理员。",
        ),
        "error_AnswerdeskError": (
            "This could not be finished. Nothing was lost; please retry.",
            "未能完成，内容没有丢失，请重试。",
        ),
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
