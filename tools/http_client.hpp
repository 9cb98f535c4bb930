#pragma once

#include <caf/expected.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::tools {

struct http_call {
  std::string method = "GET";
  std::string target = "/";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds limit; ///< for the whole exchange, from the connection on
};

struct http_answer {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  /// The value of a header field, whatever the case of its name; empty when there is none.
  std::string_view header(std::string_view name) const noexcept;
};

/// A client of one node. Each call makes a connection of its own and waits for the answer; no thread is started.
class http_client {
public:
  /// `endpoint` is such as http://127.0.0.1:8080. Fails with invalid_argument.
  static caf::expected<http_client> make(std::string_view endpoint);

  /// Names that tenant in every call; without one the node takes its default.
  void speak_for(std::string tenant) { tenant_ = std::move(tenant); }

  /// Answers whatever the node answered, errors of its own included. Fails with unavailable when there is no node,
  /// or none that answers in time or in HTTP.
  caf::expected<http_answer> send(const http_call& call) const;

  std::string endpoint() const { return "http://" + node_.authority; }

  struct address {
    std::string host; ///< a name or a numeric address, without brackets
    std::string port;
    std::string authority; ///< both as they stand in the URL
  };

private:
  http_client() = default;

  address node_;
  std::string tenant_;
};

/// Everything but letters, digits and "-._~" as %XX (RFC 3986).
std::string percent_encoded(std::string_view text);

} // namespace troupe::tools
