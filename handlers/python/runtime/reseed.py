"""Random numbers of its own for a copy of a process that has used its generators already."""
import os
import sys


def reseed():
    """What Python does not do itself after a fork: `random` does."""
    ssl = sys.modules.get("ssl")
    if ssl is not None:  # OpenSSL goes by the process id, which is the same in every sandbox
        ssl.RAND_add(os.urandom(32), 32)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
