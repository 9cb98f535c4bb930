"""A hostile function: the event names the attack, and the answer says whether it succeeded."""

import json
import os
import time
import traceback

import bombs
import calls
import files
import network
import privileges
import processes
import template

# Loaded before anything happens: an attack that succeeds may take the bundle away.
MODULES = {module.__name__: module for module in (bombs, calls, files, network, privileges, processes, template)}


def attempt(event):
    """Runs the attack MODULE.FUNCTION, which answers (succeeded, detail)."""
    module, name = event["attack"].split(".")
    succeeded, detail = getattr(MODULES[module], name)(event)
    return {"attack": event["attack"], "succeeded": bool(succeeded), "detail": detail}


def attempt_apart(event):
    """The same in a process of its own, so that one attack's doings do not change what the next one finds."""
    reader, writer = os.pipe()
    event["report_fds"] = [reader, writer]
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(attempt(event)).encode())
        except BaseException:
            os.write(writer, json.dumps({"fault": traceback.format_exc()}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        report = pipe.read()
    status = os.waitpid(child, 0)[1]
    return json.loads(report) if report else {
        "attack": event["attack"], "succeeded": False, "detail": f"the process ended with status {status}"}


def f(event):
    """Or what the test needs in order to have the sandboxes that it wants."""
    if "hold_s" in event:
        time.sleep(event["hold_s"])
    if "exit" in event:
        os._exit(0)
    if "who" in event:
        return os.getpid()
    return attempt(event) if event.get("here") else attempt_apart(event)
