"""Why the model server cannot answer."""

from rag.errors.base import AnswerdeskError


class ServingError(AnswerdeskError):
    """The model server cannot answer.  Evidence still works."""

    exit_code = 4


class OllamaUnavailable(ServingError):
    """Nothing answers at ``host``."""

    en = "The model server is not running at {host}; start it with: python -m rag.ollama start"
    zh = "模型服务未运行（{host}），请启动：python -m rag.ollama start"


class NoHostAnswers(OllamaUnavailable):
    """Nothing answers at any of the several ``hosts``."""

    en = "None of the model servers answers ({hosts}); start Ollama on them or change OLLAMA_HOSTS."
    zh = "所有模型服务均无响应（{hosts}），请在这些主机上启动 Ollama，或修改 OLLAMA_HOSTS。"


class OllamaElsewhere(ServingError):
    """Nothing answers at ``host``, which is another machine: no process can be started there from here."""

    en = "No model server answers at {host}; it is another machine, so start Ollama there or change OLLAMA_HOST."
    zh = "{host} 上没有模型服务；它是另一台机器，请在那台机器上启动 Ollama，或修改 OLLAMA_HOST。"


class OllamaNotInstalled(ServingError):
    """No Ollama on PATH and none in the cache."""

    en = "Ollama is not on this machine; fetch it with: make setup"
    zh = "本机没有 Ollama，请运行：make setup"


class OllamaNotStarted(ServingError):
    """Ollama was started and did not begin to answer; ``reason`` is the last thing it said, ``log`` the whole."""

    en = "Ollama could not be started ({reason}); its log is {log}"
    zh = "Ollama 无法启动（{reason}），日志见 {log}"


class OllamaRefused(ServingError):
    """Ollama answered with an error; ``reason`` is its own words."""

    en = "The model server refused the request: {reason}"
    zh = "模型服务拒绝了请求：{reason}"


class ModelMissing(ServingError):
    """``model`` is not installed in this Ollama."""

    en = "The model {model} is not installed; see which are with: python -m rag.ollama models"
    zh = "模型 {model} 尚未安装，可用以下命令查看已安装的模型：python -m rag.ollama models"


class ModelTooLarge(ServingError):
    """There is no memory for ``model``, nor for the last thing that was ``tried``."""

    en = (
        "There is not enough memory for the model {model}, also not with less ({tried}); choose a smaller one with "
        "ANSWERDESK_MODEL. What fits: python -m rag.ollama size"
    )
    zh = (
        "内存不足，无法加载模型 {model}，缩减后仍不够（{tried}）；请用 ANSWERDESK_MODEL 选择更小的模型。"
        "查看可用规模：python -m rag.ollama size"
    )


class ModelTimedOut(ServingError):
    """No token came for ``seconds``."""

    en = "The model took too long ({seconds:.0f} s without a word); the evidence can be used as it is."
    zh = "模型响应超时（{seconds:.0f} 秒没有输出），依据可直接使用。"


class ModelStoppedHalfway(ServingError):
    """The connection broke in mid-answer; ``partial_text`` is what had come."""

    en = "The model stopped halfway; this part may be incomplete."
    zh = "模型中途停止，以下内容可能不完整。"

    def __init__(self, *, partial_text: str) -> None:
        super().__init__()
        self.partial_text = partial_text


class ModelSaidNothing(ServingError):
    """The model ended without an answer, and again when it was asked anew."""

    en = "The model gave no answer; the evidence can be used as it is."
    zh = "模型没有给出回答，依据可直接使用。"


class QueueFull(ServingError):
    """``waiting`` questions are ahead already."""

    en = "Too many questions are waiting ({waiting}); please try again in a moment."
    zh = "排队的问题过多（{waiting} 个），请稍后重试。"


class OwnQueueFull(ServingError):
    """``waiting`` questions of the same person, ``owner``, wait already: as many as one person may have."""

    en = "{waiting} of your questions are waiting already; wait for one of them or stop it, then ask this one again."
    zh = "您已有 {waiting} 个问题在排队，请等其中一个完成或停止后，再提交这个问题。"


class WaitedTooLong(ServingError):
    """No slot became free within ``seconds``."""

    en = "The model did not become free within {seconds:.0f} s. The passages found are shown; please ask again later."
    zh = "模型在 {seconds:.0f} 秒内一直没有空闲。已显示找到的资料，请稍后再次提问。"


class ModelTooSlow(ServingError):
    """A text that somebody waits for was not written within ``seconds``."""

    en = "The model was not done within {seconds:.0f} s; the text was kept as it is. Please try again later."
    zh = "模型在 {seconds:.0f} 秒内没有完成，原文已保留，请稍后重试。"


class AnswerCancelled(ServingError):
    """The asker stopped it."""

    en = "Stopped, incomplete."
    zh = "已停止，内容不完整。"


class AnswerInterrupted(ServingError):
    """The program that was answering ended before the answer was complete."""

    en = "The program ended before this answer was complete; please ask again."
    zh = "程序在回答完成前退出，请重新提问。"
