"""``python -m eval load``: many sessions at once."""

from collections.abc import Sequence

from eval.load import gpu_command


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    if argv and argv[0] == "gpu-timed-server":
        return gpu_command.main(argv[1:])
    raise NotImplementedError
