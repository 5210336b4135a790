"""The options of ``python -m ingest``, and what they say together."""

import argparse
from pathlib import Path

_HELP = """examples:
  python -m ingest data/knowledge            read a folder, and what has changed in it the next time
  python -m ingest manuals faq.jsonl         several folders and files
  python -m ingest manuals --prune           also retire the documents whose files are gone
  python -m ingest manuals --reread          read every file, also those that nobody has written to since the last time
  python -m ingest manuals --kb archive      another knowledge base
  python -m ingest --rebuild                 cut, embed and index everything anew, from what the database holds
  python -m ingest --rebuild data/knowledge  the same, reading these files again; mends a damaged database
  python -m ingest manuals --diff            what the next ingest would change
  python -m ingest manuals --workers         let workers of other machines embed, too: python -m ingest.worker --help
  python -m ingest manuals --watch           keep up with a folder until Ctrl-C
  python -m ingest --loader langchain_community.document_loaders:CSVLoader --loader-args '{"file_path": "faq.csv"}'
                                             what any LangChain document loader loads; --collection names it
  python -m ingest --list                    what is in it
  python -m ingest --check                   do rows, postings, vectors and index agree?  --repair mends them
  python -m ingest --confirm                 confirm the addresses that are new: answers mark them no more
  python -m ingest --history                 every generation; --rollback [N] serves an earlier one again
  python -m ingest --questions golden.jsonl  keep these questions: a generation that finds them worse is not published
  python -m ingest --duplicates              which documents say the same, and what stands on page after page
  python -m ingest --gate                    how what is served now does on them
  python -m ingest manuals --force           publish all the same; the history says so
  python -m ingest --kb books --scope finance --audience internal    who may read a knowledge base

Reads Markdown, HTML, text, PDF, Word, PowerPoint, Excel, OpenDocument, CSV, JSON, mail, books, archives and pictures;
in JSON, rows of {"id", "title", "text", "source"} or {"question", "answer"}: see docs/formats.md.  Whatever goes wrong,
the knowledge base that was published before serves on.

exit codes: 0 everything was read, or is sound; 1 published, but some files could not be read, or --check found damage;
  2 wrong options, or a --loader that cannot be imported or built;
  3 nothing was published: nothing readable, another ingest is running, the disk is full, another embedder,
    a loader failed;
  5 the embedder is missing;
  7 built and not published: the regression questions are answered worse (--force publishes all the same);
  130 stopped with Ctrl-C.

ANSWERDESK_DATA_DIR says where the knowledge bases are, ANSWERDESK_CHUNK_TOKENS how large a passage is, and
ANSWERDESK_VISION_MODEL which model describes the documents' pictures, if any."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m ingest",
        description="Make a knowledge base of your documents, or bring it up to date.  导入或更新知识库文档。",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="folders and files  文件夹或文件")
    options.add_argument("--prune", action="store_true", help="retire documents whose files are gone  移除已删除的文档")
    options.add_argument("--rebuild", action="store_true", help="make everything anew  全部重建")
    options.add_argument("--reread", action="store_true", help="read unchanged files, too  未改动的文件也重新读取")
    options.add_argument(
        "--follow-links",
        action="store_true",
        help="read links that lead out of the folders, too  同时读取指向文件夹之外的链接",
    )
    options.add_argument(
        "--workers",
        action="store_true",
        help="share the embedding out to workers on any machine, over ANSWERDESK_DATABASE_URL  由其他机器协助",
    )
    options.add_argument("--kb", metavar="NAME", help="which knowledge base (default: default)  知识库名称")
    options.add_argument(
        "--loader",
        metavar="MODULE:CLASS",
        help="ingest what a LangChain document loader loads; it is trusted code and runs in this process, "
        "not in the confined reader of files  用 LangChain 加载器导入（受信任的代码，在本进程内运行）",
    )
    options.add_argument("--loader-args", metavar="JSON", help="its keyword arguments, a JSON object  加载器参数")
    options.add_argument(
        "--collection",
        metavar="NAME",
        help="what --prune compares a loader's documents with (default: its class and arguments)  文档集合名称",
    )
    ask = options.add_mutually_exclusive_group()
    ask.add_argument("--list", action="store_true", help="list the documents  列出文档")
    ask.add_argument("--diff", action="store_true", help="say what would change, write nothing  只比较，不写入")
    ask.add_argument("--watch", action="store_true", help="ingest, and again whenever files change  持续监视并更新")
    ask.add_argument("--check", action="store_true", help="prove that all parts agree  检查一致性")
    ask.add_argument("--repair", action="store_true", help="check, and mend what is damaged  检查并修复")
    ask.add_argument("--confirm", action="store_true", help="confirm new addresses  确认新出现的联系方式")
    ask.add_argument("--history", action="store_true", help="list the generations  列出历史版本")
    ask.add_argument("--duplicates", action="store_true", help="list what is there twice  列出重复内容")
    ask.add_argument("--gate", action="store_true", help="how the regression questions fare  查看回归问题的结果")
    ask.add_argument(
        "--rollback",
        nargs="?",
        type=int,
        const=0,
        metavar="N",
        help="serve generation N again, or the last but one  回退",
    )
    options.add_argument("--questions", type=Path, metavar="FILE", help="keep regression questions  登记回归问题")
    options.add_argument("--force", action="store_true", help="publish even if they fare worse  结果变差也发布")
    options.add_argument("--scope", metavar="NAME", help="who may read it; '' for everybody  访问范围")
    options.add_argument("--audience", choices=["public", "internal"], help="whom it is for  受众")
    options.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")
    options.add_argument("--verbose", action="store_true", help="name every file that is left out  列出跳过的每个文件")
    return options


def contradiction(options: argparse.Namespace) -> str:
    """Return why options cannot be given together, in both languages; empty where they can."""
    if options.workers and (options.diff or (asks(options) and not options.repair)):
        return "--workers helps where passages are embedded  --workers 仅用于需要向量化的操作"
    if options.loader is None:
        if options.loader_args is not None or options.collection is not None:
            return "--loader-args and --collection need --loader  --loader-args 和 --collection 须与 --loader 一起使用"
        return ""
    if options.paths or options.watch or asks(options):
        return (
            "--loader goes with neither paths nor --watch, nor with what only looks at the knowledge base  "
            "--loader 不能与路径、--watch 或仅查看知识库的选项同时使用"
        )
    return ""


def needs_no_paths(options: argparse.Namespace) -> bool:
    """Tell whether no paths are needed."""
    given = (options.loader, options.questions, options.scope, options.audience)
    return asks(options) or any(value is not None for value in given)


def asks(options: argparse.Namespace) -> bool:
    """Tell whether there is something to say of what is there already."""
    said = (
        options.list,
        options.check,
        options.repair,
        options.confirm,
        options.history,
        options.gate,
        options.duplicates,
    )
    return any(said) or options.rollback is not None
