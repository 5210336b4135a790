"""Confines the reading process: no files, no network, no other programs, no other processes.

A hole in a native parser then exposes nothing but the file that is read.  Each measure is tried by itself, because
kernels and containers differ; ``confine`` returns which ones hold.  Python has no functions for them and the C library
hardly any, so the system calls are made by number.

- Landlock: nothing can be opened but Python's own packages and shared libraries, for reading; no TCP; no signal and no
  abstract socket out of here.  https://docs.kernel.org/userspace-api/landlock.html (Linux 5.13; TCP 6.7, scopes 6.12)
- seccomp: no sockets, no new program or process, nothing that writes to a file system, no way into another process.
  https://docs.kernel.org/userspace-api/seccomp_filter.html (Linux 3.17; numbers below: x86-64 and 64-bit ARM)
- A network namespace of its own, where seccomp does not hold.  https://man7.org/linux/man-pages/man2/unshare.2.html
- Limits: files of no size, few descriptors, no core.  https://man7.org/linux/man-pages/man2/getrlimit.2.html

The number of processes is no limit here: it counts all of a user's, and root's are not counted.  seccomp refuses them.
"""

import ctypes
import errno
import os
import resource
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MEASURES = ("files", "writing", "network", "programs", "processes")
"""Confined are: reading files, writing them, the network, starting programs, reaching other processes."""

_IN_WORDS = {
    "files": "files", "writing": "writing", "network": "network", "programs": "programs",
    "processes": "other processes",
}  # fmt: skip
_DESCRIPTORS = 128
_PACKAGES = ("ingest", "rag")  # what the reading process imports of ours; the folder above may hold the data
_LIBRARIES = (
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache",
)  # fmt: skip
_KINDS = (
    "/etc/mime.types", "/etc/httpd/mime.types", "/etc/httpd/conf/mime.types", "/etc/apache/mime.types",
    "/etc/apache2/mime.types", "/usr/local/etc/httpd/conf/mime.types", "/usr/local/lib/netscape/mime.types",
    "/usr/local/etc/mime.types",
)  # fmt: skip
"""Tables of MIME types; Python's ``mimetypes`` reads the existing ones, and cannot be imported if it may not."""

_MACHINE = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm", "/sys/devices/system",
    "/sys/fs/cgroup", "/sys/kernel/mm", "/dev/null",
)  # fmt: skip
"""Memory and processor information, by which OpenVINO and OpenBLAS choose their code and count their threads."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """The ``MEASURES`` that hold, each with its means: ``{"network": "seccomp, Landlock"}``."""

    held: dict[str, str]

    @property
    def missing_measures(self) -> tuple[str, ...]:
        """Return the measures that do not hold."""
        return tuple(name for name in MEASURES if name not in self.held)

    def __str__(self) -> str:
        """Return the measures in the words of the log: ``no files (Landlock); within reach: network``."""
        words = ", ".join(f"no {_IN_WORDS[name]} ({means})" for name, means in self.held.items())
        missing = ", ".join(self.missing_measures)
        return "; ".join(filter(None, (words, f"within reach: {missing}" if missing else "")))


def confine(packages: Path) -> Confinement:
    """Confine this process for good and return the measures that hold; ``packages`` is our packages' folder.

    Call it while there is a single thread, after importing anything from other places.  Nothing is raised: files are
    read on machines that offer less, too.
    """
    held: dict[str, list[str]] = {}
    _set_limits()
    _call_prctl(_PR_SET_DUMPABLE, 0)
    may_restrict = _call_prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if may_restrict:
        for name in _restrict_files(readable_places(packages)):
            held.setdefault(name, []).append("Landlock")
        if _filter_calls():
            for name in MEASURES[1:]:
                held.setdefault(name, []).append("seccomp")
    if "seccomp" not in held.get("network", ()) and _leave_network():
        held.setdefault("network", []).append("namespace")
    return Confinement({name: ", ".join(held[name]) for name in MEASURES if name in held})


def readable_places(packages: Path) -> list[Path]:
    """Return the readable paths: Python, its packages, ours, shared libraries, and processor information.

    A folder on Python's path that holds our packages is left out, because it may hold the data, too.
    """
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    places = [Path(place) for place in (*_LIBRARIES, *_KINDS, *_MACHINE, *sys.path, *libraries) if place]
    places += [Path(prefix) / name for prefix in (sys.base_prefix, sys.prefix) for name in ("lib", "lib64")]
    ours = packages.resolve()
    within_site = ours.name in ("site-packages", "dist-packages")
    found = {place.resolve() for place in places if place.exists()}
    others = {place for place in found if within_site or not (place == ours or place in ours.parents)}
    return sorted(others | {ours / name for name in _PACKAGES})


def _set_limits() -> None:
    for limit, value in (
        (resource.RLIMIT_FSIZE, 0),  # pipes and sockets are no files
        (resource.RLIMIT_CORE, 0),  # a core would hold the customer's file
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        lowest = within_hard_limit(limit, value)
        resource.setrlimit(limit, (lowest, lowest))


def within_hard_limit(limit: int, value: int) -> int:
    """Return the value, or the hard limit that this process was started with (``ulimit``) where that is lower."""
    _, hard = resource.getrlimit(limit)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


# prctl(2): https://man7.org/linux/man-pages/man2/prctl.2.html
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PRCTL = {"x86_64": 157, "aarch64": 167}
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture


def _architecture() -> str:
    """Return the column of system call numbers; empty where it is unknown, as for 32-bit programs."""
    machine = os.uname().machine
    return machine if machine in _SECCOMP and sys.maxsize > 1 << 32 and sys.platform == "linux" else ""


def _call(number: int | None, *arguments: "int | ctypes.Array[ctypes.c_char] | ctypes.c_void_p") -> int:
    """Make a system call; -1 where it is refused or unknown."""
    if number is None or not _architecture():
        return -1
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(library.syscall(ctypes.c_long(number), *passed))


def _call_prctl(option: int, value: int) -> bool:
    return _call(_PRCTL.get(_architecture()), option, value, 0, 0, 0) == 0


def _leave_network() -> bool:
    """Move into a network namespace without a device: with root's rights, else in a user namespace of its own."""
    number = _UNSHARE.get(_architecture())
    new_network, new_user = 0x40000000, 0x10000000
    return _call(number, new_network) == 0 or _call(number, new_network | new_user) == 0


# linux/landlock.h
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_BY_ABI = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 5: 1 << 16}  # the first number that an ABI does not know
_TCP_BIND_AND_CONNECT, _TCP_SINCE_ABI = 0b11, 4
_SOCKETS_AND_SIGNALS, _SCOPES_SINCE_ABI = 0b11, 6
_OF_VERSION = 1
_PATH_BENEATH = 1


def _restrict_files(places: Iterable[Path]) -> tuple[str, ...]:
    """Allow opening only files below ``places``, for reading; return the measures that hold."""
    abi = _call(_CREATE_RULESET, 0, 0, _OF_VERSION)
    if abi < 1 or len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208 - it holds for the thread that calls
        return ()
    rights = max(limit for since, limit in _RIGHTS_BY_ABI.items() if since <= abi) - 1
    network = _TCP_BIND_AND_CONNECT if abi >= _TCP_SINCE_ABI else 0
    scopes = _SOCKETS_AND_SIGNALS if abi >= _SCOPES_SINCE_ABI else 0
    fields = (rights, network, scopes)[: 1 + (abi >= _TCP_SINCE_ABI) + (abi >= _SCOPES_SINCE_ABI)]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(_CREATE_RULESET, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0)
    if ruleset < 0:
        return ()
    try:
        for place in places:
            _allow_reading(ruleset, place)
        if _call(_RESTRICT_SELF, ruleset, 0) != 0:
            return ()
    finally:
        os.close(ruleset)
    named = {"network": bool(network), "processes": bool(scopes)}
    return ("files", "writing", "programs", *(name for name, holds in named.items() if holds))


def _allow_reading(ruleset: int, place: Path) -> None:
    try:
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what cannot be opened need not be allowed
    try:
        rights = _READ_FILE | (_READ_DIR if place.is_dir() else 0)
        rule = struct.pack("=Qi", rights, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(descriptor)


# linux/filter.h, linux/seccomp.h, linux/audit.h
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_CALLS = 0x40000000  # the second table of numbers on x86-64
_SET_FILTER, _ALL_THREADS = 1, 1

_NUMBERS = {
    # sockets; the one to the owner is there already.  io_uring would do all of it past this filter
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # programs and processes; threads are a clone with CLONE_THREAD
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    # other processes' memory, descriptors and messages
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "kcmp": (312, 272),
    "tkill": (200, 130), "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180),
    # the system
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "iopl": (172, None), "ioperm": (173, None),
    "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "sethostname": (170, 161), "setdomainname": (171, 162), "personality": (135, 92),
    # file systems
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "link": (86, None), "linkat": (265, 37),
    "unlink": (87, None), "unlinkat": (263, 35), "symlink": (88, None), "symlinkat": (266, 36), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55),
    "lchown": (94, None), "fchownat": (260, 54), "mknod": (133, None), "mknodat": (259, 33), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}  # fmt: skip
"""System calls that are refused whatever their arguments, with their numbers on x86-64 and 64-bit ARM."""

_OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLONE_THREAD = 0x10000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into the terminal that started us
_OPEN, _OPENAT, _OPENAT2, _CLONE, _CLONE3 = (2, None), (257, 56), (437, 437), (56, 220), (435, 435)
_IOCTL, _PRLIMIT = (16, 29), (302, 261)
_SIGNALS = ((62, 129), (234, 131), (129, 138), (297, 240))  # kill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value
_Numbers = tuple[int, int | None]


def _filter_calls() -> bool:
    """Refuse the system calls above in every thread; False where the kernel does not take the filter."""
    architecture = _architecture()
    if not architecture:
        return False
    program = _Program(architecture).instructions
    packed = b"".join(struct.pack("=HBBI", *one) for one in program)
    code = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))  # struct sock_fprog
    passed = ctypes.create_string_buffer(header, len(header))
    return _call(_SECCOMP[architecture], _SET_FILTER, _ALL_THREADS, passed) == 0


class _Program:
    """The filter: for each listed call, a comparison of its number and the result."""

    def __init__(self, architecture: str) -> None:
        self._column = 0 if architecture == "x86_64" else 1
        self.instructions: list[_Instruction] = [
            (_LOAD, 0, 0, _ARCHITECTURE_AT),
            (_IF_EQUAL, 1, 0, _AUDIT[architecture]),
            (_RETURN, 0, 0, _KILL),
            (_LOAD, 0, 0, _NUMBER_AT),
            (_IF_AT_LEAST, 0, 1, _X32_CALLS),
            _refusal(errno.EPERM),
        ]
        for numbers in _NUMBERS.values():
            self._add_rule(numbers, [_refusal(errno.EPERM)])
        for numbers in (_OPENAT2, _CLONE3):  # their flags lie in memory; all libraries fall back to the older calls
            self._add_rule(numbers, [_refusal(errno.ENOSYS)])
        self._add_rule(_OPEN, _if_any_bit(1, _OPEN_TO_WRITE, errno.EACCES))
        self._add_rule(_OPENAT, _if_any_bit(2, _OPEN_TO_WRITE, errno.EACCES))
        self._add_rule(_CLONE, _unless_any_bit(0, _CLONE_THREAD, errno.EPERM))
        self._add_rule(_PRLIMIT, _unless_equal(0, errno.EPERM))  # of itself
        self._add_rule(_IOCTL, _if_equal(1, _TERMINAL_INPUT, errno.EPERM))
        for numbers in _SIGNALS:
            self._add_rule(numbers, _unless_equal(os.getpid(), errno.EPERM))
        self.instructions.append((_RETURN, 0, 0, _ALLOW))

    def _add_rule(self, numbers: _Numbers, then: Sequence[_Instruction]) -> None:
        number = numbers[self._column]
        if number is not None:
            self.instructions += [(_IF_EQUAL, 0, len(then), number), *then]


def _refusal(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _REFUSE | number)


def _argument(position: int) -> _Instruction:
    """Load the lower half of an argument: flags, numbers of processes and commands have no more."""
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * position)


def _if_any_bit(position: int, bits: int, number: int) -> list[_Instruction]:
    return [_argument(position), (_IF_ANY_BIT, 0, 1, bits), _refusal(number), (_RETURN, 0, 0, _ALLOW)]


def _unless_any_bit(position: int, bits: int, number: int) -> list[_Instruction]:
    return [_argument(position), (_IF_ANY_BIT, 1, 0, bits), _refusal(number), (_RETURN, 0, 0, _ALLOW)]


def _unless_equal(value: int, number: int) -> list[_Instruction]:
    return [_argument(0), (_IF_EQUAL, 1, 0, value), _refusal(number), (_RETURN, 0, 0, _ALLOW)]


def _if_equal(position: int, values: Sequence[int], number: int) -> list[_Instruction]:
    checks = [step for value in values for step in ((_IF_EQUAL, 0, 1, value), _refusal(number))]
    return [_argument(position), *checks, (_RETURN, 0, 0, _ALLOW)]
