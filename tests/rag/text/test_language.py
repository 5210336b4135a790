import pytest

from rag.text.language import question_language, text_language


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
        "报错 Access denied for user 'root'@'localhost' (using password: yes) 怎么解决",
        "fusermount: failed to open current directory: Permission denied，这是什么意思",
        "the object you specified is immutable 是啥原因呢",
        "fusermount: failed to open current directory: Permission denied （挂载ossfs时）",
        "The difference between the request time and the current time is too large.\n上传文件报错",
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
        "The page says 怎么退货 and nothing else, please tell me more",
        "My app shows 如何登录 instead of the form",
        'The article "如何开通" was deleted',
        "The upload fails and I get this message:\n请求失败，请重试",
        "Error 请求失败 is shown by the console.",
        "E07",
        "¿Dónde está mi pedido?",
        "",
        "😀",
    ],
)
def test_english(text: str) -> None:
    assert question_language(text) == "en"


def test_a_text_is_in_the_language_that_carries_it_whatever_it_quotes() -> None:
    assert text_language("Read the article 如何开通 and log on to the console again.") == "en"
    assert text_language("请在控制台点击 Create Bucket，然后填写名称。") == "zh"
