#include "handlers/sandbox/zygote_protocol.hpp"

#include "handlers/wire/fd_passing.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <msgpack.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

using launch_fields =
  std::tuple<std::string, std::string, std::string, uint32_t, uint32_t, std::map<std::string, std::string>>;
using growth_fields = std::tuple<std::string, std::string, uint64_t, std::vector<std::string>>;

template <class Fields>
std::string pack(const Fields& fields) {
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, fields);
  return {buffer.data(), buffer.size()};
}

template <class Fields>
std::optional<Fields> unpack(std::string_view bytes) {
  try {
    return msgpack::unpack(bytes.data(), bytes.size())->as<Fields>();
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  } catch (const msgpack::type_error&) {
    return std::nullopt;
  }
}

} // namespace

step_report step_report::of(std::string_view step, int error) noexcept {
  step_report result;
  result.error = error;
  std::memcpy(result.step, step.data(), std::min(step.size(), sizeof result.step - 1));
  return result;
}

std::string step_report::text() const {
  std::string result{step, strnlen(step, sizeof step)};
  if (const char* reason = error != 0 ? strerrordesc_np(error) : nullptr)
    result.append(": ").append(reason);
  return result;
}

std::string encode(const launch_request& request) {
  return pack(launch_fields{request.handler, request.function_name, request.function_version, request.memory_mb,
                            request.ephemeral_storage_mb, request.environment});
}

std::optional<launch_request> decode_launch(std::string_view bytes) {
  auto fields = unpack<launch_fields>(bytes);
  if (!fields)
    return std::nullopt;
  auto& [handler, name, version, memory_mb, storage_mb, environment] = *fields;
  return launch_request{std::move(handler), std::move(name), std::move(version),
                        memory_mb,          storage_mb,      std::move(environment)};
}

std::string encode(const std::vector<std::string>& packages) {
  return pack(packages);
}

std::optional<std::vector<std::string>> decode_packages(std::string_view bytes) {
  return unpack<std::vector<std::string>>(bytes);
}

std::string encode(const growth_report& report) {
  return pack(growth_fields{report.failure, report.culprit, report.import_us, report.loaded});
}

std::optional<growth_report> decode_growth(std::string_view bytes) {
  auto fields = unpack<growth_fields>(bytes);
  if (!fields)
    return std::nullopt;
  auto& [failure, culprit, import_us, loaded] = *fields;
  return growth_report{std::move(failure), std::move(culprit), import_us, std::move(loaded)};
}

bool launch_waits(int set_up) noexcept {
  return ::recv(set_up, nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT) > 0;
}

std::optional<received_launch> receive_launch(int set_up) {
  errno = 0;
  const ssize_t size =
    ::recv(set_up, nullptr, 0, MSG_PEEK | MSG_TRUNC); // so that no more memory is touched than needed
  if (size <= 0)
    return std::nullopt;
  auto message = wire::receive_message(set_up, static_cast<size_t>(size));
  if (!message)
    return std::nullopt;
  auto what = decode_launch(message->bytes);
  if (!what || message->fds.size() > 1) {
    errno = EBADMSG;
    return std::nullopt;
  }
  return received_launch{std::move(*what), message->fds.empty() ? unique_fd{} : std::move(message->fds.front())};
}

std::optional<shell_request> receive_shell_request(int set_up, int& bundle) noexcept {
  errno = 0;
  auto message = wire::receive_message(set_up, sizeof(shell_request));
  if (!message)
    return std::nullopt;
  const auto what = message_of<shell_request>(message->bytes);
  if (!what || message->fds.size() != 1) {
    errno = EBADMSG;
    return std::nullopt;
  }
  bundle = message->fds.front().release();
  return what;
}

void report(int set_up, const step_report& what) noexcept {
  if (::write(set_up, &what, sizeof what) != sizeof what)
    ::_exit(127);
}

void report_failure(int set_up, const char* step) noexcept {
  report(set_up, step_report::of(step, errno));
  ::_exit(126);
}

} // namespace troupe::handlers
