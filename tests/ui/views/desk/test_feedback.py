"""A correction's form, without a browser."""

from rag.reuse.question_key import is_same_question
from ui.views.desk.feedback import _question_to_keep

_ASKED = (
    "Could you please tell me how long the warranty of the two kettles lasts that I ordered in your shop in Bath?\n"
    "And is it the same in the other shop of yours, which is in Bristol?"
)


def test_a_mail_is_kept_by_what_it_asks_where_that_finds_the_same_mail() -> None:
    mail = f"Hello,\n\n{_ASKED}\n\nMany thanks in advance"
    assert _question_to_keep(mail) == _ASKED
    assert is_same_question(_ASKED, mail)


def test_a_mail_with_a_story_is_kept_whole_and_with_its_lines() -> None:
    mail = f"Hello team,\nI hope you are well. I live in Bath.\n\n{_ASKED}\n\nKind regards,\nAnn Lee, 07700 900417"
    assert _question_to_keep(mail) == mail
    assert _question_to_keep("保修多久？") == "保修多久？"
