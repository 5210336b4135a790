"""What the Quality page says of a knowledge base that calibrated itself."""

import pytest

from rag.schema import Language
from rag.storage.calibration import ExpectedRefusals
from ui.views.quality.runs import expected_words


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_share_is_said_with_what_it_was_measured_on(language: Language) -> None:
    expected = ExpectedRefusals(0.634, own=(0.03, 80), near=(0.125, 16), far=(0.5, 88))
    said = expected_words(expected, language)
    assert "0.63" in said
    for share, count in (("3%", "80"), ("12%", "16"), ("50%", "88")):
        assert share in said
        assert count in said
