import pytest

from rag.text.language import question_language


@pytest.mark.parametrize(
    "text",
    [
        "怎么退货？",
        "Latch S5 报 E07 怎么办",
        "Drift R2 报错 E05",
        "refund 多久",
        "Tidewell Home app 登录不了",
        "app 里的 smart mode 找不到了 help",
        "我的 order 还没到，where is it",
        "ＰＡＹＰＡＬ 能用吗",
        "7天",
        "请问 Wi-Fi password 在哪里 reset",
        "退货",
    ],
)
def test_chinese(text: str) -> None:
    assert question_language(text) == "zh"


@pytest.mark.parametrize(
    "text",
    [
        "How long is the return window?",
        "What does 保修 mean?",
        "How do I say 退货 to the courier",
        "how to reset 门锁 password",
        "What is the 退货期限 for Halo L1?",
        "E07",
        "¿Dónde está mi pedido?",
        "",
        "😀",
    ],
)
def test_english(text: str) -> None:
    assert question_language(text) == "en"
