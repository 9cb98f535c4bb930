"""Runs ahead of time what a new sandbox runs: in the zygote, so that dictionaries have grown, code has been specialised
and files have been looked up before the fork, once for all; and in a blank sandbox, so that the pages which that writes
to are its own already when its function comes."""
import _signal
import importlib
import json
import os
import sys

import troupe_boot
import troupe_context
import troupe_errors
import troupe_loading

_rounds_to_specialise = 16  # CPython 3.11 does so after 8

_folder = ""  # where rehearsal.py is


def rehearse():
    """All that a sandbox does with its function before it is ready. What is left of that in the environment, the
    function's own values replace."""
    troupe_boot.prepare_process("rehearsal.handler", "rehearsal", "$LATEST", 128, _folder, {})
    troupe_loading.load("rehearsal.handler", _folder)
    sys.path.remove(_folder)
    del sys.modules["rehearsal"]
    os.chdir("/")


def _run():
    rehearse()
    json.dumps(json.loads('{"a": [1, 2.5, "x", null, true]}'))
    troupe_context.make("", 0, "").get_remaining_time_in_millis()
    try:
        importlib.import_module("troupe_no_such_module")
    except ImportError as error:
        troupe_errors.stack_of(error)


def in_zygote(folder):
    """With the handler rehearsal.handler of that folder. Leaves the process as it was."""
    global _folder
    _folder = folder
    environment, function = dict(os.environ), troupe_context.function
    for _ in range(_rounds_to_specialise):
        _run()
    os.environ.clear()
    os.environ.update(environment)
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    troupe_context.function = function
