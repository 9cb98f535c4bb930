"""System calls that no handler needs: answered by the filter, and by nothing else without it."""

import pytest

from attacks import FILTER
from bed import run_plain

REFUSED = {"EPERM", "ENOSYS"}

# Of those that the filter stops, some that everybody may make on a machine: nothing else would stop them.
STOPPED_BY_THE_FILTER_ALONE = {"add_key", "keyctl", "request_key", "personality", "io_uring_setup", "ptrace",
                               "process_vm_readv", "name_to_handle_at", "set_mempolicy", "unshare", "userfaultfd"}


@pytest.fixture(scope="module")
def caged(world):
    return world.run("calls.table")["detail"]


def test_each_is_refused(caged):
    assert {name: answer for name, answer in caged.items() if answer not in REFUSED} == {}


def test_clone3_is_not_there(caged):
    """So that C libraries use clone, whose flags a filter can read."""
    assert caged["clone3"] == "ENOSYS"


def test_as_root_of_the_machine_each_gets_past(caged):
    """But those that this kernel does not have. So a test of the cage that finds EPERM has found the cage."""
    answers = run_plain("calls.table")["detail"]
    assert set(answers) == set(caged)
    assert {name for name, answer in answers.items() if answer == "EPERM"} == set()
    assert sum(answer not in REFUSED for answer in answers.values()) >= len(answers) * 3 // 4, answers


def test_without_the_filter_other_calls_get_past(weak_worlds, caged):
    answers = weak_worlds((FILTER,)).run("calls.table")["detail"]
    passed = {name for name, answer in answers.items() if answer not in REFUSED}
    absent = {name for name, answer in answers.items() if answer == "ENOSYS"}
    assert STOPPED_BY_THE_FILTER_ALONE - absent - {"unshare"} <= passed, answers
