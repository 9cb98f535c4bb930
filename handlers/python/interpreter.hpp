#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "handlers/python/channel_fds.hpp"

/// The Python side of troupe-python3. The zygote half of the program (zygote.hpp) builds the isolation around it and
/// knows nothing of CPython: these functions are all it calls. One thread, the zygote's only one, calls them.
namespace troupe::python {

/// What a forked child serves; everything was received from the node.
struct handler_spec {
  std::string handler; ///< "module.callable"; the module may be dotted or written with slashes
  std::string function_name;
  std::string function_version;
  uint32_t memory_mb = 0;
  std::map<std::string, std::string> environment; ///< the function's own variables
};

/// Starts CPython (Debian's, isolated from the environment and from the user's directories), imports what every
/// handler needs, runs once what an import and a call run, and freezes the garbage collector's view of all that.
/// Called once, in the zygote, where it sees the sandbox's file system; descriptors 0 to 2 must be open. Exits with
/// status 1 and a line on stderr when it cannot. `layers` are folders with packages, which come before the system's;
/// `rehearsal` is one with a file rehearsal.py, a small handler for `rehearse`, without which there is none.
void start_interpreter(const std::vector<std::string>& layers = {}, const std::string& rehearsal = {});

/// What came of importing packages.
struct imported_packages {
  std::string failure;             ///< empty: all are there; else the process is of no use any more
  std::string culprit;             ///< the package that failed
  std::vector<std::string> loaded; ///< top-level names that have come, those of the standard library left out
};

/// In a zygote that is to have them: imports packages, and freezes the garbage collector's view of them.
imported_packages import_packages(const std::vector<std::string>& names);

/// Around a clone, as os.fork() does it: `before_fork` in the parent, then `after_fork_parent` there (also when the
/// clone failed) and `after_fork_child` in the child, before anything else of Python's. The child must have a correct
/// thread id (glibc caches it; a raw clone leaves the parent's).
///
/// Where nothing but start_interpreter has run, a clone can do without: locks are for a process that has had a second
/// thread, and of the modules that it imports only `random` has something to renew, which `reseed` does. What all that
/// runs costs a child some 140 pages.
void before_fork();
void after_fork_parent();
void after_fork_child();

/// In a child, before anything else of Python's but that: renews the random state of what was loaded before it was
/// cloned. False, with the error printed, when that raised something.
bool reseed();

/// In a child, before it is known what it will serve: runs what loading and calling a handler runs, so that the pages
/// which that writes to have been copied by then. False, with the error printed, when it raised something.
bool rehearse();

/// In a template, after everything was dropped: loads the handler as `serve` does, runs the functions that it has
/// registered for the time before a snapshot, and says ready or failed on `channel`. False after failed; true when
/// copies of this process may serve.
bool load_template(const handler_spec& spec, channel_fds channel, const std::string& task_root);

/// In a copy of a template, in a cage of its own and after after_fork_child: gives it random numbers, names and a log
/// of its own, runs the functions that are registered for the time after a snapshot, says ready or failed on `channel`,
/// and goes on as `serve`.
[[noreturn]] void serve_copy(channel_fds channel);

/// In the isolated child, after everything was dropped: loads the handler from `task_root`, says ready or failed on
/// `channel` (which it takes over), then answers frames until the channel closes. Descriptors 1 and 2
/// are the function's log by then. Never returns: exits with 0 when the channel closed, 1 after `failed`, and as the
/// handler wants when it calls sys.exit().
[[noreturn]] void serve(const handler_spec& spec, channel_fds channel, const std::string& task_root);

} // namespace troupe::python
