// Forks sandboxes without isolation, to test what runs inside them:
//   driver TASK_ROOT HANDLER MEMORY_MB EVENTS,ANSWERS[,EVENTS,ANSWERS...] [NAME=VALUE...]
// Each pair of inherited descriptors gets a process of its own, forked from one interpreter as a zygote does.
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

using troupe::python::channel_fds;

std::vector<channel_fds> parse_channels(const std::string& list) {
  std::vector<int> numbers;
  for (size_t at = 0; at < list.size();) {
    const auto end = std::min(list.find(',', at), list.size());
    numbers.push_back(std::stoi(list.substr(at, end - at)));
    at = end + 1;
  }
  std::vector<channel_fds> channels;
  for (size_t i = 0; i + 1 < numbers.size(); i += 2)
    channels.push_back({numbers[i], numbers[i + 1]});
  return channels;
}

void close_all(const std::vector<channel_fds>& channels, int kept) {
  for (const auto& each : channels) {
    if (each.events == kept)
      continue;
    ::close(each.events);
    ::close(each.answers);
  }
}

pid_t start_child(const troupe::python::handler_spec& spec, const std::string& task_root, channel_fds channel,
                  const std::vector<channel_fds>& channels) {
  const auto pid = ::fork();
  if (pid != 0)
    return pid;
  if (!troupe::python::reseed())
    std::exit(1);
  close_all(channels, channel.events);
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
  for (const auto& channel : channels)
    children.push_back(start_child(spec, task_root, channel, channels));
  close_all(channels, -1);
  for (const auto child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    std::printf("%d %d\n", child, status);
  }
}
