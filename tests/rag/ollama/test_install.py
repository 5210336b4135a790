"""Which CPU kernels suit a machine."""

import pytest

from rag.ollama.install import cpu_variant

HASWELL = {"sse4_2", "avx", "avx2", "fma", "f16c", "bmi2"}
SKYLAKE_X = HASWELL | {"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"}


@pytest.mark.parametrize(
    ("flags", "variant"),
    [
        (SKYLAKE_X | {"avx512vbmi", "avx512_vnni", "avx_vnni"}, "icelake"),
        (HASWELL | {"avx_vnni"}, "alderlake"),
        (SKYLAKE_X, "skylakex"),
        (HASWELL, "haswell"),
        ({"sse4_2", "avx"}, "sandybridge"),
        ({"sse4_2"}, "sse42"),
        (set(), "native"),
    ],
)
def test_x86_variant_is_the_best_whose_flags_are_all_there(flags: set[str], variant: str) -> None:
    assert cpu_variant(frozenset(flags), "x86_64") == variant


@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_other_machines_have_one_kind(machine: str) -> None:
    assert cpu_variant(frozenset(HASWELL), machine) == "native"
