"""Of an answer that is still being written: the part that can be told to programs, because it will stand.

The desk shows a draft and replaces it where the finished answer is another: a refusal in the place of a reply that no
passage supports, a sentence that was taken out.  A program cannot take back what it has passed on.  So a sentence is
told when a passage supports it and all before it; from the first one that none supports, that was told already, that
names an address which nobody has confirmed, or that may show a picture, the rest waits for the end, and for
``as_markdown``.
"""

from dataclasses import replace

from api.markdown_turns import loading_start
from rag.generation.output_filter import repeated_sentences
from rag.grounding.citations import ground
from rag.grounding.confirmation import unconfirmed_sentences
from rag.text.sentences import split_sentences
from rag.turns import TurnSnapshot

_SENTENCE_ENDS = "。！？.!?\n"


class SettledText:
    """What was told of one answer so far.  One caller, one thread at a time."""

    def __init__(self) -> None:
        self.told = ""
        self._judged = 0
        self._is_open = True

    def more(self, snapshot: TurnSnapshot) -> str:
        """Return the words that may be told now, after those told before; the rest once the turn is final.

        A final text that does not begin with what was told adds nothing: see ``is_withdrawn``.
        """
        if snapshot.final:
            end = len(snapshot.text) if not self.is_withdrawn(snapshot) else len(self.told)
        else:
            end = self._settled_end(snapshot)
        more = snapshot.text[len(self.told) : end]
        self.told += more
        return more

    def shown(self, snapshot: TurnSnapshot) -> TurnSnapshot:
        """Return a turn with no more of its text than may be told; one that is final as it is."""
        if snapshot.final:
            return snapshot
        self.more(snapshot)
        return replace(snapshot, text=self.told)

    def is_withdrawn(self, snapshot: TurnSnapshot) -> bool:
        """Tell whether a final text is another than the one that was told."""
        return snapshot.final and not snapshot.text.startswith(self.told)

    def _settled_end(self, snapshot: TurnSnapshot) -> int:
        text = snapshot.text
        news = text[self._judged :]
        self._judged = len(text)
        if not self._is_open or not any(mark in news for mark in _SENTENCE_ENDS):
            return len(self.told)
        end = len(self.told)
        calm_end, repeated = loading_start(text), repeated_sentences(text)
        for sentence in split_sentences(text)[:-1]:  # the last one may go on
            if sentence.end <= end:
                continue
            is_calm = sentence.end <= calm_end and sentence not in repeated
            if not is_calm or not _stands(text[sentence.start : sentence.end], snapshot):
                self._is_open = False
                break
            end = sentence.end
        return end


def _stands(sentence: str, snapshot: TurnSnapshot) -> bool:
    """Tell whether a sentence will stand as it is: a passage supports it, and no mark will be beside it."""
    citations = ground(sentence, snapshot.evidence, snapshot.question).citations
    return bool(citations) and not unconfirmed_sentences(sentence, citations, snapshot.evidence)
