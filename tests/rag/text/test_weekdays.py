"""Days of the week, and words that only look like them."""

import pytest

from rag.text.weekdays import named_weekdays


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Closed on Mondays and Wednesday", {0, 2}),
        ("MON to sunday", {6}),
        ("Mon.–Thu. 9:00-17:00, Sat 9:00", {0, 1, 2, 3, 5}),
        ("from Friday through Monday", {4, 5, 6, 0}),
        ("at weekends, or on a weekday", {0, 1, 2, 3, 4, 5, 6}),
        ("every day; Sunshine Money, within 3 working days, month", set()),
        ("周一至周五、周日", {0, 1, 2, 3, 4, 6}),
        ("星期一到五，礼拜天休息", {0, 1, 2, 3, 4, 6}),
        ("每周一、三、五发货", {0, 2, 4}),
        ("週六～週日", {5, 6}),
        ("工作日 9:00，周末休息", {0, 1, 2, 3, 4, 5, 6}),
        ("这周一直没发货，每周三次，一周五天，3个工作日内，四周一圈", set()),
    ],
)
def test_days_are_read_in_both_languages(text: str, days: set[int]) -> None:
    assert named_weekdays(text) == days
