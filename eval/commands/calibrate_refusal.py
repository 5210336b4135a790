"""``python -m eval calibrate refusal``: fits, on a knowledge base's own questions, when an answer is a refusal.

Every question is retrieved: Platt's two numbers and a threshold for the search come from that
(``calibration.py``).  With questions of both kinds the model is asked as well whether the answer is there
(``rag/generation/answerability.py``); nothing is generated.  Its readings are kept question by question, so that an
interrupted run resumes.  All is judged on held-out parts, and kept beside the knowledge base.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

from rich.console import Console

from eval.commands.shared import chosen_settings, finish, one_set, print_line, progress_in, question_parser, write_json
from eval.core.knowledge import open_parts
from eval.core.runs import Run
from eval.refusal.calibration import calibrate_search, fit_answerability, read_questions, search_questions
from rag.storage.calibration import read_calibration, save_calibration
from rag.storage.sharing import KnowledgeShare
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval calibrate refusal                           on the sample questions, asked of the desk's knowledge base
  python -m eval calibrate refusal --kb shop --questions mine.jsonl
  python -m eval calibrate refusal --kb shop --questions mine.jsonl --search     the search alone, without a model
  python -m eval calibrate refusal --dry-run                 report, and change nothing
  python -m eval calibrate refusal --run monday              resume an interrupted run
"""


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "calibrate refusal",
        "Fit when a model's reading means a refusal, on questions with and without an answer.  校准拒答",
        EXAMPLES,
        sets=False,
    )
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")
    parser.add_argument("--search", action="store_true", help="calibrate the search alone; no model  只校准检索")
    parser.add_argument("--dry-run", action="store_true", help="report, but leave the fit in use as it is  只报告")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run ``calibrate refusal`` and return its exit code."""
    arguments = _parser().parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = one_set(arguments, sample=None)
        with progress_in(console) as progress:
            parts = open_parts(one, settings, progress)
        found, search_figures = calibrate_search(search_questions(one.questions, parts))
        figures: dict[str, object] = {"search": {"fit": asdict(found), **search_figures}}
        searched_by = parts.store.generation_info(parts.store.require_generation()).embedder_model
        sections: dict[str, dict[str, object]] = {"search": {**asdict(found), "embedder": searched_by}}
        if not arguments.search:
            parts.gateway.ensure_server()
            model = parts.gateway.generator.model
            with progress_in(console) as progress:
                judged = read_questions(one, parts, Run.named(name, settings), progress)
            fitted, of_reader = fit_answerability(judged)
            figures |= {"model": model, "fit": asdict(fitted), "figures": of_reader}
            readers = read_calibration(parts.store.folder).get("readers", {})
            sections["readers"] = {**readers, model: asdict(fitted)}
        console.print_json(data=figures)
        write_json(arguments.json, figures)
        if not arguments.dry_run:
            made = {"on": one.name, "when": date.today().isoformat(), "generation": parts.store.require_generation()}
            path = save_calibration(parts.store.folder, {**sections, "made": made})
            share = KnowledgeShare.of(parts.settings)
            if share is not None and share.folder == parts.store.folder:
                share.publish_file(path.name)
            print_line(console, translate("eval.calibrated", terminal_language(), path=path))

    return finish(arguments, work)
