"""What the page Performance says: the English and the Chinese text of each key of ``ui/i18n.py``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PERFORMANCE_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
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
    }
)
