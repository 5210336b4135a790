"""The words of the Models page, in the manner of ``ui/i18n.py``, which takes them in."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MODEL_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "models": ("Models", "模型"),
        "m_views": ("Parts of this page", "本页分区"),
        "m_view_installed": ("Installed", "已安装"),
        "m_view_make": ("Get and make", "获取与制作"),
        "m_view_calibrate": ("Calibrate", "选型评测"),
        "m_view_profile": ("Profile", "用途"),
        "m_none_kept": ("This desk has no models to look after.", "此工作台没有可管理的模型。"),
        # installed
        "m_installed": ("Installed models", "已安装的模型"),
        "m_none": ("No model is installed.", "尚未安装模型。"),
        "m_looking": ("Asking the model server", "正在查询模型服务"),
        "m_model": ("Model", "模型"),
        "m_quantization": ("Weights", "量化"),
        "m_on_disk": ("On disk", "磁盘"),
        "m_in_memory": ("In memory", "内存"),
        "m_remarks": ("Remarks", "说明"),
        "m_answers_now": ("Answers now", "正在使用"),
        "m_answers_next": ("Answers from the next start on", "下次启动后使用"),
        "m_reconstructed": ("F16 reconstructed from {kind}", "F16 由 {kind} 还原"),
        "m_no_format": ("No chat format", "没有对话格式"),
        "m_served": (
            "{slots} at once, {context} tokens each, until {until}",
            "并发 {slots}，每个 {context} 词元，保留到 {until}",
        ),
        "m_served_unknown": ("{context} tokens each, until {until}", "每个 {context} 词元，保留到 {until}"),
        "m_for_ever": ("it is taken out", "手动卸载"),
        "m_slots_ours": (
            "The desk has up to {slots} answers written at once, with {context} tokens each.",
            "工作台最多同时生成 {slots} 个回答，每个 {context} 词元。",
        ),
        "m_slots_adopted": (
            "The desk has up to {slots} answers written at once, with {context} tokens each. It did not start this "
            "model server, which does not tell how many slots it has.",
            "工作台最多同时生成 {slots} 个回答，每个 {context} 词元。模型服务并非由工作台启动，其并发数未知。",
        ),
        "m_first_host": (
            "{count} model servers share the questions; this page is about the first one.",
            "{count} 个模型服务共同回答问题；本页只针对第一个。",
        ),
        "m_choose": ("Choose a model to see what it takes.", "选择一个模型查看其资源占用。"),
        "m_this_model": ("This model", "所选模型"),
        "m_load": ("Load now", "预加载"),
        "m_unload": ("Unload", "卸载"),
        "m_use": ("Let it answer from the next start on", "下次启动后使用"),
        "m_unload_waits": (
            "Unloading waits for the answers that are being written, {count} now, and lets none begin meanwhile. The "
            "next question loads the model again.",
            "卸载会等待正在生成的回答（目前 {count} 个）完成，期间不会开始新的回答。下一个问题会重新加载模型。",
        ),
        "m_load_waits": (
            "{name} is in memory. Loading this one takes it out, after the answers that are being written, {count} "
            "now.",
            "内存中已有 {name}。加载此模型会将其移出，并先等待正在生成的回答（目前 {count} 个）完成。",
        ),
        "m_delete_heading": ("Delete", "删除"),
        "m_delete": ("Delete this model", "删除此模型"),
        "m_delete_type": ("Type its name to delete it", "输入模型名称以确认删除"),
        "m_delete_chosen": (
            "This model answers the desk's questions; without it another one answers, or none.",
            "此模型正由工作台使用；删除后将改用其他模型，或无法回答。",
        ),
        # what it takes
        "m_advice": ("What it takes here", "在本机的资源占用"),
        "m_slots": ("Answers at once", "同时回答数"),
        "m_context": ("Tokens of each", "每个的词元数"),
        "m_advice_fits": (
            "With {asked} answers at once of {context} tokens it takes {total} GB of the {budget} GB for models, so it "
            "fits. Memory would do for {most} at once; {slots} are advised on this machine. The most "
            "exact weights that fit are {kind}.",
            "同时 {asked} 个回答、每个 {context} 词元时占用 {total} GB，可供模型使用 {budget} GB，放得下。内存最多容纳 "
            "{most} 个，本机建议 {slots} 个。放得下的最精确量化是 {kind}。",
        ),
        "m_advice_too_much": (
            "With {asked} answers at once of {context} tokens it takes {total} GB of the {budget} GB for models, so it "
            "does not fit. Memory would do for {most} at once; {slots} are advised on this machine. The most "
            "exact weights that fit are {kind}.",
            "同时 {asked} 个回答、每个 {context} 词元时占用 {total} GB，可供模型使用 {budget} GB，放不下。内存最多容纳 "
            "{most} 个，本机建议 {slots} 个。放得下的最精确量化是 {kind}。",
        ),
        "m_advice_none": (
            "With {asked} answers at once of {context} tokens it takes {total} GB of the {budget} GB for models, and "
            "no quantization of it fits: memory would do for {most} at once, {slots} are advised on this machine. "
            "Take a smaller model.",
            "同时 {asked} 个回答、每个 {context} 词元时占用 {total} GB，可供模型使用 {budget} GB，任何量化都放不下："
            "内存最多容纳 {most} 个，本机建议 {slots} 个。请换更小的模型。",
        ),
        "m_no_shape": (
            "What this model takes cannot be worked out: its file does not say how it is built.",
            "无法估算该模型的占用：其文件没有说明结构。",
        ),
        "m_arithmetic": ("How that is worked out", "计算过程"),
        # getting and making
        "m_pull_heading": ("From Ollama's registry", "从 Ollama 仓库下载"),
        "m_pull_name": ("Name of the model", "模型名称"),
        "m_pull": ("Download", "下载"),
        "m_import_heading": ("From files on this server", "导入服务器上的文件"),
        "m_path": (
            "Whole path of a GGUF file, or of a folder of safetensors",
            "GGUF 文件或 safetensors 文件夹的完整路径",
        ),
        "m_new_name": ("How to call it", "新模型名称"),
        "m_format": ("Chat format", "对话格式"),
        "m_format_told": ("As the files tell", "由文件判断"),
        "m_kind": ("Quantization", "量化方式"),
        "m_kind_choose": ("Choose or type a kind", "选择或输入量化方式"),
        "m_kind_unchanged": ("As it is", "不量化"),
        "m_import": ("Import", "导入"),
        "m_quantize_heading": ("Make a smaller one", "量化为更小的模型"),
        "m_quantize_why": (
            "Of an F16 or BF16 model. What is quantized already is refused: again would only lose more.",
            "适用于 F16 或 BF16 模型。已量化的模型会被拒绝，再次量化只会损失更多。",
        ),
        "m_source": ("Model", "原模型"),
        "m_new_name_optional": ("How to call it; empty: after its source", "新模型名称；留空则按原模型命名"),
        "m_quantize": ("Quantize", "量化"),
        "m_made_here": ("What is being made is shown here.", "进行中的任务会显示在这里。"),
        # jobs
        "m_job_pull": ("Downloading", "正在下载"),
        "m_job_import": ("Importing", "正在导入"),
        "m_job_quantize": ("Quantizing", "正在量化"),
        "m_job_load": ("Loading", "正在加载"),
        "m_job_unload": ("Unloading", "正在卸载"),
        "m_job_delete": ("Deleting", "正在删除"),
        "m_job_use": ("Choosing", "正在设置"),
        "m_step_downloading": ("Downloading {what}", "正在下载 {what}"),
        "m_step_checking": ("Taking the checksum of {what}", "正在计算校验和：{what}"),
        "m_step_sending": ("Handing {what} to the model server", "正在传给模型服务：{what}"),
        "m_step_making": ("Making {what}", "正在生成 {what}"),
        "m_step_loading": ("Loading {what}", "正在加载 {what}"),
        "m_step_unloading": ("Unloading {what}", "正在卸载 {what}"),
        "m_step_deleting": ("Deleting {what}", "正在删除 {what}"),
        "m_bytes": ("{done} of {total} GB, {seconds} s", "{done} / {total} GB，{seconds} 秒"),
        "m_seconds": ("{seconds} s", "{seconds} 秒"),
        "m_waiting": (
            "Waiting for {count} answers that are being written, {seconds} s",
            "正在等待 {count} 个回答生成完毕，{seconds} 秒",
        ),
        "m_stop": ("Stop", "停止"),
        "m_stopped": (
            "Stopped. No model was changed; what was downloaded is kept for the next try.",
            "已停止，没有改动任何模型；已下载的部分会保留到下次。",
        ),
        "m_done_pull": ("{name} is installed: {size}, {kind}.", "已安装 {name}：{size}，{kind}。"),
        "m_done_import": ("{name} is made: {size}, {kind}.", "已生成 {name}：{size}，{kind}。"),
        "m_done_quantize": ("{name} is made: {size}, {kind}.", "已生成 {name}：{size}，{kind}。"),
        "m_done_load": ("{name} is in memory.", "{name} 已加载到内存。"),
        "m_done_unload": ("{name} is out of memory.", "{name} 已移出内存。"),
        "m_done_delete": ("{name} is deleted.", "已删除 {name}。"),
        "m_done_use": (
            "{name} answers from the desk's next start on.",
            "工作台下次启动后使用 {name}。",
        ),
        "m_speechless": (
            "{name} has no chat format and would answer nonsense; import its file and choose the format.",
            "{name} 没有对话格式，会胡乱回答；请导入其文件并选择格式。",
        ),
        "m_goes_before": (
            "But {variables} is set in the environment of the desk and goes before that.",
            "但工作台的环境变量 {variables} 已设置，优先于此选择。",
        ),
        "m_busy": (
            "Something like this is running already; wait for it to end.",
            "已有同类任务正在进行，请等待其完成。",
        ),
        "m_missing": ("This model is not installed (any more).", "该模型未安装，或已被删除。"),
        "m_refused": (
            "The model server refused this; the desk's log has its words.",
            "模型服务拒绝了此操作，详情见工作台日志。",
        ),
        "m_not_kept": (
            "The choice cannot be read or kept; the desk's file of settings is damaged or cannot be written.",
            "无法读取或保存该选择：工作台的设置文件已损坏或不可写。",
        ),
        # calibrating
        "m_calibrate_heading": ("Try a model on this machine", "在本机试用模型"),
        "m_calibrate_why": (
            "Asks this knowledge base's own questions with every slot busy, on a model server of its own. Best while "
            "nobody asks: on a busy machine its figures choose nothing.",
            "在独立的模型服务上，以全部并发提问本知识库自己的问题。请在无人提问时进行，机器繁忙时的结果没有意义。",
        ),
        "m_no_questions": (
            "This knowledge base keeps no question whose answer is known. Accepted corrections become such questions.",
            "该知识库没有已知答案的问题。被采纳的更正会成为这类问题。",
        ),
        "m_minutes": ("Minutes at the most", "最长分钟数"),
        "m_calibrate": ("Begin", "开始"),
        "m_runs": ("Calibrations with this knowledge base", "使用该知识库的选型评测"),
        "m_best_setting": ("Best setting", "最佳配置"),
        "m_job_calibrate": ("Trying", "正在试用"),
        "m_job_choose": ("Bringing the winner to the desk", "正在启用最佳配置"),
        "m_calibrating": (
            "Setting {number} of {count}, {slots} at once: {done} of {total} questions",
            "第 {number} / {count} 种配置，并发 {slots}：已完成 {done} / {total} 题",
        ),
        "m_calibrate_stopped": (
            "Stopped. Answers that were given so far are kept; the run has no figures yet.",
            "已停止。已得到的回答会保留，但该次评测尚无指标。",
        ),
        "m_found": ("What was found", "评测结果"),
        "m_setting": ("Setting", "配置"),
        "m_figures": ("Figures of each setting", "各配置的指标"),
        "m_best": ("best", "最佳"),
        "m_not_whole": (
            "Time was up before all questions were asked; accuracy counts those that every setting was asked.",
            "时间已到，部分问题未问完；准确率只计所有配置都回答过的问题。",
        ),
        "m_choose_winner": ("Use these settings from the next start on", "下次启动后采用最佳配置"),
        "m_done_choose": (
            "The best setting serves from the next start of the desk and of its model server on.",
            "工作台及其模型服务下次启动后采用最佳配置。",
        ),
        # profiles
        "m_profile_heading": ("What the desk is used for", "工作台用途"),
        "m_profile_why": (
            "A profile says how the model draws its words: how boldly, from how many, and whether repeating costs.",
            "用途决定模型如何选词：随机程度、候选范围，以及是否抑制重复。",
        ),
        "m_profiles": ("Profiles", "可选用途"),
        "m_profile": ("Profile", "用途"),
        "m_temperature": ("Temperature", "温度"),
        "m_top_p": ("Share of candidates", "候选概率"),
        "m_top_p_own": ("the model's own", "模型自带"),
        "m_penalty": ("Penalty on repeating", "重复惩罚"),
        "m_penalty_none": ("none", "无"),
        "m_profile_support": ("Support", "客服答疑"),
        "m_profile_code": ("Code help", "编程帮助"),
        "m_profile_now": ("in force", "当前使用"),
        "m_profile_next": ("From the next start on", "下次启动后使用"),
        "m_profile_save": ("Keep this choice", "保存"),
        "m_profile_saved": (
            "Kept. It acts from the desk's next start on.",
            "已保存，工作台下次启动后生效。",
        ),
        # what the record of changes says was done to a model
        "m_action_pulled": ("downloaded", "下载"),
        "m_action_imported": ("imported", "导入"),
        "m_action_quantized": ("quantized", "量化"),
        "m_action_chosen": ("chosen for the next start", "设为下次启动使用"),
        "m_action_deleted": ("deleted", "删除"),
    }
)
