#pragma once

#include "actors/cluster/tls.hpp"
#include "config/errc.hpp"
#include "tools/certificates.hpp"

#include "actor_fixture.hpp"

#include <fstream>
#include <stdexcept>
#include <string>

/// A certificate authority for tests: keys and certificates in a directory that goes with it.
namespace troupe::cluster::test {

class authority {
public:
  explicit authority(const std::string& name = "test CA") : signer_{must(tools::authority::make(name, some_time()))} {
    write(path("ca.pem"), signer_.own().certificate);
  }

  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;

  std::string path(const std::string& file) const { return (directory_.path / file).string(); }

  /// A node's files. Without a common name the certificate has `dns_name` alone.
  tls_files issue(const std::string& common_name, const std::string& dns_name = "") {
    const auto made = must(signer_.issue({common_name, dns_name}, some_time()));
    const auto stem = std::to_string(++issued_);
    tls_files files{path(stem + ".pem"), path(stem + ".key"), path("ca.pem")};
    write(files.certificate, made.certificate);
    write(files.key, made.key);
    return files;
  }

private:
  static tools::period some_time() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return {now - std::chrono::hours{1}, now + std::chrono::hours{1}};
  }

  template <class T>
  static T must(caf::expected<T> made) {
    if (!made)
      throw std::runtime_error(what_of(made.error()));
    return std::move(*made);
  }

  static void write(const std::string& path, const std::string& text) {
    if (!(std::ofstream{path} << text << std::flush))
      throw std::runtime_error("cannot write " + path);
  }

  troupe::test::scratch_directory directory_;
  tools::authority signer_;
  long issued_ = 0;
};

} // namespace troupe::cluster::test
