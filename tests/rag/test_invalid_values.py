"""What is wrong with a value, in the reader's language."""

import pytest
from pydantic import BaseModel, Field, ValidationError

from rag.invalid_values import BASE_NAME_PATTERN, PERSON_NAME_PATTERN, describe_invalid


class Form(BaseModel):
    name: str = Field(default="x", pattern=BASE_NAME_PATTERN)
    person: str = Field(default="x", pattern=PERSON_NAME_PATTERN)
    code: str = Field(default="x", pattern="^x$")
    offset: float = Field(default=0, ge=0.25, le=10_000_000)
    several: list[int] = Field(default=[1, 2], min_length=1, max_length=2)


@pytest.mark.parametrize(
    ("given", "english", "chinese"),
    [
        ({"name": "A"}, "must be made of a-z, 0-9, - and _ (64 at the most)", "只能由 a-z、0-9、- 和 _ 组成"),
        ({"person": " "}, "must be made of letters, digits and . @ + - _", "只能由字母、数字和 . @ + - _ 组成"),
        ({"code": "y"}, "has a form that is not allowed", "格式不符合要求"),
        ({"code": 1}, "must be a text", "必须是文字"),
        ({"offset": 1e9}, "must be at most 10000000", "不能大于 10000000"),
        ({"offset": 0}, "must be at least 0.25", "不能小于 0.25"),
        ({"several": 1}, "must be a list", "必须是列表"),
        ({"several": []}, "must have at least 1 entry", "至少 1 项"),
        ({"several": [1, 2, 3]}, "must have at most 2 entries", "最多 2 项"),
        ({"several": ["x"]}, "must be a whole number", "必须是整数"),
    ],
)
def test_a_value_is_described_without_pydantics_words(given: dict[str, object], english: str, chinese: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Form.model_validate(given)
    problem = refused.value.errors()[0]
    for language, sentence in (("en", english), ("zh", chinese)):
        told = describe_invalid(problem["type"], problem.get("ctx", {}), problem["msg"], language)
        assert told.startswith(sentence)


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        ("datetime_from_date_parsing", "必须是日期和时间"),
        ("timezone_aware", "必须是日期和时间"),
        ("date_from_datetime_parsing", "必须是日期"),
        ("never_heard_of", "Input should be that"),
    ],
)
def test_kinds_of_dates_share_a_sentence_and_what_is_unknown_keeps_pydantics(problem: str, sentence: str) -> None:
    assert describe_invalid(problem, {"error": "x"}, "Input should be that", "zh").startswith(sentence)
