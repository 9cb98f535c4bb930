#include "handlers/sandbox/keeper.hpp"

#include "handlers/sandbox/check.hpp"
#include "handlers/sandbox/clone.hpp"

#include <cerrno>

#include <sys/prctl.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

[[noreturn]] void keep(int life) {
  ::prctl(PR_SET_NAME, "troupe-keeper");
  ::setpgid(0, 0); // out of the zygote's process group, in which the node looks for children that it was not told of
  ::dup2(life, 0);
  ::close_range(1, ~0U, 0);
  char byte = 0;
  while (::read(0, &byte, 1) > 0 || errno == EINTR)
    errno = 0;
  ::_exit(0);
}

} // namespace

unique_fd start_keeper(int life) {
  unique_fd pidfd;
  if (check(clone_sibling(0, -1, pidfd), "clone the keeper") == 0)
    keep(life);
  return pidfd;
}

} // namespace troupe::handlers
