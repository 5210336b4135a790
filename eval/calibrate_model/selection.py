"""What becomes of the winner: the very file that was measured goes to the team's Ollama, and the settings name it."""

import math

from eval.calibrate_model.configurations import Configuration
from eval.calibrate_model.sandbox_ollama import AS_IS, Subject, Workshop, bring_home
from rag.cli.models import choices_for
from rag.ollama.client import OllamaClient
from rag.ollama.models import find_installed
from rag.settings import keep_choices


def choose(
    best: Configuration, one: Subject, workshop: Workshop, home: OllamaClient, *, reconstruct: bool
) -> list[str]:
    """Let the desk use a configuration from its next start on; return the variables that go before it.

    A model that ``home`` lacks is made again, which may take minutes.  Raises a ``ServingError`` or ``SettingsError``.
    """
    if best.kind != AS_IS and find_installed(home.models(), best.model) is None:
        workshop.prepare(one, (best.kind,), math.inf, reconstruct=reconstruct)
        bring_home(workshop, one, best.model, home)
    choices = choices_for(best.model, home.show(best.model), workshop.settings)
    numbers = {"parallel_slots": best.slots, "context_tokens": best.context_tokens}
    return keep_choices(workshop.settings, {**choices, **numbers})
