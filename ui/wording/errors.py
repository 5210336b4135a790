"""Why a turn ended early, in words for agents: one sentence an error class of ``rag/errors``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ERROR_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "error_QuestionEmpty": ("Please type a question.", "请输入问题。"),
        "error_QuestionTooLong": (
            "The question is too long; please shorten it to the part that matters.",
            "问题太长，请只保留关键部分。",
        ),
        "error_PromptTooLong": (
            "The question is too long for the model; please keep only the part that matters.",
            "问题对模型来说过长，请只保留关键部分。",
        ),
        "error_QuestionWithoutWords": (
            "The question has no words to search for; please describe the problem in words.",
            "问题中没有可以检索的文字，请用文字描述问题。",
        ),
        "error_KnowledgeBaseMissing": (
            "No knowledge base yet. Ask an admin to import the articles.",
            "尚未建立知识库，请管理员导入文章。",
        ),
        "error_EmbedderMismatch": (
            "The index was built with another model. Ask an admin to rebuild it.",
            "索引由其他模型建立，请管理员重建。",
        ),
        "error_EmbedderMissing": (
            "The search model is not installed. Ask an admin to run the set-up.",
            "检索模型尚未安装，请管理员运行安装程序。",
        ),
        "error_KnowledgeError": (
            "The knowledge base cannot be read. Ask an admin to rebuild it.",
            "知识库无法读取，请管理员重建。",
        ),
        "error_OllamaUnavailable": (
            "The model server is not running. Evidence still works.",
            "模型服务未运行，依据检索仍可使用。",
        ),
        "error_ModelMissing": (
            "The model is not installed. Evidence still works; tell an admin.",
            "模型尚未安装，依据检索仍可使用，请联系管理员。",
        ),
        "error_ModelTooLarge": (
            "There is not enough memory for the model; the evidence can be used. Please tell your administrator.",
            "内存不足，无法加载模型；依据可直接使用，请联系管理员。",
        ),
        "error_ModelTimedOut": (
            "The model took too long. Evidence can be used as it is.",
            "模型响应超时，依据可直接使用。",
        ),
        "error_ModelStoppedHalfway": (
            "The model stopped halfway; this part may be incomplete.",
            "模型中途停止，以下内容可能不完整。",
        ),
        "error_ModelSaidNothing": (
            "The model gave no answer. Evidence can be used as it is.",
            "模型没有给出回答，依据可直接使用。",
        ),
        "error_QueueFull": (
            "Too many questions are waiting. Evidence still works; try again in a moment.",
            "排队的问题过多，依据仍可使用，请稍后重试。",
        ),
        "error_AnswerCancelled": ("Stopped, incomplete.", "已停止，内容不完整。"),
        "error_AnswerInterrupted": (
            "The desk was restarted before this answer was complete; please retry.",
            "回答完成前工作台已重启，请重试。",
        ),
        "error_SignInNeeded": (
            "You are not signed in, or your sign-in has ended.",
            "您尚未登录，或登录已失效。",
        ),
        "error_PeopleError": ("You may not do this.", "您没有权限执行此操作。"),
        "error_PersonUnknown": (
            "This name may not use the desk. Ask an admin to add it.",
            "该用户尚未开通，请联系管理员添加。",
        ),
        "error_AccessDenied": ("You may not see this.", "您没有查看权限。"),
        "error_AccessUnsettled": (
            "It is not known any more who may see this knowledge base. Ask an admin to set its scope again.",
            "该知识库的访问范围已丢失，请联系管理员重新设置。",
        ),
        "error_OpenWithoutSignIn": (
            "This desk can be reached from other machines, but nobody has to sign in. Ask whoever runs it to switch "
            "sign-in on.",
            "其他机器可以访问此工作台，但未启用登录。请联系管理员启用登录。",
        ),
        "error_ProxyWithoutSignIn": (
            "This desk was opened through a proxy or from another machine, but nobody has to sign in. Ask whoever runs "
            "it to switch sign-in on.",
            "您正通过代理或其他机器访问此工作台，但它未启用登录。请联系管理员启用登录。",
        ),
        "error_ServingError": (
            "The model cannot answer now. Evidence still works; tell an admin.",
            "模型暂时无法回答，依据检索仍可使用，请联系管理员。",
        ),
        "error_AnswerdeskError": (
            "This could not be finished. Nothing was lost; please retry.",
            "未能完成，内容没有丢失，请重试。",
        ),
    }
)
