"""Why a part could not be brought onto this machine."""

from rag.errors.base import AnswerdeskError


class ProvisioningError(AnswerdeskError):
    """A part could not be brought onto this machine."""

    exit_code = 5


class DownloadFailed(ProvisioningError):
    """``what`` could not be fetched; ``reason`` and ``remedy`` are keys of the catalogue, or words of somebody else."""


class ChecksumMismatch(ProvisioningError):
    """A downloaded file is not the one that was pinned."""


class LinkInCache(ProvisioningError):
    """A log or lock of the cache folder is a link, through which something else would be overwritten."""


class ToolMissing(ProvisioningError):
    """A program or header that a build needs is not installed and cannot be installed without root."""


class BuildFailed(ProvisioningError):
    """A build ended with an error; its output is kept in ``log``."""


class AuditImpossible(ProvisioningError):
    """Nobody said whether the locked packages have vulnerabilities; ``reason`` is a technical one."""


class VulnerablePackages(ProvisioningError):
    """Published vulnerabilities concern locked packages; ``found`` names both."""


class EmbedderMissing(ProvisioningError):
    """The embedder's folder is not on this machine."""
