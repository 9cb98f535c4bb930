#pragma once

#include "config/errc.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "handlers/wire/frames.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// What the sandbox suites share: a factory with the built host program in a directory of its own, bundles made of
/// text, and one side of the conversation with a handler. Failures that make a test pointless throw.
namespace sandbox_bed {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using troupe::handlers::sandbox_death;
using troupe::handlers::sandbox_process;
using troupe::handlers::sandbox_spec;

/// Runs the Python that an event brings and answers with what it left in `result`.
constexpr std::string_view runner = R"(
def handler(event):
    names = {}
    exec(event["code"], names)
    return names.get("result")
)";

/// For `run`: the names of the network interfaces.
constexpr std::string_view interfaces =
  "result = [line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]]";

inline std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + '"';
}

inline bool read_exactly(int fd, std::string& out, size_t size) {
  out.resize(size);
  for (size_t got = 0; got < size;) {
    const ssize_t count = ::read(fd, out.data() + got, size - got);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
      return false;
    if (count > 0)
      got += static_cast<size_t>(count);
    else if (!troupe::handlers::wait_readable(fd, 20s))
      return false;
  }
  return true;
}

struct frame {
  troupe::wire::reply_header header;
  std::string payload;
};

/// The next frame, or nothing when the process has ended.
inline std::optional<frame> read_frame(const sandbox_process& process) {
  const int fd = process.answers.get();
  std::string bytes;
  if (!read_exactly(fd, bytes, troupe::wire::prefix_bytes))
    return std::nullopt;
  const auto prefix = troupe::wire::read_prefix(bytes);
  frame result;
  if (!read_exactly(fd, bytes, prefix->header_bytes) || !read_exactly(fd, result.payload, prefix->payload_bytes))
    return std::nullopt;
  result.header = troupe::wire::decode_reply(bytes).value();
  return result;
}

inline void send_event(const sandbox_process& process, std::string_view event) {
  std::string bytes;
  troupe::wire::encode_invoke(bytes, {.request_id = "r", .deadline_ms = 0, .client_context = {}}, event.size());
  bytes += event;
  if (::write(process.events.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("the event was not taken");
}

/// The payload of the next frame; "(gone)" when the process ended instead.
inline std::string answer_of(const sandbox_process& process) {
  auto answer = read_frame(process);
  return answer ? std::move(answer->payload) : "(gone)";
}

/// What `code` left in `result`, as JSON; "(gone)" when the process ended instead.
inline std::string run(const sandbox_process& process, std::string_view code) {
  send_event(process, "{\"code\":" + quoted(code) + "}");
  return answer_of(process);
}

inline std::string text_of(const fs::path& file) {
  std::ifstream stream{file};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

inline std::string name_of(int pid) {
  return text_of("/proc/" + std::to_string(pid) + "/comm");
}

/// The processes that have this one as their parent, but for the one that waits for its end.
inline std::set<int> children() {
  std::set<int> result;
  for (const auto& thread : fs::directory_iterator{"/proc/self/task"}) {
    std::istringstream pids{text_of(thread.path() / "children")};
    for (int pid = 0; pids >> pid;)
      if (name_of(pid) != "troupe-guard\n")
        result.insert(pid);
  }
  return result;
}

/// Of this process's children, the one that runs the host program under that name.
inline int child_named(const std::string& name) {
  for (const int pid : children())
    if (name_of(pid) == name + "\n")
      return pid;
  return 0;
}

inline int zygote_id() {
  return child_named("troupe-python3");
}

/// Whether the process waits for a message: a blank one then has done all that it does ahead.
inline bool waits_for_message(int pid) {
  return text_of("/proc/" + std::to_string(pid) + "/syscall").starts_with(std::to_string(SYS_recvfrom) + " ");
}

/// A blank sandbox that is ready; not the one named `other`.
inline int blank_id(int other = 0) {
  for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;)
    for (const int pid : children())
      if (pid != other && name_of(pid) == "troupe-sandbox\n" && waits_for_message(pid))
        return pid;
  throw std::runtime_error("there is no blank sandbox");
}

inline std::vector<fs::path> cgroups_of(const std::string& name) {
  std::vector<fs::path> result;
  for (const auto& hierarchy : fs::directory_iterator{"/sys/fs/cgroup"})
    if (fs::exists(hierarchy.path() / name))
      result.push_back(hierarchy.path() / name);
  return result;
}

class bed {
public:
  bed() {
    char name[] = "/tmp/troupe-test-XXXXXX";
    if (::mkdtemp(name) == nullptr)
      throw std::runtime_error("no directory for the test");
    directory = name;
    settings.host_program = fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "troupe-python3";
    settings.run_dir = directory / "run";
    settings.cgroup_name = "troupe-test-" + std::to_string(::getpid());
    settings.pool_target = 2;
    settings.recycled_max = 2;
    settings.blank_target = 1;
    settings.work_ahead = false;
    runner_bundle = bundle("runner", runner);
  }

  ~bed() {
    factory.reset();
    fs::remove_all(directory);
  }

  void open() {
    auto made = troupe::handlers::make_sandbox_factory(settings);
    if (!made)
      throw std::runtime_error(troupe::what_of(made.error()));
    factory = std::move(*made);
    fill_pools();
  }

  void fill_pools() {
    while (factory->prepare_one() == troupe::handlers::preparation::made)
      continue;
  }

  /// A bundle directory with the one file main.py.
  std::string bundle(const std::string& name, std::string_view text) {
    const fs::path path = directory / name;
    fs::create_directory(path);
    std::ofstream{path / "main.py"} << text;
    return path;
  }

  sandbox_spec spec(std::string bundle_dir) const {
    return {.runtime = "python3",
            .handler = "main.handler",
            .bundle_dir = std::move(bundle_dir),
            .function_name = "f",
            .function_version = "$LATEST",
            .memory_mb = 128,
            .environment = {{"COLOUR", "blue"}}};
  }

  sandbox_process launch(const sandbox_spec& what) {
    auto process = factory->launch(what);
    if (!process)
      throw std::runtime_error(troupe::what_of(process.error()));
    return std::move(*process);
  }

  /// A sandbox with the runner, ready.
  sandbox_process runner_sandbox() {
    auto process = launch(spec(runner_bundle));
    if (const auto first = read_frame(process); !first || first->header.kind != troupe::wire::frame_kind::ready)
      throw std::runtime_error("the runner is not ready: " + (first ? first->payload : "ended"));
    return process;
  }

  fs::path directory;
  troupe::handlers::factory_settings settings;
  std::string runner_bundle;
  std::unique_ptr<troupe::handlers::sandbox_factory> factory;
};

/// A process in another one's PID namespace whose end nobody takes note of: so long that other one cannot end.
class clinging {
public:
  explicit clinging(int to) {
    if (::pipe2(said_.data(), O_CLOEXEC) != 0 || ::pipe2(told_.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
    parent_ = ::fork();
    if (parent_ == 0)
      live(to);
    char byte = 0;
    if (::read(said_[0], &byte, 1) != 1 || byte != 'y') {
      release();
      throw std::runtime_error("no process in there");
    }
  }

  clinging(const clinging&) = delete;
  clinging& operator=(const clinging&) = delete;

  ~clinging() {
    release();
    for (const int fd : {said_[0], said_[1], told_[0], told_[1]})
      ::close(fd);
  }

  /// From here on its end has been taken note of.
  void release() {
    if (parent_ <= 0)
      return;
    (void)!::write(told_[1], "", 1);
    ::waitpid(std::exchange(parent_, 0), nullptr, 0);
  }

private:
  [[noreturn]] void live(int to) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(said_[0]);
    ::close(told_[1]);
    const int space = ::open(("/proc/" + std::to_string(to) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC);
    const pid_t child = ::setns(space, CLONE_NEWPID) == 0 ? ::fork() : -1;
    if (child == 0)
      while (true)
        ::pause();
    (void)!::write(said_[1], child > 0 ? "y" : "n", 1);
    char byte = 0;
    (void)!::read(told_[0], &byte, 1);
    ::waitpid(child, nullptr, 0);
    ::_exit(0);
  }

  std::array<int, 2> said_{-1, -1};
  std::array<int, 2> told_{-1, -1};
  pid_t parent_ = 0;
};

/// A file of a sandbox's cgroup, from whichever hierarchy has it.
inline std::string cell_file(const bed& test, uint32_t slot, const std::string& file) {
  for (const auto& path : cgroups_of(test.settings.cgroup_name))
    for (const auto& each : fs::recursive_directory_iterator{path}) // or in a family's
      if (each.path().filename() == std::to_string(slot) && fs::exists(each.path() / file))
        return text_of(each.path() / file);
  return {};
}

inline long lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

/// A bed whose factory is up.
struct open_bed : bed {
  open_bed() { open(); }
};

} // namespace sandbox_bed
