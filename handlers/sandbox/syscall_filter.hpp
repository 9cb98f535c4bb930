#pragma once

/// The system calls that a handler may make: an allow-list in seccomp's filter language, for the machine's own
/// architecture only. Whatever is not on it fails with EPERM and nothing happens; see syscall_filter.cpp for the list.
namespace troupe::handlers {

/// Builds the filters; done once, in the zygote, since building takes ten times as long as loading. Throws
/// std::system_error.
void prepare_syscall_filters();

/// Binds the calling process, and what it will make, to the filter that was prepared. It must hold no_new_privs or
/// CAP_SYS_ADMIN. False with errno set. Allocates nothing.
bool load_syscall_filter() noexcept;

/// The same for a template, which may also enter shells (shell.hpp) and drop what it gets by that.
bool load_template_filter() noexcept;

/// Takes that away again, in a child of a template: what is left is what load_syscall_filter would leave.
bool load_entry_filter() noexcept;

} // namespace troupe::handlers
