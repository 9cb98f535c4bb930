#include "handlers/sandbox/nft.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

caf::error failed(const std::string& what, int error) {
  return make_error(errc::sandbox_failed, what + ": " + std::strerror(error));
}

/// A file without a name that holds the text and is read from its beginning.
unique_fd file_of(std::string_view text) {
  unique_fd file{::memfd_create("nft", MFD_CLOEXEC)};
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())
      || ::lseek(file.get(), 0, SEEK_SET) != 0)
    return {};
  return file;
}

std::string text_of(const unique_fd& file) {
  std::string text(64 * 1024, '\0');
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

/// Starts it with `input` as 0, and `output` as 1 and 2; its id, or an error.
caf::expected<pid_t> start(const char* program, const unique_fd& input, const unique_fd& output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), 2);
  std::array<std::string, 3> words{program, "-f", "-"};
  std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program, &actions, nullptr, arguments.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return failed("start nft", error);
  return pid;
}

} // namespace

const char* find_nft() noexcept {
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"})
    if (::access(path, X_OK) == 0)
      return path;
  return nullptr;
}

caf::expected<std::string> run_nft(const std::string& script) {
  const char* program = find_nft();
  if (program == nullptr)
    return make_error(errc::not_supported, "network egress without the program nft: install the package nftables");
  const unique_fd input = file_of(script);
  const unique_fd output = file_of("");
  if (!input || !output)
    return failed("make files for nft", errno);
  const auto pid = start(program, input, output);
  if (!pid)
    return pid.error();
  const unique_fd process = open_process(*pid);
  const auto end = reap(process.get(), limits::nft_time_max);
  if (!end) {
    kill_and_reap(process.get(), limits::kill_time_max);
    return make_error(errc::sandbox_failed, "nft takes too long");
  }
  auto text = text_of(output);
  if (end->si_code == CLD_EXITED && end->si_status == 0)
    return text;
  return make_error(errc::sandbox_failed,
                    "nft refuses the rules for network egress: " + text.substr(0, text.find('\n')));
}

} // namespace troupe::handlers
