import pytest

from rag.grounding.not_found import says_not_found


@pytest.mark.parametrize(
    "reply",
    [
        "The documents do not say.",
        "The documents don't mention the price of the chime.",
        "The document does not provide information about E99.",
        "The provided documents do not explicitly state the length of the cord.",
        "The power cord's length is not specified in the documents.",
        "There is no information about airline miles in the documents.",
        "Hello! The documents do not say. Please contact our support team.",
        "资料中没有说明。",
        "资料未提及保修期。",
        "资料里对机身高度没有具体说明，请联系客服。",
        "没有说明。",
        "没有找到关于机身高度的信息。",
    ],
)
def test_an_honest_not_found(reply: str) -> None:
    assert says_not_found(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "You have 30 days.",
        "You have 30 days. The documents do not say what happens afterwards.",
        "The documents do not name a bracket, but the lamp weighs little. It is sold for EUR 59.",
        "You do not need to provide the invoice.",
        "退款 7 天到账。",
        "没有发票也可以保修。",
        "未拆封的商品可以退货。",
        "",
    ],
)
def test_answers(reply: str) -> None:
    assert not says_not_found(reply)
