"""What Open WebUI asks a model for itself: a chat's title, its tags, further questions.

Each answer would bring three more generations, all of them over a knowledge base that has nothing to say.  They are
answered by a rule, and the model is not asked.  The prompts are those of Open WebUI 0.12 (``open_webui/config.py``),
all of which begin with the same line.
"""

import json

_FIRST_LINE = "### Task:"
_FURTHER_HEADING = "\n### "
_SPEAKER = "user:"
_TITLE_CHARACTERS = 40
_EMPTY = ("tags", "follow_ups", "queries")


def errand_reply(prompt: str) -> str | None:
    r"""Return the reply to one of these prompts; None for a question of a person.

    >>> errand_reply("How long is the warranty?") is None
    True
    >>> errand_reply('### Task:\nGenerate tags.\n### Output:\nJSON format: { "tags": ["tag1"] }')
    '{"tags": []}'
    >>> errand_reply('### Task:\nGenerate a title.\n### Output:\n{ "title": "..." }\n<chat_history>\nUSER: How long?')
    '{"title": "How long?"}'
    """
    if not prompt.lstrip().startswith(_FIRST_LINE) or _FURTHER_HEADING not in prompt:
        return None
    for name in _EMPTY:
        if f'"{name}"' in prompt:
            return json.dumps({name: []})
    if '"title"' in prompt:
        return json.dumps({"title": _title(prompt)}, ensure_ascii=False)
    return "{}"


def _title(prompt: str) -> str:
    lines = (line.strip() for line in prompt.partition("<chat_history>")[2].splitlines())
    asked = next((line for line in lines if line.lower().startswith(_SPEAKER)), "")
    title = asked[len(_SPEAKER) :].strip() or "Answerdesk"
    return title if len(title) <= _TITLE_CHARACTERS else f"{title[: _TITLE_CHARACTERS - 1].rstrip()}…"
