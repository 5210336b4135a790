"""What can be wrong with the words that somebody typed, and with a question that was asked before."""

from rag.errors.base import AnswerdeskError


class QuestionError(AnswerdeskError):
    """The question cannot be worked on."""

    exit_code = 2


class QuestionEmpty(QuestionError):
    """Nothing but white space or control characters."""

    en = "Please type a question."
    zh = "请输入问题。"


class QuestionTooLong(QuestionError):
    """``characters`` typed, ``limit`` allowed."""

    en = "The question has {characters} characters; please keep it under {limit}."
    zh = "问题共 {characters} 个字符，请控制在 {limit} 个以内。"


class PromptTooLong(QuestionError):
    """The question takes about ``tokens`` of the model's context, in which there is room for ``limit``."""

    en = (
        "The question is too long for the model (about {tokens} tokens, room for {limit}); "
        "the passages found are shown. Please keep only the part that matters."
    )
    zh = "问题对模型来说过长（约 {tokens} 个词元，最多 {limit} 个）；已显示找到的资料，请只保留关键部分后再提问。"


class QuestionWithoutWords(QuestionError):
    """Only emoji or punctuation: nothing to search for."""

    en = "The question has no words to search for; please describe the problem in words."
    zh = "问题中没有可以检索的文字，请用文字描述问题。"


class QuestionsTooFast(QuestionError):
    """One person asked ``count`` questions within a minute; the next one may come in ``seconds``."""

    en = "You asked {count} questions within a minute; please ask again in {seconds} s."
    zh = "您在一分钟内已提交 {count} 个问题，请在 {seconds} 秒后再提问。"


class TurnError(AnswerdeskError):
    """A question that was asked before cannot be shown or finished."""

    exit_code = 6


class TurnMissing(TurnError):
    """No turn has this id."""

    en = "This question is not kept here."
    zh = "这里没有保存该问题。"


class TurnFailed(TurnError):
    """A fault of this program's own broke the turn off; the log tells more under ``number``."""

    en = "Something failed (no. {number}). Nothing was lost."
    zh = "出错了（编号 {number}），内容没有丢失。"
