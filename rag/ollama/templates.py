"""Chat templates and stop sequences that an imported model can use.

A model without the format that it was trained on answers nonsense, and nothing tells so; hence none is taken in
without one.  ``r1`` is DeepSeek-R1's (and its distills', whatever they were distilled into), ``chatml`` Qwen's and
many others', ``chatml-think`` the same with R1's way of thinking, which is what the stand-in has.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NO_TEMPLATE = "{{ .Prompt }}"
"""Ollama's default template (template/template.go, DefaultTemplate)."""

# Ollama reads from the template that the model can think (it mentions .Thinking) and which tags enclose a thought: the
# first and the last text beside the innermost {{ .Thinking }} (thinking/template.go, InferTags).
_CHATML_THINK = """\
{{- if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ if and $last .Thinking }}<think>
{{ .Thinking }}
</think>

{{ end }}{{ .Content }}{{ if not $last }}<|im_end|>
{{ end }}
{{- end }}
{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant
<think>
{{ if not $.Think }}
</think>

{{ end }}
{{- end }}
{{- end }}"""

_CHATML = """\
{{- if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ .Content }}{{ if not $last }}<|im_end|>
{{ end }}
{{- end }}
{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant
{{ end }}
{{- end }}"""

# As DeepSeek publishes it: no line breaks between the turns, the thought opened by the template.
_R1 = """\
{{- if .System }}{{ .System }}{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<｜User｜>{{ .Content }}
{{- else if eq .Role "assistant" }}<｜Assistant｜>
{{- if and $last .Thinking }}<think>
{{ .Thinking }}
</think>

{{ end }}{{ .Content }}{{ if not $last }}<｜end▁of▁sentence｜>{{ end }}
{{- end }}
{{- if and $last (ne .Role "assistant") }}<｜Assistant｜><think>
{{ if not $.Think }}
</think>

{{ end }}
{{- end }}
{{- end }}"""


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """A template in Ollama's language, its stop marks, and the parameters that its makers recommend."""

    name: str
    template: str
    stop: tuple[str, ...]
    parameters: Mapping[str, float]


_CHATML_MARKS = ("<|im_start|>", "<|im_end|>")
_R1_MARKS = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>")

FORMATS: Mapping[str, ChatFormat] = {
    one.name: one
    for one in (
        ChatFormat("r1", _R1, _R1_MARKS, {"temperature": 0.6, "top_p": 0.95}),
        ChatFormat("chatml", _CHATML, _CHATML_MARKS, {}),
        ChatFormat("chatml-think", _CHATML_THINK, _CHATML_MARKS, {}),
    )
}


def format_of(chat_template: str) -> ChatFormat | None:
    """Detect a model's format by the (Jinja) template in its file; None if unknown or missing."""
    if "<｜Assistant｜>" in chat_template:
        return FORMATS["r1"]
    if "<|im_start|>" in chat_template:
        return FORMATS["chatml-think" if "<think>" in chat_template else "chatml"]
    return None
