"""What ``python -m ingest`` says, in both languages with the same placeholders."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "reading": ("Reading", "读取"),
    "embedding": ("Embedding", "向量化"),
    "publishing": ("Publishing", "发布"),
    "files": ("{files_done}/{files_total} files", "{files_done}/{files_total} 个文件"),
    "files_and_passages": (
        "{files_done}/{files_total} files, {done} passages embedded, {rate:.1f}/s",
        "{files_done}/{files_total} 个文件，已向量化 {done} 个片段，每秒 {rate:.1f} 个",
    ),
    "passages": ("{done}/{total} passages, {rate:.1f}/s", "{done}/{total} 个片段，每秒 {rate:.1f} 个"),
    "counts": (
        "Added {added}, changed {changed}, unchanged {unchanged}, moved {moved}, retired {retired}, failed {failed}.",
        "新增 {added}，更新 {changed}，未变 {unchanged}，移动 {moved}，移除 {retired}，失败 {failed}。",
    ),
    "published": (
        "Knowledge base {name}, generation {generation}: {documents} documents, {chunks} passages.",
        "知识库 {name}，第 {generation} 代：{documents} 篇文档，{chunks} 个片段。",
    ),
    "unchanged": (
        "Nothing has changed: knowledge base {name} stays at generation {generation}, "
        "{documents} documents, {chunks} passages.",
        "内容没有变化：知识库 {name} 仍为第 {generation} 代，{documents} 篇文档，{chunks} 个片段。",
    ),
    "speed": (
        "Embedded {embedded} passages; {seconds:.1f} s in all, {rate:.1f} passages a second end to end.",
        "向量化 {embedded} 个片段；共 {seconds:.1f} 秒，端到端每秒 {rate:.1f} 个。",
    ),
    "no_embedding": ("No passage was new; {seconds:.1f} s in all.", "没有新片段；共 {seconds:.1f} 秒。"),
    "missing": (
        "{missing} known documents were not found any more; retire them with --prune.",
        "有 {missing} 篇已知文档不在了，可用 --prune 移除。",
    ),
    "unsupported": (
        "Left out, for this kind of file is not supported: {kinds}",
        "已跳过不支持的文件类型：{kinds}",
    ),
    "links_out": (
        "Left out, for they lead out of the folders: {count} links, e.g. {example}; --follow-links reads them, too.",
        "已跳过 {count} 个指向文件夹之外的链接，例如 {example}；如需一并读取，请加 --follow-links。",
    ),
    "no_ending": ("without an ending", "无扩展名"),
    "and_more": ("... and {count} more", "……还有 {count} 篇"),
    "difference": (
        "Would add {added} (+), change {changed} (~), move {moved} (>); {missing} are gone (-), which --prune retires; "
        "{unchanged} unchanged, {failures} unreadable (!). Nothing was written.",
        "将新增 {added} 篇（+），更新 {changed} 篇（~），移动 {moved} 篇（>）；"
        "{missing} 篇已不在（-），可用 --prune 移除；"
        "{unchanged} 篇未变，{failures} 个无法读取（!）。未写入任何内容。",
    ),
    "check_passed": (
        "Generation {generation} is sound: {documents} documents, {passages} passages; rows, postings, vectors and "
        "index agree.",
        "第 {generation} 代完好：{documents} 篇文档，{passages} 个片段，记录、全文索引、向量和向量索引彼此一致。",
    ),
    "check_failed": (
        "Generation {generation} is damaged; mend it with: python -m ingest --repair",
        "第 {generation} 代已损坏，请修复：python -m ingest --repair",
    ),
    "not_recorded": (
        "Done, but not in the record of changes: {reason}",
        "已完成，但未能写入变更记录：{reason}",
    ),
    "repaired": ("Mended: generation {generation}.", "已修复：第 {generation} 代。"),
    "wrong_database": (
        "The database file: {count} faults, e.g. {example}",
        "数据库文件：{count} 处错误，例如 {example}",
    ),
    "wrong_counts": ("Rows are missing or too many: {example}", "记录数量不符：{example}"),
    "wrong_offsets": (
        "{count} passages are not where their document has them, e.g. {example}",
        "{count} 个片段与其文档位置不符，例如 {example}",
    ),
    "wrong_postings": (
        "{count} passages have other terms than their text, e.g. {example}",
        "{count} 个片段的检索词有误，例如 {example}",
    ),
    "wrong_hashes": (
        "{count} passages have another text's fingerprint, e.g. {example}",
        "{count} 个片段的指纹与正文不符，例如 {example}",
    ),
    "wrong_vectors": ("{count} vectors are missing or damaged: {example}", "{count} 个向量缺失或损坏：{example}"),
    "wrong_tokens": (
        "The kept tokens of {count} passages are damaged, e.g. {example}",
        "{count} 个片段所保存的词元已损坏，例如 {example}",
    ),
    "wrong_index": ("The vector index: {count} faults, e.g. {example}", "向量索引：{count} 处错误，例如 {example}"),
    "generation_ingested": (
        "{generation:4}  {at}  {documents} documents, {passages} passages; +{added} ~{changed} -{retired}",
        "{generation:4}  {at}  {documents} 篇文档，{passages} 个片段；+{added} ~{changed} -{retired}",
    ),
    "generation_restored": (
        "{generation:4}  {at}  {documents} documents, {passages} passages; generation {restored} again",
        "{generation:4}  {at}  {documents} 篇文档，{passages} 个片段；恢复自第 {restored} 代",
    ),
    "rolled_back": (
        "Generation {restored} serves again, as generation {generation}: {documents} documents, {passages} passages.",
        "已恢复第 {restored} 代，现为第 {generation} 代：{documents} 篇文档，{passages} 个片段。",
    ),
    "new_detail": ("@ new, not confirmed: {detail} ({document})", "@ 新出现，尚未确认：{detail}（{document}）"),
    "new_details": (
        "{count} addresses are new. Answers that name them are marked until somebody confirms them: "
        "python -m ingest --confirm",
        "有 {count} 个新出现的联系方式。确认之前，提到它们的回答会带有标记：python -m ingest --confirm",
    ),
    "details_confirmed": (
        "Confirmed: {count} new addresses of generation {generation}.",
        "已确认第 {generation} 代中 {count} 个新的联系方式。",
    ),
    "questions_kept": (
        "{name} has {count} regression questions now; from the next run on, a generation that finds them worse is "
        "not published.",
        "知识库 {name} 现有 {count} 个回归问题；今后检索结果变差的版本不会发布。",
    ),
    "questions_left_out": (
        "{count} questions of the file name no relevant document and were left out.",
        "文件中有 {count} 个问题未注明相关文档，已跳过。",
    ),
    "duplicates": (
        "{same} groups of documents have one text between them (=), {near} pairs are nearly the same (~), "
        "{lines} lines stand on half of a folder's pages or more (#). With --json all are listed.",
        "{same} 组文档内容完全相同（=），{near} 对文档几乎相同（~），"
        "{lines} 行文字出现在同一文件夹半数以上的页面中（#）。使用 --json 可列出全部。",
    ),
    "duplicates_new": (
        "Among what is new, {same} groups of documents have one text between them and {near} pairs are nearly the "
        "same; see --duplicates.",
        "新内容中有 {same} 组文档内容完全相同，{near} 对文档几乎相同，详见 --duplicates。",
    ),
    "gate_passed": (
        "Regression questions: {after} of {questions} find their document among the first {within}, {before} before.",
        "回归问题：{questions} 个中有 {after} 个在前 {within} 篇内找到应有的文档，之前为 {before} 个。",
    ),
    "gate_shut": (
        "NOT PUBLISHED: {after} of {questions} regression questions find their document among the first {within}, "
        "{before} before; the margin is {margin:g} points. What was published before serves on. "
        "Publish all the same with --force.",
        "未发布：{questions} 个回归问题中只有 {after} 个在前 {within} 篇内找到应有的文档，之前为 {before} 个，"
        "允许下降 {margin:g} 个百分点。原有知识库继续使用；如仍要发布，请加 --force。",
    ),
    "gate_forced": (
        "Published by --force: {after} of {questions} regression questions find their document among the first "
        "{within}, {before} before.",
        "已按 --force 强制发布：{questions} 个回归问题中有 {after} 个在前 {within} 篇内找到应有的文档，"
        "之前为 {before} 个。",
    ),
    "gate_current": (
        "Knowledge base {name}: {found} of {questions} regression questions find their document among the first "
        "{within}.",
        "知识库 {name}：{questions} 个回归问题中有 {found} 个在前 {within} 篇内找到应有的文档。",
    ),
    "gate_retired": (
        "{count} questions lost their document because --prune retired it:",
        "有 {count} 个问题的文档已被 --prune 移除：",
    ),
    "gate_unknown": (
        "{count} questions name documents that are not in the knowledge base (see --list for their names).",
        "有 {count} 个问题所注明的文档不在知识库中（文档名见 --list）。",
    ),
    "gate_new": (
        "{count} questions had nothing to be compared with.",
        "有 {count} 个问题没有可比较的旧结果。",
    ),
    "and_more_questions": ("... and {count} more", "……还有 {count} 个"),
    "place_none": ("none", "无"),
    "document_stands": (
        "{document} is at place {place}; first is {first}",
        "{document} 排名第 {place}，居首位的是 {first}",
    ),
    "document_at": (
        "{document}: place {before} -> {after}; first is {first}",
        "{document}：排名 {before} -> {after}，现居首位的是 {first}",
    ),
    "document_not_found": (
        "{document} is not among the passages found; first is {first}",
        "{document} 未检索到，现居首位的是 {first}",
    ),
    "document_gone": (
        "{document} is not in the knowledge base any more; first is {first}",
        "{document} 已不在知识库中，现居首位的是 {first}",
    ),
    "not_published": (
        "Built and not published: knowledge base {name} stays at generation {generation}, "
        "{documents} documents, {chunks} passages.",
        "已生成但未发布：知识库 {name} 仍为第 {generation} 代，{documents} 篇文档，{chunks} 个片段。",
    ),
    "forced_mark": ("; by force, {lost} questions lost", "；强制发布，{lost} 个问题变差"),
    "lost_mark": ("; {lost} questions lost", "；{lost} 个问题变差"),
    "access": ("Scope: {scope}; audience: {audience}.", "访问范围：{scope}；受众：{audience}。"),
    "access_unsettled": (
        "Scope: not known any more; set it with --scope.",
        "访问范围：已丢失，请用 --scope 重新设置。",
    ),
    "access_all": ("everybody", "所有人"),
    "audience_public": ("public", "对外"),
    "audience_internal": ("internal", "内部"),
    "stopped_published": (
        "Stopped; generation {generation} is published and serves.",
        "已停止；第 {generation} 代已发布并正在使用。",
    ),
    "watching": ("Watching {paths}; Ctrl-C ends it.", "正在监视 {paths}，按 Ctrl-C 结束。"),
    "stopped": (
        "Stopped; nothing was published, and the former knowledge base serves on.",
        "已停止；本次没有发布任何内容，原有知识库仍可使用。",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of a key in one language, filled in."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
