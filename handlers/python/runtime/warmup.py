"""Runs ahead of time what a new sandbox runs: in the zygote, so that dictionaries have grown, code has been specialised
and files have been looked up before the fork, once for all; and in a blank sandbox, so that the pages which that writes
to are its own already when its function comes."""
import importlib
import json
import os
import sys

import troupe_boot
import troupe_context
import troupe_errors
import troupe_loading

_source = """
import json
class Thing:
    def __init__(self, value=None): self.value = value
def handler(event, context):
    return [Thing(n).value for n in range(3)] + [event]
"""

_small_module = "colorsys"  # of the standard library, imported by nobody here
_rounds_to_specialise = 16  # CPython 3.11 does so after 8


def in_zygote():
    for _ in range(_rounds_to_specialise):
        run()


def _rehearse():
    """All that a sandbox does with its function before it is ready, and back to where it was."""
    folder = os.path.dirname(os.__file__)
    environment, directory, function = dict(os.environ), os.getcwd(), troupe_context.function
    troupe_boot.prepare_process("warmup.handler", "warmup", "$LATEST", 128, folder, {"WARM_UP": "1"})
    troupe_loading.rehearse(_small_module, "rgb_to_yiq", folder)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    troupe_context.function = function


def run():
    _rehearse()
    names = {"__name__": "warmup"}
    exec(compile(_source, "<troupe>/warm-up.py", "exec"), names)
    troupe_loading.takes_context(names["handler"])
    json.dumps(names["handler"](json.loads('{"a": [1, 2.5, "x", null, true]}'), None))
    troupe_context.make("", 0, "").get_remaining_time_in_millis()
    try:
        importlib.import_module("troupe_no_such_module")
    except ImportError as error:
        troupe_errors.stack_of(error)
