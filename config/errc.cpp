#include "config/errc.hpp"

#include <caf/atom.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace troupe {

namespace {

constexpr caf::atom_value category = caf::atom("troupe");

struct row {
  std::string_view name;
  std::string_view what;
  error_face face;
};

/// The one place where an error gets its faces. No default: a new enumerator that is missing here does not compile.
row row_of(errc code) noexcept {
  switch (code) {
    case errc::none: return {"none", "no error", {200, "Service", 1}};
    case errc::invalid_argument: return {"invalid_argument", "invalid argument", {400, "InvalidParameterValue", 2}};
    case errc::invalid_payload: return {"invalid_payload", "the event is not JSON", {400, "InvalidRequestContent", 2}};
    case errc::function_not_found: return {"function_not_found", "no such function", {404, "ResourceNotFound", 3}};
    case errc::path_not_found: return {"path_not_found", "no such path", {404, "ResourceNotFound", 3}};
    case errc::method_not_allowed: return {"method_not_allowed", "method not allowed", {405, "MethodNotAllowed", 2}};
    case errc::function_exists: return {"function_exists", "the function exists already", {409, "ResourceConflict", 4}};
    case errc::conflict: return {"conflict", "the function was changed meanwhile", {412, "PreconditionFailed", 4}};
    case errc::payload_too_large: return {"payload_too_large", "the body is too large", {413, "RequestTooLarge", 2}};
    case errc::headers_too_large:
      return {"headers_too_large", "the header fields are too large", {431, "RequestTooLarge", 2}};
    case errc::request_timeout:
      return {"request_timeout", "the request took too long to arrive", {408, "RequestTimeout", 5}};
    case errc::too_many_requests:
      return {"too_many_requests", "too many requests, try again later", {429, "TooManyRequests", 5}};
    case errc::shutting_down: return {"shutting_down", "the node is stopping", {503, "ServiceUnavailable", 5}};
    case errc::unavailable: return {"unavailable", "not available, try again later", {503, "ServiceUnavailable", 5}};
    case errc::node_lost:
      return {"node_lost",
              "the node that ran this is gone: it may have run, so send it again only if that does no harm",
              {502, "Service", 5}};
    case errc::sandbox_failed: return {"sandbox_failed", "the sandbox could not be started", {502, "Service", 6}};
    case errc::not_supported: return {"not_supported", "not supported", {400, "InvalidParameterValue", 6}};
    case errc::already_running: return {"already_running", "already in use", {500, "Service", 7}};
    case errc::storage_damaged: return {"storage_damaged", "the database is damaged", {500, "Service", 8}};
    case errc::io_error: return {"io_error", "a system call failed", {500, "Service", 9}};
    case errc::internal: return {"internal", "internal error", {500, "Service", 10}};
  }
  return {"internal", "internal error", {500, "Service", 10}};
}

} // namespace

error_face face_of(errc code) noexcept {
  return row_of(code).face;
}

std::string_view name_of(errc code) noexcept {
  return row_of(code).name;
}

caf::error make_error(errc code, std::string what) {
  if (what.empty())
    what = row_of(code).what;
  return {static_cast<uint8_t>(code), category, caf::make_message(std::move(what))};
}

caf::error make_throttled(throttle which) {
  return {static_cast<uint8_t>(errc::too_many_requests), category,
          caf::make_message(std::string{face_of(which).what}, static_cast<uint8_t>(which))};
}

caf::optional<throttle> throttle_of(const caf::error& error) {
  if (code_of(error) != errc::too_many_requests || !error.context().match_elements<std::string, uint8_t>())
    return caf::none;
  const auto which = error.context().get_as<uint8_t>(1);
  if (which >= throttle_count)
    return caf::none; // of a later program
  return static_cast<throttle>(which);
}

errc code_of(const caf::error& error) noexcept {
  if (!error)
    return errc::none;
  if (error.category() == category && error.code() <= static_cast<uint8_t>(errc::internal))
    return static_cast<errc>(error.code());
  if (error == caf::sec::request_receiver_down || error == caf::sec::request_timeout)
    return errc::unavailable;
  return errc::internal;
}

std::string what_of(const caf::error& error) {
  if (error && error.category() == category) {
    const auto& context = error.context();
    if (context.match_elements<std::string>() || context.match_elements<std::string, uint8_t>())
      return context.get_as<std::string>(0);
  }
  return std::string{row_of(code_of(error)).what};
}

} // namespace troupe
