#include "handlers/sandbox/sub_ids.hpp"

#include "config/limits.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

constexpr const char* uid_program = "/usr/bin/newuidmap";
constexpr const char* gid_program = "/usr/bin/newgidmap";

/// One for each sandbox that there can be.
constexpr uint32_t wanted = limits::sandbox_cells_max;

std::optional<uint32_t> number_of(const std::string& text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

/// In the helper.
bool run(const char* program, pid_t target, uint32_t own, uint32_t first) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto text = [](uint32_t number) { return std::to_string(number); };
    std::array<std::string, 8> words{
      program, text(static_cast<uint32_t>(target)), "0", text(own), "1", "1", text(first), text(wanted)};
    std::array<char*, 9> arguments{};
    for (size_t i = 0; i < words.size(); ++i)
      arguments[i] = words[i].data();
    ::execv(program, arguments.data());
    ::_exit(127);
  }
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

} // namespace

std::optional<uint32_t> find_sub_ids(std::string_view text, std::string_view name, uint32_t user, uint32_t count) {
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields{line};
    std::string owner;
    std::string first;
    std::string length;
    if (!std::getline(fields, owner, ':') || !std::getline(fields, first, ':') || !std::getline(fields, length))
      continue;
    const auto start = number_of(first);
    if ((owner == name || owner == std::to_string(user)) && start && number_of(length).value_or(0) >= count)
      return start;
  }
  return std::nullopt;
}

sub_id_mapper::sub_id_mapper(uid_t user, gid_t group) {
  const passwd* entry = ::getpwuid(user);
  const std::string name = entry != nullptr ? entry->pw_name : std::to_string(user);
  const auto users = find_sub_ids(read_small_file("/etc/subuid").value_or(""), name, user, wanted);
  const auto groups = find_sub_ids(read_small_file("/etc/subgid").value_or(""), name, user, wanted);
  int pipe[2];
  if (!users || !groups || ::access(uid_program, X_OK) != 0 || ::access(gid_program, X_OK) != 0
      || ::pipe2(pipe, O_CLOEXEC) != 0)
    return;
  const pid_t target = ::getpid();
  helper_ = ::fork();
  if (helper_ == 0) {
    ::close(pipe[1]);
    char byte = 0;
    ::_exit(::read(pipe[0], &byte, 1) == 1 && run(uid_program, target, user, *users)
                && run(gid_program, target, group, *groups)
              ? 0
              : 1);
  }
  ::close(pipe[0]);
  start_ = pipe[1];
}

sub_id_mapper::~sub_id_mapper() {
  if (start_ >= 0)
    ::close(start_);
  if (helper_ > 0)
    ::waitpid(helper_, nullptr, 0);
}

bool sub_id_mapper::map() {
  int status = -1;
  if (helper_ <= 0 || ::write(start_, "", 1) != 1 || ::waitpid(helper_, &status, 0) != helper_)
    return false;
  helper_ = -1;
  return status == 0;
}

} // namespace troupe::handlers
