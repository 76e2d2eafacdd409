"""The seccomp filter, run by a small interpreter of the kernel's instructions: also for a machine we are not on."""

import errno
import struct

import pytest

from tasks.tools import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, NOT_THERE = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
PRETENDED = 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(
    machine: str,
    number: int,
    first_argument: int = 0,
    architecture: int | None = None,
    program: bytes | None = None,
    second_argument: int = 0,
) -> int:
    program = program or seccomp.sealing(machine)
    assert program is not None
    steps = list(struct.iter_unpack("HBBI", program))
    data = {0: number, 4: architecture or ARCHITECTURES[machine], 16: first_argument, 24: second_argument}
    at = value = 0
    while True:
        code, when_true, when_false, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                value = data[operand]
            case 0x54:
                value &= operand
            case 0x06:
                return int(operand)
            case 0x15 | 0x35 | 0x45:
                holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
                at += when_true if holds else when_false
            case _:
                pytest.fail(f"unknown instruction {code}")


@pytest.mark.parametrize(
    ("machine", "name", "number", "expected"),
    [
        ("x86_64", "read", 0, ALLOW),
        ("x86_64", "execve", 59, ALLOW),
        ("x86_64", "ptrace", 101, REFUSE),
        ("x86_64", "socket", 41, REFUSE),
        ("x86_64", "memfd_create", 319, REFUSE),
        ("x86_64", "clone3", 435, NOT_THERE),
        ("x86_64", "x32's read", 0x40000000, REFUSE),
        ("aarch64", "read", 63, ALLOW),
        ("aarch64", "execve", 221, ALLOW),
        ("aarch64", "ptrace", 117, REFUSE),
        ("aarch64", "socket", 198, REFUSE),
        ("aarch64", "clone3", 435, NOT_THERE),
    ],
)
def test_a_system_call_is_refused_by_its_number_on_each_machine(machine: str, name: str, number: int, expected: int):
    assert verdict(machine, number) == expected, name


@pytest.mark.parametrize(("machine", "clone"), [("x86_64", 56), ("aarch64", 220)])
def test_a_fork_is_allowed_and_a_new_namespace_is_not(machine: str, clone: int):
    assert verdict(machine, clone, 0x01200011) == ALLOW
    for namespace in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, clone, namespace | 17) == REFUSE


def test_a_system_call_of_another_machine_kills():
    assert verdict("x86_64", 0, architecture=0x40000003) == KILL


def test_an_unknown_machine_has_no_filter():
    assert seccomp.sealing("riscv64") is None


@pytest.mark.parametrize(
    ("machine", "socket", "pair", "connect", "chmod", "limits"),
    [("x86_64", 41, 53, 42, 91, 302), ("aarch64", 198, 199, 203, 52, 261)],
)
def test_behind_the_fence_more_is_refused_and_only_local_sockets_can_be_allowed(
    machine: str, socket: int, pair: int, connect: int, chmod: int, limits: int
):
    fence = seccomp.sealing(machine, boxed=False, own_uid=False, local=("socket",))
    stream, datagram = 1 | 0x80000, 2 | 0x80000  # with close-on-exec
    assert verdict(machine, socket, 1, program=fence, second_argument=stream) == ALLOW
    for family, kind in ((1, datagram), (2, stream), (10, stream), (16, stream)):
        assert verdict(machine, socket, family, program=fence, second_argument=kind) == REFUSE
    assert verdict(machine, pair, 1, program=fence, second_argument=stream) == REFUSE
    assert verdict(machine, chmod, 3, program=fence) == PRETENDED
    assert [verdict(machine, limits, pid, program=fence) for pid in (0, 1)] == [ALLOW, REFUSE]
    assert verdict(machine, chmod, 3) == ALLOW
    deaf = seccomp.without_connect(machine)
    assert [verdict(machine, number, 1, program=deaf) for number in (connect, socket)] == [REFUSE, ALLOW]
