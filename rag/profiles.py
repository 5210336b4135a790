"""What the desk is used for, and how the model draws its words then."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

ProfileName = Literal["support", "code"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model draws its words, by Ollama's names for it.  ``top_p`` None: as the model's own file says."""

    temperature: float
    top_p: float | None
    repeat_penalty: float


PROFILES: Mapping[ProfileName, Sampling] = MappingProxyType(
    {"support": Sampling(0.3, None, 1.0), "code": Sampling(0.3, 0.9, 1.0)}
)
"""What the work asks for.  Neither has a penalty on repeated words: it makes a small model change numbers and names
that it should copy, and loops are cut by the governor."""
