"""Other processes: seen, signalled, read, traced; and processes that stay."""

import os
import signal
import threading
import time

from calls import call, checked, error_of, libc, native, outcome

PIDS = range(2, 65536)


def others(own):
    """Numbers of processes in sight that are none of the sandbox's own, nor this one."""
    return [int(name) for name in os.listdir("/proc")
            if name.isdigit() and int(name) not in (*own, os.getpid())]


def listing(event):
    found = others(event["own"])
    return bool(found), found[:20]


def signals(event):
    """Signal 0 asks whether a signal could be sent. -1 means everybody but the first process."""
    own = (*event["own"], os.getpid(), os.getpgrp())
    everybody = [-1] if event["own"] == [1] else []
    reached = [pid for pid in [*everybody, *PIDS, *event["pids"]] if pid not in own and error_of(os.kill, pid, 0) is None]
    return bool(reached), reached[:20]


def process_group(event):
    """A group that reaches out of the PID namespace has the number 0 inside, and kill(0) reaches it."""
    return os.getpgrp() == 0, os.getpgrp()


def pidfds(event):
    reached = []
    for pid in {*range(2, 4096), *event["pids"]} - {*event["own"], os.getpid()}:
        if error_of(lambda: os.close(call("pidfd_open", pid, 0))) is None:
            reached.append(pid)
    return bool(reached), reached[:20]


def trace(event):
    """PTRACE_SEIZE, which does not stop whom it reaches."""
    reached = [pid for pid in {*range(2, 4096), *event["pids"]} - {*event["own"], os.getpid()}
               if error_of(lambda: checked(libc.ptrace(0x4206, pid, None, None))) is None]
    return bool(reached), reached[:20]


def read_memory(event):
    """Address 0 holds nothing: EFAULT says that the process is within reach."""
    answers = {pid: -native.peek(pid, 0, bytes(16))
               for pid in {*range(2, 4096), *event["pids"]} - {*event["own"], os.getpid()}}
    reached = [pid for pid, answer in answers.items() if answer not in (1, 3, 38)]  # EPERM, ESRCH, ENOSYS
    return bool(reached), reached[:20]


def doors(event):
    """What /proc would lead to of others: their roots, memory, environment, descriptors."""
    found = []
    for pid in {1, *others(event["own"])} - {*event["own"], os.getppid(), os.getpid()}:
        for name, flags in (("environ", os.O_RDONLY), ("mem", os.O_RDWR), ("root/.", os.O_RDONLY), ("fd", os.O_RDONLY)):
            if error_of(lambda: os.close(os.open(f"/proc/{pid}/{name}", flags))) is None:
                found.append(f"/proc/{pid}/{name}")
    return bool(found), found[:20]


def shared_memory(event):
    """A segment of the machine's, by its key."""
    return outcome({"shmget": error_of(lambda: checked(libc.shmget(event["shared_memory"], 0, 0)))})


def run_for_ever(mark, started):
    """Uses CPU time, under a name by which the machine's /proc shows it."""
    with open("/proc/self/comm", "w") as name:
        name.write(mark)
    os.write(started, b"!")
    # Whoever reads the pipe of the answer, or that one, would wait for this process to end.
    os.closerange(0, 4096)
    while True:
        pass


def daemon(event):
    """Leaves a process that has nothing to do with the handler's any more."""
    waiting, started = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.fork() == 0:
            run_for_ever(event["mark"], started)
        os._exit(0)
    os.close(started)
    os.waitpid(child, 0)
    return os.read(waiting, 1) == b"!", "left behind"


turns = [0]


def thread(event):
    """Starts a thread that goes on when the answer is out; says how far it is."""
    def count():
        while True:
            turns[0] += 1
            time.sleep(0.001)
    if turns[0] == 0:
        turns[0] = 1
        threading.Thread(target=count, daemon=True).start()
    return True, turns[0]
