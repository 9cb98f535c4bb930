#pragma once

/// The system calls that a handler may make: an allow-list in seccomp's filter language, for the machine's own
/// architecture only. Whatever is not on it fails with EPERM and nothing happens; see syscall_filter.cpp for the list.
namespace troupe::handlers {

/// Builds the filters; done once, in the zygote, since building takes ten times as long as loading. Throws
/// std::system_error.
void prepare_syscall_filters();

/// Binds the calling process, and what it will make, to the list, and to what it takes to make sandboxes besides: the
/// zygote, so that the long filter is translated once and not for each sandbox. These must hold no_new_privs or
/// CAP_SYS_ADMIN. False with errno set. They allocate nothing.
bool load_zygote_filter() noexcept;

/// Takes what it takes to make sandboxes away again: the list is left.
bool load_syscall_filter() noexcept;

/// The same for a template, which may also enter shells (shell.hpp) and drop what it gets by that.
bool load_template_filter() noexcept;

/// Takes that away again, in a child of a template: what is left is what load_syscall_filter would leave.
bool load_entry_filter() noexcept;

} // namespace troupe::handlers
