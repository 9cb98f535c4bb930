#include "handlers/sandbox/zygote_protocol.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#include <msgpack.hpp>

namespace troupe::handlers {
namespace {

static_assert(std::is_trivially_copyable_v<zygote_reply> && std::is_trivially_copyable_v<step_report>);

using launch_fields = std::tuple<uint32_t, uint32_t, std::string, std::string, std::string,
                                 std::map<std::string, std::string>>;

template <class Message>
std::optional<Message> copy_out(std::string_view bytes) noexcept {
  if (bytes.size() != sizeof(Message))
    return std::nullopt;
  Message result;
  std::memcpy(&result, bytes.data(), sizeof result);
  return result;
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
  if (error != 0)
    result.append(": ").append(strerrordesc_np(error) != nullptr ? strerrordesc_np(error) : "unknown error");
  return result;
}

std::string encode(request_kind kind) {
  return std::string(1, static_cast<char>(kind));
}

std::string encode(const launch_request& request) {
  msgpack::sbuffer buffer;
  const launch_fields fields{request.slot,          request.memory_mb,        request.handler,
                             request.function_name, request.function_version, request.environment};
  msgpack::pack(buffer, fields);
  return encode(request_kind::launch).append(buffer.data(), buffer.size());
}

std::string_view bytes_of(const zygote_reply& reply) noexcept {
  return {reinterpret_cast<const char*>(&reply), sizeof reply};
}

std::string_view bytes_of(const step_report& report) noexcept {
  return {reinterpret_cast<const char*>(&report), sizeof report};
}

std::optional<request_kind> kind_of_request(std::string_view bytes) noexcept {
  if (bytes.empty())
    return std::nullopt;
  switch (const auto kind = static_cast<request_kind>(bytes.front())) {
    case request_kind::go_on:
    case request_kind::prepare:
    case request_kind::launch:
      return kind;
  }
  return std::nullopt;
}

std::optional<launch_request> decode_launch(std::string_view bytes) {
  try {
    const auto handle = msgpack::unpack(bytes.data() + 1, bytes.size() - 1);
    auto fields = handle->as<launch_fields>();
    return launch_request{std::get<0>(fields),
                          std::get<1>(fields),
                          std::move(std::get<2>(fields)),
                          std::move(std::get<3>(fields)),
                          std::move(std::get<4>(fields)),
                          std::move(std::get<5>(fields))};
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;
  } catch (const msgpack::type_error&) {
    return std::nullopt;
  }
}

std::optional<zygote_reply> decode_reply(std::string_view bytes) noexcept {
  return copy_out<zygote_reply>(bytes);
}

std::optional<step_report> decode_report(std::string_view bytes) noexcept {
  return copy_out<step_report>(bytes);
}

} // namespace troupe::handlers
