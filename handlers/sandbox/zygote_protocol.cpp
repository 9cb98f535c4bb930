#include "handlers/sandbox/zygote_protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <msgpack.hpp>
#include <sys/socket.h>

namespace troupe::handlers {
namespace {

using launch_fields = std::tuple<std::string, std::string, std::string, uint32_t, std::map<std::string, std::string>>;

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
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, launch_fields{request.handler, request.function_name, request.function_version,
                                      request.memory_mb, request.environment});
  return {buffer.data(), buffer.size()};
}

std::optional<launch_request> decode_launch(std::string_view bytes) {
  try {
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    auto [handler, name, version, memory_mb, environment] = handle->as<launch_fields>();
    return launch_request{std::move(handler), std::move(name), std::move(version), memory_mb, std::move(environment)};
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  } catch (const msgpack::type_error&) {
    return std::nullopt;
  }
}

std::optional<launch_request> receive_launch(int set_up) {
  const ssize_t size = ::recv(set_up, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  std::string bytes(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  if (size <= 0 || ::recv(set_up, bytes.data(), bytes.size(), 0) != size)
    return std::nullopt;
  auto result = decode_launch(bytes);
  if (!result)
    errno = EBADMSG;
  return result;
}

} // namespace troupe::handlers
