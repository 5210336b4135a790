"""``python -m eval.commands.gold_control``: how often the judge of whole entries is fooled.

Each question whose known answer is an entry gets, instead of a reply, the best document found that is *not* relevant,
whole and its first three sentences alone: none is right, but for entries that say the same.  And, the other way round,
the first three sentences of the known answer, which all are right.
"""

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console

from eval.answers.metrics import gold_kind, is_right_reply
from eval.commands.shared import chosen_settings, finish, one_set, progress_in, question_parser, write_json
from eval.core.knowledge import open_parts
from eval.core.search import search
from ingest.golden import GoldenQuestion
from rag.pipeline import PipelineParts
from rag.private_files import keep_files_private
from rag.terminal import exit_code_of
from rag.text.sentences import split_sentences

EXAMPLES = """\
examples:
  python -m eval.commands.gold_control --corpus docs.jsonl --questions asked.jsonl
"""
_SENTENCES = 3


def first_sentences(text: str) -> str:
    """Return the first three sentences."""
    spans = split_sentences(text)[:_SENTENCES]
    return text[: spans[-1].end] if spans else text


def controls(questions: Sequence[GoldenQuestion], parts: PipelineParts) -> Iterator[dict[str, bool]]:
    """Yield the verdicts for each question with an entry and a wrong document found."""
    generation = parts.store.require_generation()
    for question in questions:
        if not question.answerable or gold_kind(question) != "entry":
            continue
        found = [one.chunk.document_id for one in search(parts, question).chunks]
        wrong = [document_id for document_id in found if document_id not in question.relevant]
        if wrong:
            text = parts.store.document(wrong[0], generation).text
            yield {
                "wrong_document": is_right_reply(question, text),
                "wrong_document_beginning": is_right_reply(question, first_sentences(text)),
                "known_answer_beginning": is_right_reply(question, first_sentences(question.answers[0])),
            }


def main(argv: Sequence[str]) -> int:
    """Print the shares that count as right; return the exit code."""
    parser = question_parser(
        "python -m eval.commands.gold_control", (__doc__ or "").splitlines()[0], EXAMPLES, sets=False
    )
    arguments = parser.parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        del name
        one = one_set(arguments)
        with progress_in(console) as progress:
            parts = open_parts(one, chosen_settings(arguments), progress)
        rows = list(controls(one.questions, parts))
        figures: dict[str, object] = {"n": len(rows)}
        for key in rows[0] if rows else ():
            figures[key] = round(sum(row[key] for row in rows) / len(rows), 4)
        console.print_json(data=figures)
        write_json(arguments.json, figures)

    return finish(arguments, work)


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(lambda: main(sys.argv[1:])))
