#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe::http::test {

/// An answer as a client reads it. Field names are in lower case.
struct answer {
  int status = 0; ///< 0: the connection ended without one
  std::string text_of_head;
  std::map<std::string, std::string> fields;
  std::string body;

  std::string field(const std::string& name) const {
    const auto at = fields.find(name);
    return at == fields.end() ? std::string{} : at->second;
  }
};

/// A blocking connection that sends any bytes, right or wrong, and reads answers. Gives up after ten seconds.
class client {
public:
  explicit client(uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const timeval patience{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
  }

  /// False when the connection is broken before all was sent.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0)
        return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  /// Says that nothing more comes.
  void finish() { ::shutdown(fd_.get(), SHUT_WR); }

  /// The next answer; `to_head` says that it is one to HEAD, which has no body.
  answer read(bool to_head = false) {
    answer result;
    size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive())
        return result;
    result.text_of_head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    parse_head(result);
    const auto length = result.field("content-length");
    const size_t size = to_head || length.empty() ? 0 : std::stoul(length);
    while (received_.size() < size)
      if (!receive())
        return {};
    result.body = received_.substr(0, size);
    received_.erase(0, size);
    return result;
  }

  answer ask(std::string_view request) {
    send(request);
    return read();
  }

  /// Whether the server ends the connection, with nothing more to read.
  bool ended() { return received_.empty() && !receive() && received_.empty(); }

private:
  bool receive() {
    char bytes[16384];
    const auto got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got > 0)
      received_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  static void parse_head(answer& result) {
    std::string_view rest = result.text_of_head;
    const auto take_line = [&rest] {
      const auto end = rest.find("\r\n");
      const auto line = rest.substr(0, end);
      rest.remove_prefix(end + 2);
      return line;
    };
    result.status = std::atoi(std::string{take_line().substr(9, 3)}.c_str());
    while (!rest.empty()) {
      const auto line = take_line();
      const auto colon = line.find(": ");
      std::string name{line.substr(0, colon)};
      for (char& c : name)
        c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      result.fields[name] = line.substr(colon + 2);
    }
  }

  unique_fd fd_;
  std::string received_;
};

/// A whole request with a body.
inline std::string text_of(std::string_view method, std::string_view target, std::string_view body = {},
                           std::string_view fields = {}) {
  std::string text{method};
  text.append(" ").append(target).append(" HTTP/1.1\r\nHost: test\r\n").append(fields);
  if (!body.empty())
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append("\r\n").append(body);
}

} // namespace troupe::http::test
