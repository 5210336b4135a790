"""The words of the Knowledge page, in the manner of ``ui/i18n.py``, which takes them in."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

KNOWLEDGE_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "knowledge": ("Knowledge", "知识库"),
        "kb_views": ("Parts of this page", "本页分区"),
        "kb_view_articles": ("Articles", "文章"),
        "kb_view_update": ("Update", "更新"),
        "kb_view_history": ("History", "历史版本"),
        "kb_view_why": ("Why found?", "检索解释"),
        "kb_none_yet": (
            "There is no knowledge base yet. Hand in the first files under “Update”.",
            "尚未建立知识库，请在“更新”中上传第一批文件。",
        ),
        # the counts and the list
        "kb_count_articles": ("{count} articles", "{count} 篇文章"),
        "kb_count_passages": ("{count} passages", "{count} 个段落"),
        "kb_count_language": ("{count} in {name}", "{name} {count} 篇"),
        "kb_count_fresh": ("{count} from the last 3 months", "近 3 个月 {count} 篇"),
        "kb_count_older": ("{count} older than a year", "超过 1 年 {count} 篇"),
        "kb_count_undated": ("{count} without a date", "无日期 {count} 篇"),
        "kb_count_expired": ("{count} expired", "已失效 {count} 篇"),
        "kb_internal": ("Internal", "内部"),
        "kb_count_internal": ("{count} internal", "内部资料 {count} 篇"),
        "kb_find": ("Find", "查找"),
        "kb_find_hint": ("Title or file name", "标题或文件名"),
        "kb_language": ("Language", "语言"),
        "kb_source": ("Source", "来源"),
        "kb_age": ("Age", "时间"),
        "kb_all": ("All", "全部"),
        "kb_age_quarter": ("Last 3 months", "近 3 个月"),
        "kb_age_year": ("3 to 12 months", "3 至 12 个月"),
        "kb_age_older": ("Over a year", "超过 1 年"),
        "kb_age_undated": ("Without a date", "无日期"),
        "kb_age_expired": ("Expired", "已失效"),
        "kb_uploads": ("Handed in here", "本页上传"),
        "kb_title": ("Title", "标题"),
        "kb_updated": ("As of", "日期"),
        "kb_passages": ("Passages", "段落"),
        "kb_shown": ("{shown} of {count} articles", "{count} 篇文章中的 {shown} 篇"),
        "kb_more": ("Show more", "显示更多"),
        "kb_no_match": ("No article matches this filter.", "没有符合筛选条件的文章。"),
        # one article
        "kb_article": ("Article and its passages", "文章及其段落"),
        "kb_choose_article": ("Choose an article to see how it was cut.", "选择一篇文章，查看切分结果。"),
        "kb_article_gone": ("This article is not in the knowledge base any more.", "该文章已不在知识库中。"),
        "kb_link": ("Link", "链接"),
        "kb_valid_until": ("Valid until", "有效期至"),
        "kb_length": ("Length", "长度"),
        "kb_characters": ("{count} characters", "{count} 个字符"),
        "kb_offsets": ("Characters {start}–{end}", "字符 {start}–{end}"),
        "kb_tokens": ("{count} tokens", "{count} 个词元"),
        "kb_tokens_unknown": ("tokens are being counted", "正在统计词元"),
        "kb_why_this": ("Why was this (not) found?", "为何检索到（未检索到）？"),
        # bringing it up to date
        "kb_update_heading": ("Files and folders to bring in", "要导入的文件和文件夹"),
        "kb_upload": ("Hand in files", "上传文件"),
        "kb_upload_kinds": (
            "PDF, Word, Excel, PowerPoint, HTML, Markdown, text, mail, archives, pictures and more; "
            "up to {size} MB each.",
            "支持各类文档、表格、幻灯片、网页、纯文本、邮件、压缩包、图片等，单个文件不超过 {size} 兆。",
        ),
        "kb_waiting": ("Waiting to be published", "待发布的文件"),
        "kb_waiting_none": ("No file waits to be published.", "没有待发布的文件。"),
        "kb_new_file": ("new", "新文件"),
        "kb_replaces": ("replaces the earlier one", "替换原有文件"),
        "kb_size_kilobytes": ("{count} kB", "{count} 千字节"),
        "kb_discard": ("Take all back", "全部撤回"),
        "kb_reread": ("Folders to read again", "重新读取的文件夹"),
        "kb_reread_option": ("{name} ({count})", "{name}（{count}）"),
        "kb_prune": ("Remove articles whose files are gone", "移除文件已不存在的文章"),
        "kb_check": ("Check", "检查"),
        "kb_check_again": ("Check again", "重新检查"),
        "kb_check_why": (
            "Checking changes nothing: it says what would differ, and whether known questions are still answered.",
            "检查不会改动任何内容，只说明会有哪些变化，以及回归问题是否仍能答对。",
        ),
        "kb_lead_only": ("Leads check, admins publish. You can look.", "组长可检查，管理员可发布，您可以查看。"),
        "kb_publish": ("Publish", "发布"),
        "kb_publish_wait": ("An admin has to publish this.", "需由管理员发布。"),
        "kb_stop": ("Stop", "停止"),
        "kb_close": ("Close", "关闭"),
        # while it runs
        "kb_job_check": ("Checking", "正在检查"),
        "kb_job_publish": ("Publishing", "正在发布"),
        "kb_job_rollback": ("Going back", "正在回退"),
        "kb_begun": ("begun by {who} at {time}", "由 {who} 于 {time} 开始"),
        "kb_begun_here": ("begun at {time}", "{time} 开始"),
        "kb_starting": ("Getting ready", "正在准备"),
        "kb_reading": ("Reading: {done} of {total} files", "读取文件：{done} / {total}"),
        "kb_embedding": ("Embedding: {done} of {total} passages", "向量化段落：{done} / {total}"),
        "kb_publishing": (
            "Building the index and asking the known questions",
            "正在建立索引并验证回归问题",
        ),
        "kb_job_stopped": ("Stopped. Nothing was published.", "已停止，没有发布任何内容。"),
        # what came of it
        "kb_result": ("What would change", "将发生的变化"),
        "kb_result_none": (
            "Hand in files, or choose folders to read again, and check them.",
            "请上传文件或选择要重新读取的文件夹，然后检查。",
        ),
        "kb_nothing_changes": ("Nothing would change.", "不会有任何变化。"),
        "kb_would_hold": (
            "The knowledge base would hold {documents} articles in {passages} passages.",
            "知识库将有 {documents} 篇文章，{passages} 个段落。",
        ),
        "kb_added": ("{count} new", "新增 {count} 篇"),
        "kb_changed": ("{count} changed", "更新 {count} 篇"),
        "kb_moved": ("{count} moved", "移动 {count} 篇"),
        "kb_retired": ("{count} removed", "移除 {count} 篇"),
        "kb_fate_added": ("New", "新增"),
        "kb_fate_changed": ("Changed", "更新"),
        "kb_fate_moved": ("Moved", "移动"),
        "kb_fate_retired": ("Removed", "移除"),
        "kb_passages_from_to": ("passages: {before} → {after}", "段落：{before} → {after}"),
        "kb_lines": ("lines: +{came} −{gone}", "行：+{came} −{gone}"),
        "kb_moved_from": ("was {name}", "原为 {name}"),
        "kb_more_lines": ("… and {count} more lines", "……还有 {count} 行"),
        "kb_more_changes": ("… and {count} more articles", "……还有 {count} 篇文章"),
        "kb_details_changed": (
            "Only its details (title, date, audience ...) differ.",
            "仅标题、日期、受众等信息有变化。",
        ),
        "kb_missing": (
            "{count} articles of these folders have no file any more; tick “{option}” to remove them.",
            "这些文件夹中有 {count} 篇文章的文件已不存在，勾选“{option}”可移除。",
        ),
        "kb_refused": ("Files that could not be read", "无法读取的文件"),
        "kb_refused_file": ("{name}: {reason}", "{name}：{reason}"),
        "kb_unsupported": ("{count} files of other kinds are left out.", "已跳过 {count} 个其他类型的文件。"),
        "kb_same": ("The same text: {names}", "内容相同：{names}"),
        "kb_near": ("Nearly the same ({percent} %): {names}", "内容相近（{percent} %）：{names}"),
        "kb_gate": ("Known questions", "回归问题"),
        "kb_gate_none": (
            "No known questions are kept, so nobody can tell whether answers get worse.",
            "尚未登记回归问题，无法判断答案是否变差。",
        ),
        "kb_gate_passed": (
            "{after} of {questions} known questions find their article among the first {within} ({before} before).",
            "{questions} 个回归问题中有 {after} 个在前 {within} 篇内找到应有的文章（之前 {before} 个）。",
        ),
        "kb_gate_shut": (
            "Held back: {after} of {questions} known questions find their article among the first {within} "
            "({before} before).",
            "未通过：{questions} 个回归问题中只有 {after} 个在前 {within} 篇内找到应有的文章（之前 {before} 个）。",
        ),
        "kb_question_lost": ("Lost", "丢失"),
        "kb_question_won": ("Won", "新找到"),
        "kb_question_places": (
            "{document}: place {before} → {after}; now first: {first}",
            "{document}：排名 {before} → {after}；现居首位：{first}",
        ),
        "kb_place_none": ("not found", "未找到"),
        "kb_force": (
            "To publish all the same, type the number of lost questions: {count}",
            "如仍要发布，请输入丢失问题的数量：{count}",
        ),
        "kb_outdated": (
            "Files or the knowledge base have changed since this check. Check again before publishing.",
            "检查之后文件或知识库又有变化，请重新检查后再发布。",
        ),
        "kb_published": (
            "Published as no. {generation}: {documents} articles, {passages} passages.",
            "已发布为第 {generation} 版：{documents} 篇文章，{passages} 个段落。",
        ),
        "kb_unchanged": (
            "Nothing had changed; no. {generation} serves on.",
            "内容没有变化，第 {generation} 版继续使用。",
        ),
        # history
        "kb_history_heading": ("Published states", "已发布的版本"),
        "kb_generation": ("No.", "版本"),
        "kb_generation_current": ("{generation}, serving", "{generation}（使用中）"),
        "kb_at": ("Published", "发布时间"),
        "kb_articles": ("Articles", "文章"),
        "kb_what": ("Against the one before", "与前一版相比"),
        "kb_restored": ("no. {generation} again", "恢复第 {generation} 版"),
        "kb_lost": ("{count} questions lost", "{count} 个问题变差"),
        "kb_forced": ("published all the same", "强制发布"),
        "kb_choose_generation": (
            "Choose a state to see what it changed, or to go back to it.",
            "选择一个版本，查看其变化或回退到该版本。",
        ),
        "kb_generation_heading": ("What no. {generation} changed", "第 {generation} 版的变化"),
        "kb_not_kept": (
            "This state is too old: its articles are not kept any more.",
            "该版本过旧，其内容已不再保留。",
        ),
        "kb_go_back": ("Go back to no. {generation}", "回退到第 {generation} 版"),
        "kb_go_back_sure": (
            "Serve what no. {generation} held ({documents} articles) to everybody, as a new state? "
            "No text is lost, and you can come back.",
            "是否将第 {generation} 版的内容（{documents} 篇文章）作为新版本提供给所有人？内容不会丢失，可以再次恢复。",
        ),
        "kb_go_back_yes": ("Yes, go back", "确认回退"),
        "kb_cancel": ("Cancel", "取消"),
        "kb_went_back": (
            "No. {restored} serves again, as no. {generation}.",
            "第 {restored} 版已恢复使用，现为第 {generation} 版。",
        ),
        "kb_admins_only": ("Only admins go back.", "仅管理员可以回退。"),
        # why something was not done
        "error_IngestRunning": (
            "Another import is writing this knowledge base. Try again when it has ended.",
            "另一个导入任务正在写入该知识库，请等它结束后重试。",
        ),
        "error_IngestStopped": (
            "The import was stopped before its end; what was published before still serves.",
            "导入在完成前已停止；此前发布的知识库仍可使用。",
        ),
        "error_UploadUnusable": (
            "A file cannot be kept under its name; rename it.",
            "文件名无法使用，请重命名。",
        ),
        "error_StorageFull": (
            "The disk is full. Nothing was published, and what was published before still serves.",
            "磁盘已满；没有发布任何内容，此前发布的知识库仍可使用。",
        ),
        "error_NothingToIngest": (
            "There is nothing to read in these files and folders.",
            "这些文件和文件夹中没有可读取的内容。",
        ),
        "error_SourceMissing": (
            "A folder or a file is not there any more.",
            "文件夹或文件已不存在。",
        ),
        "error_GenerationGone": (
            "This state is not kept any more.",
            "该版本已不再保留。",
        ),
        "error_NotPermitted": ("You may not do this.", "您没有权限执行此操作。"),
    }
)
