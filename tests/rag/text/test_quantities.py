import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.quantities import Quantity, counted_numbers, named_weekdays, read_figures, units_named


def _read(text: str) -> set[tuple[str, str]]:
    return {(quantity.value, quantity.unit) for quantity in read_figures(text).quantities}


@pytest.mark.parametrize(
    ("english", "chinese", "expected"),
    [
        ("7 days", "七天", {("7", "day")}),
        ("3-7 working days", "3–7 个工作日", {("3", "working day"), ("7", "working day")}),
        ("between 40 and 110 mm", "40 至 110 毫米", {("40", "mm"), ("110", "mm")}),
        ("EUR 4.90", "4.9 欧元", {("4.9", "EUR")}),
        ("£30", "30 英镑", {("30", "GBP")}),
        ("1,000 yuan", "1000 元", {("1000", "CNY")}),
        ("15 %", "15％", {("15", "percent")}),
        ("six months", "六个月", {("6", "month")}),
        ("twice two hours", "两次，两个小时", {("2", "hour"), ("2", "time")}),
        ("a fee of 24 h", "24 小时", {("24", "hour")}),
        ("3 pm", "15:00", {("15:00", "clock")}),
        ("8:30 pm", "晚上八点半", {("20:30", "clock")}),
        ("2 pm to 5:20 pm", "下午两点至五点二十分", {("14:00", "clock"), ("17:20", "clock")}),
        ("2:00 pm - 4:30 pm", "下午2:00-4:30", {("14:00", "clock"), ("16:30", "clock")}),
        ("10 pm to 2 am", "晚上十点到两点", {("22:00", "clock"), ("2:00", "clock")}),
        ("at 22:05", "二十二点零五分", {("22:05", "clock")}),
        ("31 March 2026", "2026-03-31", {("31", ""), ("3", "month of the year"), ("2026", "calendar year")}),
        ("on 24 December", "12 月 24 日", {("24", ""), ("12", "month of the year")}),
        ("2.4 GHz", "2.4GHz", {("2.4", "GHz")}),
        ("120 days", "一百二十天", {("120", "day")}),
        ("after about an hour", "约一小时后", {("1", "hour")}),
        ("within half a year", "半年内", {("0.5", "year")}),
        ("for a month", "一个月", {("1", "month")}),
        ("half a month", "半个月", {("0.5", "month")}),
    ],
)
def test_both_languages_read_alike(english: str, chinese: str, expected: set[tuple[str, str]]) -> None:
    assert _read(chinese) == expected
    if english != "twice two hours":
        assert _read(english) == expected


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a holiday let with more than 3 units", {"3"}),
        ("2 keys, 10 个实例, 1.2 倍, 7 款", {"2", "10", "1.2", "7"}),
        ("until 24 December, from the 3rd May, 9 月 30 日", {"24", "3", "30"}),
        ("version 1.6.0, 150 m³/h, 5600 K", {"1.6", "150", "5600"}),
        ("30 days, 5 working days, 3 个月, 3 个小时, 24 h, EUR 4.90 plus postage, in steps of 5", set()),
    ],
)
def test_numbers_that_count_things_measure_nothing(text: str, numbers: set[str]) -> None:
    assert counted_numbers(text) == numbers


def test_units_that_a_text_names() -> None:
    assert units_named("Warranty (years)") == {"year"}
    assert units_named("| 型号 | 保修（年） |") == {"year"}
    assert "CNY" in units_named("| 型号 | 维修费 | 合计 |"), "prices without a currency may be in any"
    assert units_named("Price in EUR") == {"EUR"}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("E07", {"e07"}),
        ("W-203 and BT-R2", {"w203", "btr2"}),
        ("Latch S5 报 L31", {"s5", "l31"}),
        ("EUR4.95 or gbp20", set()),
        ("2.4GHz, 24h, 15:00", set()),
        ("8 am UTC+8, 4 pm (UTC-7), GMT8", set()),
    ],
)
def test_codes(text: str, codes: set[str]) -> None:
    assert read_figures(text).codes == codes


@pytest.mark.parametrize(
    "text",
    [
        "one of them",
        "一下",
        "统一安排",
        "it may be returned in 2026, may it not",
        "五金",
        "有一点贵，晚上一点也不吵；第三点，还有两点建议",
        "as often as you like in a second step, twice a day",
        "half the price",
        "半价",
        "Log in at https://desk.example/a?id=12.56&days=30#7days.",
    ],
)
def test_words_that_only_look_like_numbers(text: str) -> None:
    assert _read(text) <= {("2026", "calendar year")}


def test_an_address_ends_before_what_follows_it() -> None:
    assert _read("请见 https://desk.example/r3?days=30，7 天内（3 台）") == {("7", "day"), ("3", "")}
    assert read_figures("For the Drift R4 see https://desk.example/r3.").codes == {"r3", "r4"}


def test_the_rest_holds_no_figures() -> None:
    assert read_figures("Pay GBP 30 within 7 days for the S5.").rest.split() == ["pay", "within", "for", "the", "."]


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (Quantity("7", "day"), Quantity("7", "day"), True),
        (Quantity("7", "day"), Quantity("7"), True),
        (Quantity("7", "day"), Quantity("7", "working day"), False),
        (Quantity("7", "day"), Quantity("8", "day"), False),
    ],
)
def test_agreement(one: Quantity, other: Quantity, agree: bool) -> None:
    assert one.agrees_with(other) is agree
    assert other.agrees_with(one) is agree


@given(st.integers(2, 9999), st.sampled_from([("day", "days", "天"), ("GBP", "pounds", "英镑"), ("kg", "kg", "公斤")]))
def test_any_number_is_found_with_its_unit(number: int, unit: tuple[str, str, str]) -> None:
    name, english, chinese = unit
    assert _read(f"it is {number} {english}.") == _read(f"共{number}{chinese}。") == {(str(number), name)}


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    read_figures(text)


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
