"""The process in which one program of a model runs (sandbox.py starts it). Needs the standard library alone.

    python -I -B sandbox_child.py CPU_SECONDS MEMORY_BYTES WALL_SECONDS

Standard input: a word in the first line, then the program. The word is written once the program has run to its end.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

# Numbers of the system calls that are refused, by machine (asm/unistd_64.h; asm-generic/unistd.h).
X86_64 = {
    "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "sendto": 44, "clone": 56, "fork": 57, "vfork": 58,
    "execve": 59, "execveat": 322, "clone3": 435, "kill": 62, "tkill": 200, "tgkill": 234, "ptrace": 101,
    "pidfd_open": 434, "pidfd_send_signal": 424, "process_vm_readv": 310, "process_vm_writev": 311, "rename": 82,
    "renameat": 264, "renameat2": 316, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "creat": 85, "link": 86,
    "linkat": 265, "unlink": 87, "unlinkat": 263, "symlink": 88, "symlinkat": 266, "chmod": 90, "fchmod": 91,
    "fchmodat": 268, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "truncate": 76, "ftruncate": 77,
    "mknod": 133, "mknodat": 259, "utime": 132, "utimes": 235, "utimensat": 280, "openat2": 437, "io_uring_setup": 425,
    "mount": 165, "umount2": 166, "setxattr": 188, "unshare": 272, "setns": 308, "memfd_create": 319,
    "prlimit64": 302, "setrlimit": 160,
}  # fmt: skip
AARCH64 = {
    "socket": 198, "socketpair": 199, "connect": 203, "bind": 200, "sendto": 206, "clone": 220, "execve": 221,
    "execveat": 281, "clone3": 435, "kill": 129, "tkill": 130, "tgkill": 131, "ptrace": 117, "pidfd_open": 434,
    "pidfd_send_signal": 424, "process_vm_readv": 270, "process_vm_writev": 271, "renameat": 38, "renameat2": 276,
    "mkdirat": 34, "linkat": 37, "unlinkat": 35, "symlinkat": 36, "fchmod": 52, "fchmodat": 53, "fchown": 55,
    "fchownat": 54, "truncate": 45, "ftruncate": 46, "mknodat": 33, "utimensat": 88, "openat2": 437,
    "io_uring_setup": 425, "mount": 40, "umount2": 39, "setxattr": 5, "unshare": 97, "setns": 268,
    "memfd_create": 279, "prlimit64": 261, "setrlimit": 164,
}  # fmt: skip
MACHINES = {  # AUDIT_ARCH, the refused calls, and of the calls that open a file: number and place of the flags
    "x86_64": (0xC000003E, X86_64, ((2, 1), (257, 2))),
    "aarch64": (0xC00000B7, AARCH64, ((56, 2),)),
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
X32 = 0x40000000  # x86-64 knows calls by second numbers from here on, which are all refused
LOAD, EQUAL, GREATER_OR_EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of classic BPF
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # with EPERM
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument has eight bytes
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def rules() -> list[tuple[int, int, int, int]]:
    """The filter as instructions of classic BPF: (code, steps to go on if true, if false, value)."""
    architecture, refused, opens = MACHINES[platform.machine()]
    program = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    program += [(GREATER_OR_EQUAL, 0, 1, X32), (RETURN, 0, 0, REFUSE)]
    for number in refused.values():
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    for number, place in opens:
        flags = (LOAD, 0, 0, ARGUMENTS + 8 * place)
        program += [
            (EQUAL, 0, 4, number),
            flags,
            (ANY_BIT, 0, 1, WRITES),
            (RETURN, 0, 0, REFUSE),
            (RETURN, 0, 0, ALLOW),
        ]
    return [*program, (RETURN, 0, 0, ALLOW)]


def shut_in() -> None:
    """Let the kernel refuse what `rules` says, for good. Raises OSError where it does not take the filter."""
    packed = b"".join(struct.pack("HBBI", *rule) for rule in rules())
    buffer = ctypes.create_string_buffer(packed)

    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("rules", ctypes.c_void_p))

    program = Filter(len(packed) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the filter of system calls was refused")


def main() -> None:
    cpu_s, memory, wall_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    word, _, program = sys.stdin.buffer.read().decode().partition("\n")
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # the program reads nothing, and what it prints goes nowhere
        os.dup2(nowhere, descriptor)
    for limit, value in ((resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    signal.setitimer(signal.ITIMER_REAL, wall_s)  # a program that sleeps is ended by the signal
    shut_in()
    exec(compile(program, "program", "exec"), {"__name__": "program"})
    os.write(answer, word.encode())


if __name__ == "__main__":
    main()
