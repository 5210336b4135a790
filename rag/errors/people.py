"""Who is not known here, or may not do this."""

from typing import ClassVar

from rag.errors.base import AnswerdeskError
from rag.schema import Language


class PeopleError(AnswerdeskError):
    """Somebody is not known here, or may not do this."""

    exit_code = 7


class SignInNeeded(PeopleError):
    """Nobody is signed in: never was, the time is over, somebody ended it, or the person was disabled."""

    en = "You are not signed in, or your sign-in has ended."
    zh = "您尚未登录，或登录已失效。"


class SignInWrong(PeopleError):
    """Name and password do not belong together; which of the two is wrong is not told."""

    en = "This name and password do not belong together."
    zh = "用户名或密码不正确。"


class SignInThrottled(PeopleError):
    """Too many wrong attempts; the next is looked at in ``seconds``."""

    en = "Too many wrong attempts. Please try again in {seconds} s."
    zh = "错误次数过多，请 {seconds} 秒后重试。"


class NotPermitted(PeopleError):
    """What was asked for needs at least the role ``role``."""

    en = "You may not do this."
    zh = "您没有权限执行此操作。"


class PersonUnknown(PeopleError):
    """Nobody of this ``name``."""

    en = "There is nobody called {name}; see who there is with: python -m ui people list"
    zh = "没有名为 {name} 的用户，可用以下命令查看：python -m ui people list"


class PersonTaken(PeopleError):
    """There is somebody of this ``name``; names are not given twice, also when a person was disabled."""

    en = "There is somebody called {name} already."
    zh = "已有名为 {name} 的用户。"


class PersonUnusable(PeopleError):
    """A name, a password or a code cannot be used; ``reason`` is one of the keys in ``REASONS``."""

    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "name": (
            "A name has 1 to 64 letters, digits and the signs . _ - @ +, and is not “local”.",
            "用户名为 1 至 64 个字母、数字或 . _ - @ +，且不能为“local”。",
        ),
        "short": ("A password has at least {limit} characters.", "密码至少需要 {limit} 个字符。"),
        "long": ("A password has at most {limit} characters.", "密码最多 {limit} 个字符。"),
        "is_name": ("A password must not be the name.", "密码不能与用户名相同。"),
        "common": ("This password is one that everybody tries first.", "该密码过于常见。"),
        "differs": ("The two passwords differ.", "两次输入的密码不一致。"),
        "code": (
            "This is not the code that the terminal shows now.",
            "验证码与终端中显示的不一致。",
        ),
        "scope": ("There is no knowledge base called {name}.", "没有名为 {name} 的知识库。"),
    }

    def __init__(self, *, reason: str, **details: object) -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(reason=reason, **details)

    def text(self, language: Language) -> str:
        """Return the reason in words."""
        return self.REASONS[str(self.details["reason"])][1 if language == "zh" else 0].format(**self.details)


class ScopeNotHeld(PeopleError):
    """``scopes`` were to be given by somebody who does not have them, or everything by somebody with limits."""

    en = "Only somebody who has a scope can give it, and you do not have: {scopes}"
    zh = "只能授予自己拥有的权限，您没有：{scopes}"


class PersonOutOfReach(PeopleError):
    """``name`` may read more than the admin who wanted to change them."""

    en = "{name} may read more than you do; only an admin who may read that as well can change this."
    zh = "{name} 的可用知识库多于您，请由权限更大的管理员修改。"


class LastAdmin(PeopleError):
    """Nobody could let anybody in any more."""

    en = "{name} is the last admin; make somebody else an admin first."
    zh = "{name} 是最后一位管理员，请先指定其他管理员。"


class ForeignHost(PeopleError):
    """A browser asked for the desk under a name that is not one of its own: a stranger's name may lead anywhere."""

    en = (
        "The desk is not known under this name. Use its usual address; whoever runs it can add a name with "
        "ANSWERDESK_HOST_NAMES."
    )
    zh = "工作台未启用此地址。请使用常用地址访问；管理员可通过 ANSWERDESK_HOST_NAMES 添加地址。"


class ForeignPage(PeopleError):
    """A request came from a page that the desk did not serve, or through a proxy that is not trusted."""

    en = (
        "This request did not come from a page of this desk. Open the desk in a new tab. If it is behind a proxy with "
        "https, whoever runs it has to name the proxy in ANSWERDESK_TRUSTED_PROXIES."
    )
    zh = (
        "该请求并非来自本工作台的页面，请在新标签页中重新打开工作台。如经由 https 代理访问，"
        "请管理员将代理地址加入 ANSWERDESK_TRUSTED_PROXIES。"
    )


class TooManyTabs(PeopleError):
    """One person has ``limit`` pages open, or opened far more within minutes."""

    en = "You have too many pages of the desk open (at most {limit}). Close some, and load this one again in a while."
    zh = "您打开的工作台页面过多（最多 {limit} 个）。请关闭一些页面，稍候再重新加载。"


class UploadsFull(PeopleError):
    """The files of one person that wait in memory would be more than ``megabytes``."""

    en = "Your uploaded files would exceed {megabytes} MB. Hand in or remove some of them first."
    zh = "您已上传的文件将超过 {megabytes} MB，请先提交或移除部分文件。"
