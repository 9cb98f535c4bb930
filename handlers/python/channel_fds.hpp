#pragma once

namespace troupe::python {

/// The descriptors of a handler process's channel to its node: two pipes, each read at one end and written at the
/// other. A socket would do, but wakes whoever waits for events once more when its answers are read.
struct channel_fds {
  int events = -1;  ///< frames from the node
  int answers = -1; ///< frames to the node
};

} // namespace troupe::python
