"""Finds the spans of the evidence that support a sentence, if any.

A sentence is compared with every sentence, list item and table row of the evidence.  It is supported if its numbers
with their units, its codes and enough of its content words recur in up to three spans, and nothing contradicts it: no
clause of these spans (``statements.contradicts``), and no number or denial in the same words elsewhere
(``contradiction.py``).
"""

import math
import re
from collections.abc import Sequence

from rag.grounding.claims import AnswerContext, Claim, QuotableSpan
from rag.grounding.contradiction import has_mismatch, read_tokens, turns_limit
from rag.grounding.topic_match import (
    drops_only,
    generalizes,
    gives_each_its_value,
    is_of_another_case,
    is_of_another_section,
    is_same_subject,
    lists_row_of_another_value,
    names_exception,
    statement_about,
    tells_of_another_row,
    words_about,
    words_beside,
)
from rag.schema import Language
from rag.text.characters import simplified
from rag.text.markup import introduces
from rag.text.quantities import (
    DURATION_UNITS,
    MEASURES,
    Quantity,
    counted_numbers,
    figures_beyond,
    units_named,
    words_as_digits,
)
from rag.text.statements import content_words, contradicts, lone_characters, read_statement, stated_figures

# Chosen by hand, so that tests/support/labelled_sentences.jsonl and ``python -m eval citations`` come out best.
_WORDS_ENOUGH = 0.5
_WORDS_ENOUGH_WITH_FACTS = 0.25
_OWN_WORDS_ENOUGH = 0.35
_ECHO_ENOUGH = 0.75
"""For a sentence with only words of the question: "北京有门店" merely affirms it."""
_WORDS_OF_WHOLE = 0.85
_SAME_TOPIC = 0.3
_TOPIC_ENOUGH, _TOPIC_WORDS_ENOUGH = 0.15, 2
"""What a source of a claim about the question must have: a share of its words, or this many of a long one's."""
_ALIKE_WORDS = 2
_SAME_CLAUSE = 0.5
_FURTHER_SPAN_GAIN = 0.2
_CLEARLY_MORE_WORDS = 0.1
_COVERAGE_OF_OTHER_UNIT = 0.4
_MOST_SPANS = 3
_AROUND_WEIGHT = 0.7
"""Words found only above a sentence (title, headings, a table's header) count less than those within."""
_LOOSE_QUANTITY_WEIGHT = 0.9
_CODE_WEIGHT = 0.3
_RANK_PENALTY = 0.01
_PENALTY_OF_ANOTHER_TIME = 0.3

_NOT_WITHOUT = re.compile(
    r"\b(?:cannot|can not|can['’]?t|not|never|no)\b[^.;:!?\n]{1,60}?\bwithout\b(?P<condition>[^.,;:!?\n]{3,200})"
    r"|先(?P<first>[^，,。；;！？先才\n]{2,40})[，,]?才[能可会]",
    re.IGNORECASE,
)
"""A condition: "not without a receipt", 先开机才能配对."""

# What can be put as a denial without having one.
_RESTRICTS = re.compile(
    r"\b(?:only|except|exclud|instead|clos|stop|end|expire|reject|refus|fail|prevent|forbid|forbidden|prohibit|lack"
    r"|miss|until|unless|before|rather|different|separate|limit|block|lock|disable|remove|lose|lost|off|out of|less|few"
    r"|rare|deny|denie|unable|unavailable|unsupported|unlikely|invalid|incorrect|incomplete)"
    r"|[仅只除拒停禁闭消失缺少无非止另别过错异限]|以外|之前|才",
)  # for small letters: to fold each one takes three times as long

_RANGE = re.compile(
    r"(?<![\d.:/-])(\d{1,6}(?:\.\d{1,3})?) ?(?:[-–—~～至到]|to) ?(\d{1,6}(?:\.\d{1,3})?)(?![\d:/-]|\.\d)"
)
_JOINTS = re.compile(r"[,;，；](?!\d)|\b(?:and|but|while)\b|而且|并且|同时")
_FROM_THERE_ON = re.compile(
    r"\b(?:at least|from|minimum|earliest|between|or more|starts?|over)\b|最[快少低早]|至少|起|以上|从"
)
_UP_TO_THERE = re.compile(
    r"\b(?:up to|at most|within|maximum|max|latest|by|until|less|fewer|under|below|longest|largest|highest)\b"
    r"|最[多晚迟大长高久慢]|至多|不超过|以下|不到|(?<![国境室])内"
)


def supporting_spans(claim: Claim, context: AnswerContext) -> list[QuotableSpan]:
    """Return the one to three spans that support the claim, best first; none if it is unsupported.

    A contradicting span supports nothing, and if it is nearer than all others, these do not either.
    """
    near = [span for span in context.spans if _shares_content(claim, span)]
    alike = [span for span in near if _is_alike(claim, span)]
    if has_mismatch(claim.text, [words_about(claim, span) for span in alike]) and not _is_in_one_span(
        claim, alike, context
    ):
        return []
    fitting = _prefer_own_language(claim, [span for span in near if is_same_subject(claim, span, context)], context)
    opposed = [
        span
        for span in fitting
        if contradicts(claim.statement, statement_about(claim, span)) and not _is_denied_beside(claim, span, fitting)
    ]
    allowed = [span for span in fitting if span not in opposed]
    best = max(allowed, key=lambda span: _score(claim, [span], context), default=None)
    if best is None:
        return []
    best_score = _score(claim, [best], context)
    if any(_score(claim, [span], context) > best_score for span in opposed):
        return []
    chosen = [best]
    while len(chosen) < _MOST_SPANS:
        further = [
            other for other in allowed if other not in chosen and _is_worth_adding(claim, chosen, other, context)
        ]
        longer = [[*chosen, other] for other in further]
        more = max(longer, key=lambda spans: _score(claim, spans, context), default=chosen)
        if _score(claim, more, context) - _score(claim, chosen, context) < _FURTHER_SPAN_GAIN:
            break
        chosen = more
    if _has_nearer_value(claim, chosen, fitting) or _drops_condition(claim, chosen, near, context):
        return []
    if _goes_beyond(claim, chosen, context) or _affirms_what_is_denied_beside(claim, chosen, fitting):
        return []
    return _that_suffice(claim, chosen, allowed, context)


def _is_denied_beside(claim: Claim, span: QuotableSpan, spans: Sequence[QuotableSpan]) -> bool:
    """Tell whether the sentence right before or after a span denies what a claim does, in its words alone.

    "You need a phone to take photos.  You cannot use a webcam." says that no webcam can be used to take photos.  Claim
    and sentence have one clause each: of several, one may deny something else.
    """
    clauses = claim.statement.clauses
    if len(clauses) != 1 or not clauses[0].denies:
        return False
    return any(denied <= clauses[0].words and not denied <= span.own.words for denied in _denials_at([span], spans))


def _affirms_what_is_denied_beside(claim: Claim, chosen: Sequence[QuotableSpan], spans: Sequence[QuotableSpan]) -> bool:
    """Tell whether a claim says of what it cites what the sentence beside that denies: a yes to the webcam above."""
    if any(clause.denies for clause in claim.statement.clauses):
        return False
    affirmed = frozenset(
        word for one in chosen for clause in one.own.clauses if not clause.denies for word in clause.words
    )
    return any(denied <= claim.statement.words and not denied <= affirmed for denied in _denials_at(chosen, spans))


def _denials_at(cited: Sequence[QuotableSpan], spans: Sequence[QuotableSpan]) -> list[frozenset[str]]:
    """Return the words of each denial of one clause among the cited sentences and those right before and after them."""
    near = (one for one in spans if any(one is own or _are_neighbours(own, one) for own in cited))
    clauses = (one.own.clauses[0] for one in near if len(one.own.clauses) == 1)
    return [clause.words for clause in clauses if clause.denies]


def _are_neighbours(one: QuotableSpan, other: QuotableSpan) -> bool:
    """Tell whether two different sentences of a passage follow each other in one paragraph."""
    gap = max(one.start, other.start) - min(one.end, other.end)
    return one.passage_index == other.passage_index and gap <= 1 and not (one.is_row or other.is_row)


def _goes_beyond(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether the claim says something else than the chosen spans, though their words agree."""
    return (
        _lacks_its_code(claim, chosen, context)
        or _takes_one_end(claim, chosen)
        or _has_part_about_uncited_thing(claim, chosen, context)
        or lists_row_of_another_value(claim, chosen, context)
        or tells_of_another_row(claim, chosen, context)
        or is_of_another_section(claim, chosen, context)
        or _names_another_weekday(claim, chosen)
        or _adds_condition(claim, chosen)
        or turns_limit(read_tokens(claim.text), [read_tokens(span.text) for span in chosen])
        or _swaps_figures_between_spans(claim, chosen, context)
        or all(span.is_header for span in chosen)
        or drops_only(claim, chosen)
        or names_exception(claim, chosen)
        or generalizes(claim, chosen, context)
        or is_of_another_case(claim, chosen, context)
    )


def _that_suffice(
    claim: Claim, chosen: list[QuotableSpan], spans: Sequence[QuotableSpan], context: AnswerContext
) -> list[QuotableSpan]:
    """Return the chosen spans if they say enough, else with the lines that introduce them; none if that is no help."""
    if _suffice(claim, chosen, context):
        return chosen
    heads = _introductions(chosen, spans)
    return [*heads, *chosen] if heads and _suffice(claim, [*heads, *chosen], context) else []


def _introductions(chosen: Sequence[QuotableSpan], spans: Sequence[QuotableSpan]) -> list[QuotableSpan]:
    """Return the lines that introduce the lists of the chosen spans, for a claim that repeats them with their items."""
    return [
        head
        for head in spans
        if introduces(head.text)
        and head not in chosen
        and any(
            head.passage_index == span.passage_index and head.end <= span.start and head.own.words <= span.around.words
            for span in chosen
        )
    ][: _MOST_SPANS - len(chosen)]


def _is_in_one_span(claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether one span says nearly all of the claim and contradicts none of it.

    Then a different statement in similar words is about something else.
    """
    return any(
        _coverage(claim, [span]) >= _WORDS_OF_WHOLE
        and not _missing_quantities(claim, [span], context)
        and is_same_subject(claim, span, context)
        and not contradicts(claim.statement, span.own)
        and (not has_mismatch(claim.text, [span.text]) or gives_each_its_value(claim, span.text))
        for span in spans
    )


def _has_nearer_value(claim: Claim, chosen: Sequence[QuotableSpan], spans: Sequence[QuotableSpan]) -> bool:
    """Tell whether a span that is nearer to the claim gives its only figure another value.

    Nearer is a span with more of the claim's words, or the table row of a name that the chosen spans lack: three days
    to the islands are not three days to Hong Kong.  A time in another unit is another value only in a span that is
    clearly about the same: a restore that takes a minute does not last a minute.
    """
    if len(claim.statement.quantities) != 1:
        return False
    (figure,) = claim.statement.quantities
    coverage = _coverage(claim, chosen) + _CLEARLY_MORE_WORDS
    names = {name for span in chosen for name in (*span.own.names, *span.around.names)}
    unnamed = claim.statement.names - names - {figure.unit.lower()}
    return any(
        (_coverage(claim, [span]) > coverage or _is_row_of(unnamed, span))
        and any(
            other.unit == figure.unit
            or ({other.unit, figure.unit} <= DURATION_UNITS and _coverage(claim, [span]) >= _COVERAGE_OF_OTHER_UNIT)
            for other in span.own.quantities
        )
        and not any(other.agrees_with(figure) for other in span.own.quantities)
        for span in spans
    )


def _lacks_its_code(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether the chosen spans have none of the claim's codes, while another span has one.

    A row about E05 does not support a sentence about E07 if the evidence has a row for E07.
    """
    codes = {code for span in chosen for code in (*span.own.codes, *span.around.codes)}
    named = claim.statement.codes
    return bool(named) and not named & codes and any(named & span.own.codes for span in context.spans)


def _names_another_weekday(claim: Claim, chosen: Sequence[QuotableSpan]) -> bool:
    """Tell whether the claim names a day of the week that the chosen spans, which name others, do not.

    A denial may: "not on Sunday" follows from "Monday to Saturday".  Of rows, that of what the claim names counts.
    """
    if not claim.statement.weekdays or any(clause.denies for clause in claim.statement.clauses):
        return False
    named = [span for span in chosen if _is_row_of(claim.statement.names, span)]
    counted = [span for span in chosen if span in named or not span.is_row] if named else chosen
    days = frozenset(day for span in counted for day in (*span.own.weekdays, *span.around.weekdays))
    return bool(days) and not claim.statement.weekdays <= days


def _has_part_about_uncited_thing(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether one of several parts with figures has no word of what is cited, while another part has.

    "Delivery to Austria costs EUR 5.50 and you have 3-4 days to return a kettle" is not of the row of Austria, which
    says nothing of kettles.
    """
    if any(_language(span, context) != claim.language for span in chosen):
        return False
    parts = [read_statement(part) for part in _JOINTS.split(claim.text)]
    askers = context.question.quantities  # the customer has 20 days: no passage need say so
    with_figures = [
        part.words for part in parts if len(part.words) >= _ALIKE_WORDS and figures_beyond(part.quantities, askers)
    ]
    cited = frozenset(word for span in chosen for word in (*span.own.words, *span.around.words))
    return len(with_figures) > 1 and any(words.isdisjoint(cited) for words in with_figures)


def _takes_one_end(claim: Claim, chosen: Sequence[QuotableSpan]) -> bool:
    """Tell whether a claim gives only one end of a range as the value: 3 days of "3-7 days", or 7."""
    values, text = {quantity.value for quantity in claim.statement.quantities}, claim.text.lower()
    if not values:
        return False
    texts = [words_as_digits(span.text) for span in chosen]
    ranges = [(*match.groups(), text) for text in texts for match in _RANGE.finditer(text)]
    rising = [(low, high, source) for low, high, source in ranges if float(low) < float(high)]
    lower = [] if _FROM_THERE_ON.search(text) else rising
    upper = [] if _UP_TO_THERE.search(text) else [(high, low, source) for low, high, source in rising]
    return any(
        end in values
        and other not in values
        and len(re.findall(rf"(?<![\d.]){re.escape(end)}(?![\d.])", source)) == 1  # nowhere else as a value of its own
        for end, other, source in (*lower, *upper)
    )


def _drops_condition(
    claim: Claim, chosen: Sequence[QuotableSpan], near: Sequence[QuotableSpan], context: AnswerContext
) -> bool:
    """Tell whether a claim leaves out the condition of a rule, and names something that has a row of its own.

    "If it is faulty, the label is free from every country" is not "The label to Norway is free" while a row is about
    Norway, unless the claim or the question says that the item is faulty.
    """
    said = claim.statement.words | context.question.words
    dropped = [span for span in chosen if span.own.condition and not span.own.condition & said]
    if not dropped or any(clause.is_condition for clause in claim.statement.clauses):
        return False
    names = frozenset(name for span in dropped for name in (*span.own.names, *span.around.names))
    unnamed = (claim.statement.names or context.question.names) - names
    rest = [span for span in chosen if span not in dropped]
    return any(unnamed & span.own.names for span in near if span.is_row) and not (
        rest and _suffice(claim, rest, context)
    )


def _adds_condition(claim: Claim, chosen: Sequence[QuotableSpan]) -> bool:
    """Tell whether the claim makes a condition of something that the chosen spans do not name.

    "Not without cancelling your plan" may be the question's words, which count little.
    """
    found = _NOT_WITHOUT.search(claim.text)
    if found is None:
        return False
    condition = content_words(found["condition"] or found["first"])
    words = frozenset[str]().union(*_words_of(chosen))
    return len(condition & words) < _SAME_CLAUSE * len(condition)


def _swaps_figures_between_spans(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether a claim gives the thing of one span the figure of another, though each has a figure of its own.

    "Express takes 3-5 days" is not of "Standard delivery takes 3-5 days" and "Express delivery takes 1-2 days".
    """
    for figure in claim.statement.quantities:
        given = [span for span in chosen if any(map(figure.agrees_with, span.quantities))]
        others = [span for span in chosen if _gives_another(figure.unit, span, claim)]
        words = frozenset[str]().union(*_words_of(given))
        further = frozenset(word for span in others for word in words_beside(figure.unit, span.text))
        own = words_beside(figure.unit, claim.text)
        if given and (own & context.question.words if claim.topic else own) & further - words:
            return True
    return False


def _gives_another(unit: str, span: QuotableSpan, claim: Claim) -> bool:
    """Tell whether a span has figures of this unit, and none of them is the claim's."""
    figures = [figure for figure in span.quantities if figure.unit == unit]
    return bool(figures) and not any(own.agrees_with(other) for own in claim.statement.quantities for other in figures)


def _is_row_of(names: frozenset[str], span: QuotableSpan) -> bool:
    first_cell = span.text.strip("| ").split("|")[0].lower()
    return span.is_row and any(re.search(rf"\b{re.escape(name)}\b", first_cell) for name in names)


def _prefer_own_language(claim: Claim, spans: list[QuotableSpan], context: AnswerContext) -> list[QuotableSpan]:
    """Leave out the spans in the other language if one in the claim's own language is about the same thing.

    Across languages only figures can be compared, and there is often another "72 hours".  Spans with the code of the
    question stay.
    """
    is_own = [_language(span, context) == claim.language for span in spans]
    pairs = list(zip(spans, is_own, strict=True))
    is_own_topic = any(own and _coverage(claim, [span]) >= _SAME_TOPIC for span, own in pairs)
    named = claim.statement.codes | context.question.codes
    return [span for span, own in pairs if own or span.own.codes & named] if is_own_topic else spans


def _language(span: QuotableSpan, context: AnswerContext) -> Language:
    return context.passage(span).language


def _is_worth_adding(claim: Claim, chosen: Sequence[QuotableSpan], other: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether a further span is worth citing: it has a figure that the others lack, or is of the same passage.

    More of the words alone can be found anywhere.
    """
    missing = _missing_quantities(claim, chosen, context)
    if missing:
        words = frozenset(word for span in chosen for word in span.own.words)
        is_related = (
            bool(((claim.weights.keys() - words) | claim.topic) & other.own.words)
            and (_is_of_one_passage(chosen, other) or _coverage(claim, [other]) >= _WORDS_ENOUGH_WITH_FACTS)
        ) or claim.language != _language(other, context)
        return is_related and len(_missing_quantities(claim, [*chosen, other], context)) < len(missing)
    return _is_of_one_passage(chosen, other)


def _is_of_one_passage(chosen: Sequence[QuotableSpan], other: QuotableSpan) -> bool:
    return chosen[0].passage_index == other.passage_index


def _score(claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> float:
    quantities = claim.statement.quantities
    facts = _matching_quantities(claim, spans, context) / len(quantities) if quantities else 0.0
    codes = any(claim.statement.codes & span.own.codes for span in spans)
    rank = min(span.passage_index for span in spans)
    in_force = all(context.passage(span).is_in_force for span in spans)
    return (
        _coverage(claim, spans)
        + facts
        + _CODE_WEIGHT * codes
        - _RANK_PENALTY * rank
        - _RANK_PENALTY * len(spans)
        - _PENALTY_OF_ANOTHER_TIME * (not in_force)
    )


def _coverage(claim: Claim, spans: Sequence[QuotableSpan], judged: frozenset[str] = frozenset()) -> float:
    """Return the weighted share in [0, 1] of the claim's words that the spans contain; ``judged`` count as theirs."""
    total = math.fsum(claim.weights.values())  # whatever the order of the words
    if total == 0:
        return 0.0
    own, around = _words_of(spans)
    own |= judged
    if claim.weights.keys().isdisjoint(own) and claim.weights.keys().isdisjoint(around):
        return 0.0
    covered = math.fsum(
        weight * (1.0 if word in own else _AROUND_WEIGHT if word in around else 0.0)
        for word, weight in claim.weights.items()
    )
    return covered / total


def _words_of(spans: Sequence[QuotableSpan]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words within the spans, and those around them."""
    own = frozenset[str]().union(*(span.own.words for span in spans))
    return own, frozenset[str]().union(*(span.around.words for span in spans))


def _shares_content(claim: Claim, span: QuotableSpan) -> bool:
    """Tell whether a span shares a word or code with the claim, or both have figures; true of a third of all spans."""
    statement, own, around = claim.statement, span.own, span.around
    return not (
        statement.words.isdisjoint(own.words)
        and statement.words.isdisjoint(around.words)
        and statement.codes.isdisjoint(own.codes)
        and not (statement.quantities and own.quantities)
    )


def _is_alike(claim: Claim, span: QuotableSpan) -> bool:
    """Tell whether a span may be about the same thing as the claim."""
    shared = len(claim.statement.words & span.own.words)
    return shared >= _ALIKE_WORDS or (shared > 0 and bool(claim.statement.quantities & span.own.quantities))


def _matching_quantities(claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> float:
    """Count the claim's quantities in the spans; one that lacks a unit on either side counts a little less."""
    exact = frozenset(quantity for span in spans for quantity in span.own.quantities)
    missing = _missing_quantities(claim, spans, context)
    loose = claim.statement.quantities - exact - missing
    return len(claim.statement.quantities & exact) + _LOOSE_QUANTITY_WEIGHT * len(loose)


def _missing_quantities(claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> frozenset[Quantity]:
    return frozenset(
        quantity for quantity in claim.statement.quantities if not _has_quantity(quantity, claim, spans, context)
    )


def _has_quantity(quantity: Quantity, claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether the spans contain a quantity.

    If either side lacks the unit, the passage must give that number no other unit, count nothing with it, and name the
    unit, in the claim's language: "lets with 3 units" and "in steps of 5" are no years.
    """
    quantities = [other for span in spans for other in (*span.own.quantities, *span.around.quantities)]
    if quantity in quantities or any(
        other.unit and quantity.unit and quantity.agrees_with(other) for other in quantities
    ):
        return True
    if not any(quantity.agrees_with(other) for other in quantities):
        return False
    passages = [context.evidence[index] for index in {span.passage_index for span in spans}]
    near = [other for passage in passages for other in stated_figures(passage.text).quantities]
    if any(other.value == quantity.value and not quantity.agrees_with(other) for other in near):
        return False
    return quantity.unit not in MEASURES or any(_may_measure(quantity, claim, span, context) for span in spans)


def _may_measure(quantity: Quantity, claim: Claim, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether a span has the number without a unit, counts nothing with it, and its passage names the unit."""
    passage = context.passage(span)
    return (
        Quantity(quantity.value) in span.own.quantities | span.around.quantities
        and passage.language == claim.language
        and quantity.value not in counted_numbers(span.text)
        and quantity.unit in units_named("\n".join((passage.title, *passage.heading_path, passage.text)))
    )


def _suffice(claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    missing = _missing_quantities(claim, spans, context)
    found = len(claim.statement.quantities) - len(missing)
    # "Your order of 60 pounds is over 50": the asker's own number needs no source, if another one has it.
    if missing and (not found or figures_beyond(missing, context.question.quantities)):
        return False
    codes = claim.statement.codes & frozenset(code for span in spans for code in (*span.own.codes, *span.around.codes))
    across_languages = any(_language(span, context) != claim.language for span in spans)
    if across_languages:  # words can hardly be compared; a code alone says nothing about what is claimed of it
        return _has_telling_figure(claim, missing, context) or (found > 0 and _coverage(claim, spans) > 0)
    judged = frozenset(word for span in spans for word in _judged_columns(claim, span))
    if (
        not (claim.denies and judged)
        and not any(restricts(span) for span in spans)
        and _denies_by_itself(claim, context)
    ):
        return False
    if not found and len(claim.weights) == 1 and _lacks_its_verb(claim, spans):
        return False
    shared = claim.weights.keys() & (judged | frozenset(word for span in spans for word in span.own.words))
    if found:
        # The same figure says nothing where not one word beside it recurs: 120 cm of something else.
        is_near = _coverage(claim, spans) >= _WORDS_ENOUGH_WITH_FACTS and bool(shared)
        return is_near or not claim.weights or _is_on_topic(claim, spans, claim.statement.quantities - missing)
    needed = _WORDS_ENOUGH_WITH_FACTS if codes else _ECHO_ENOUGH if claim.is_echo else _WORDS_ENOUGH
    # A product's name and the question's words are not yet a statement about it: the spans themselves must say more.
    if _coverage(claim, spans, judged) < needed or len(shared) < _OWN_WORDS_ENOUGH * len(claim.weights):
        return False
    return bool(codes) or _shares_more_than_topic(claim, spans, context)


def _has_telling_figure(claim: Claim, missing: frozenset[Quantity], context: AnswerContext) -> bool:
    """Tell whether a claim has a figure, not among the ``missing``, that is more than a digit of the question.

    Asked about "2FA", a reply repeats the 2, and nearly any passage in the other language has one.
    """
    found = claim.statement.quantities - missing
    return not all(one.is_bare_digit for one in found) or bool(figures_beyond(found, context.question.quantities))


def _judged_columns(claim: Claim, span: QuotableSpan) -> frozenset[str]:
    """Return the header's words of the cells that say no, if the claim denies something, or else of those that say yes.

    Only headers count half of which the claim names.
    """
    headers = (cell.header for cell in span.cells if (cell.denies if claim.denies else cell.affirms))
    return frozenset(
        word for header in headers if 2 * len(header & claim.statement.words) >= len(header) for word in header
    )


def _shares_more_than_topic(claim: Claim, spans: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether the spans have a word of the claim besides the names of what the passage or the question is about.

    "Open the Time Machine app" is not of "your Time Machine share", in an article about Time Machine.
    """
    own, around = _words_of(spans)
    names = content_words(" ".join(claim.statement.names)) & (around | context.question.words)
    return not claim.weights.keys() & (own | around) <= names


def _is_on_topic(claim: Claim, spans: Sequence[QuotableSpan], found: frozenset[Quantity]) -> bool:
    """Tell whether the spans have enough of the question's words for the figures ``found`` in them to answer it.

    Two figures of different units, "48 hours" and "GBP 30", are hardly together elsewhere.
    """
    words = frozenset[str]().union(*_words_of(spans))
    shared = len(claim.topic & words)
    is_sure = len({quantity.unit for quantity in found}) > 1
    return shared > 0 and (is_sure or shared >= min(_TOPIC_WORDS_ENOUGH, _TOPIC_ENOUGH * len(claim.topic)))


def _lacks_its_verb(claim: Claim, spans: Sequence[QuotableSpan]) -> bool:
    """Tell whether the spans have no character of what a Chinese claim says of its only word.

    "滤网不能退" is not of "滤网堵塞".
    """
    said = lone_characters(claim.text)
    return bool(said) and said.isdisjoint(simplified("".join(span.text for span in spans)))


def _denies_by_itself(claim: Claim, context: AnswerContext) -> bool:
    """Tell whether a clause denies something about which no span denies or restricts anything."""
    return any(
        clause.denies
        and len(clause.words) > 1
        and not any(
            len(clause.words & span.own.words) >= _SAME_CLAUSE * len(clause.words) and restricts(span)
            for span in context.spans
        )
        for clause in claim.statement.clauses
    )


def restricts(span: QuotableSpan) -> bool:
    """Tell whether a span denies something, or restricts it in a way that can be worded as a denial."""
    return _RESTRICTS.search(span.text.lower()) is not None or any(
        clause.denies for clause in (*span.own.clauses, *span.around.clauses)
    )
