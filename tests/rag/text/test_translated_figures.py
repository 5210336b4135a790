"""Figures of third languages as English writes them, against what a reader would write down."""

import pytest

from rag.text.quantities import Quantity, read_figures
from rag.text.translated_figures import figures_in_english


@pytest.mark.parametrize(
    ("language", "sentence", "figures"),
    [
        ("de", "Sie haben 30 Tage Zeit, das Etikett kostet 4,95 €.", {("30", "day"), ("4.95", "EUR")}),
        ("de", "Das sind 1.200 Euro in 5 Werktagen.", {("1200", "EUR"), ("5", "working day")}),
        ("fr", "Comptez 5 jours ouvrables et 3,90 euros.", {("5", "working day"), ("3.9", "EUR")}),
        ("es", "La garantía es de 18 meses, 2 años en total.", {("18", "month"), ("2", "year")}),
        ("pt", "Espere 3 minutos; custa £ 69.", {("3", "minute"), ("69", "GBP")}),
        ("ru", "Гарантия — 18 месяцев, 1 200 евро.", {("18", "month"), ("1200", "EUR")}),
        ("ja", "保証は18か月です。3分お待ちください。", {("18", "month"), ("3", "minute")}),
        ("ko", "보증 기간은 18개월이고 30일 이내입니다.", {("18", "month"), ("30", "day")}),
        ("vi", "Phí là 3,90 EUR, trong 2 ngày làm việc.", {("3.9", "EUR"), ("2", "working day")}),
        ("id", "Tunggu 3 menit atau 2 hari kerja.", {("3", "minute"), ("2", "working day")}),
        ("ar", "مدة الضمان ١٨ شهراً.", {("18", "month")}),
        ("tr", "Garanti 18 ay.", {("18", "month")}),
        ("th", "รับประกัน 18 เดือน", {("18", "month")}),
        ("it", "Nessuna cifra qui.", set()),
    ],
)
def test_figures_keep_their_units(language: str, sentence: str, figures: set[tuple[str, str]]) -> None:
    found = read_figures(figures_in_english(sentence, language)).quantities
    assert found == {Quantity(*one) for one in figures}


def test_codes_stay_and_words_go() -> None:
    written = figures_in_english("Die Latch S5 zeigt L-29, das steht im Handbuch.", "de")
    assert read_figures(written).codes == {"s5", "l29"}
    assert "Handbuch" not in written
