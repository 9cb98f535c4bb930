#pragma once

/// What modules ask to be told of at a fork, with os.register_at_fork: locks that another thread might have held, state
/// that two processes must not share. For the modules that a zygote loads ahead there is nothing to do when it clones a
/// sandbox, since it has one thread and `reseed` renews their random state; and their functions, the first of Python's
/// in a child, would copy more pages than anything else does. So those run only when a handler forks.
namespace troupe::python {

/// From here on, what is registered is not called at a zygote's clones. False, with Python's error set, when
/// os.register_at_fork cannot be replaced.
bool begin_quiet_hooks();

/// From here on, what is registered is called at all forks. False as above.
bool end_quiet_hooks();

/// Around the zygote's clone, as os.fork() does it: `before_fork` in the zygote, then `after_fork_parent` in the
/// zygote (also when the clone failed) and `after_fork_child` in the child, before anything else of Python there.
/// The child must have a correct thread id (glibc caches it; a raw clone leaves the parent's).
void before_fork();
void after_fork_parent();
void after_fork_child();

} // namespace troupe::python
