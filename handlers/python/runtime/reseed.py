"""Random state of what was loaded before a process was cloned: two that go on from the same state would draw the same
numbers."""
import os
import random
import sys
from _random import Random


def reseed():
    """In each clone, before any code of a function runs in it. secrets, uuid4 and os.urandom ask the kernel. What a
    package keeps in generators of its own is not known."""
    Random.seed(random._inst)  # the generator behind random.random() and its like
    random._inst.gauss_next = None
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if ssl := sys.modules.get("ssl"):
        ssl.RAND_add(os.urandom(32), 32)  # OpenSSL tells a clone by its process id, which may be the same
    if tempfile := sys.modules.get("tempfile"):
        tempfile._name_sequence = None  # the same: it begins anew
