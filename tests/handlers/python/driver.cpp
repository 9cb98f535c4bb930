// Forks sandboxes without isolation, to test what runs inside them:
//   driver TASK_ROOT HANDLER MEMORY_MB CHANNEL[,CHANNEL...] [NAME=VALUE...]
// Each CHANNEL is an inherited descriptor and gets a process of its own, forked from one interpreter as a zygote does.
// Prints each process's id and wait status, `pid status`, on descriptor 1 once all have ended.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "handlers/python/interpreter.hpp"

namespace {

std::vector<int> parse_channels(const std::string& list) {
  std::vector<int> channels;
  for (size_t at = 0; at < list.size();) {
    const auto end = std::min(list.find(',', at), list.size());
    channels.push_back(std::stoi(list.substr(at, end - at)));
    at = end + 1;
  }
  return channels;
}

pid_t start_child(const troupe::python::handler_spec& spec, const std::string& task_root, int channel,
                  const std::vector<int>& channels) {
  troupe::python::before_fork();
  const auto pid = ::fork();
  if (pid != 0) {
    troupe::python::after_fork_parent();
    return pid;
  }
  troupe::python::after_fork_child();
  for (const int other : channels)
    if (other != channel)
      ::close(other);
  troupe::python::serve(spec, channel, task_root);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 5)
    return 2;
  troupe::python::handler_spec spec;
  const std::string task_root = argv[1];
  spec.handler = argv[2];
  spec.function_name = "tested";
  spec.function_version = "$LATEST";
  spec.memory_mb = static_cast<uint32_t>(std::atoi(argv[3]));
  for (int i = 5; i < argc; ++i) {
    const std::string pair = argv[i];
    const auto equals = pair.find('=');
    spec.environment[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  const auto channels = parse_channels(argv[4]);
  troupe::python::start_interpreter();
  std::vector<pid_t> children;
  children.reserve(channels.size());
  for (const int channel : channels)
    children.push_back(start_child(spec, task_root, channel, channels));
  for (const int channel : channels)
    ::close(channel);
  for (const auto child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    std::printf("%d %d\n", child, status);
  }
}
