#pragma once

#include <caf/expected.hpp>

#include <chrono>
#include <memory>
#include <string>

/// Certificates as nodes of a cluster show them to each other (actors/cluster/tls.hpp): EC keys on P-256, and one
/// authority that signs all. Nothing here touches a file.
namespace troupe::tools {

/// A certificate and its key, both in PEM.
struct identity {
  std::string certificate;
  std::string key; ///< not encrypted
};

/// Whom a certificate is for: DNS labels. Either may be empty.
struct subject {
  std::string common_name;
  std::string dns_name;
};

/// From when until when a certificate holds.
struct period {
  std::chrono::sys_seconds from;
  std::chrono::sys_seconds until;
};

/// The same as OpenSSL has them. Defined in certificates.cpp.
struct certified_key;

/// Signs certificates. A resource: it owns a key.
class authority {
public:
  /// A new one with a key of its own. What fails is OpenSSL.
  static caf::expected<authority> make(const std::string& name, const period& valid);

  /// One that was made before. Fails with invalid_argument and the rest of a sentence about it, when it is none or has
  /// ended.
  static caf::expected<authority> load(const identity& from, std::chrono::sys_seconds now);

  authority(authority&&) noexcept;
  authority& operator=(authority&&) noexcept;
  ~authority();

  /// Its own certificate and key, as `load` takes them.
  const identity& own() const noexcept { return own_; }

  std::chrono::sys_seconds until() const;

  /// A new key and a certificate for it, good for both sides of a connection. It ends with the authority at the latest.
  caf::expected<identity> issue(const subject& of, const period& valid) const;

  /// Until when `of` shows that somebody is `node`. Fails with invalid_argument and the rest of a sentence about it,
  /// when it does not, or not any more.
  caf::expected<std::chrono::sys_seconds> check(const identity& of, const std::string& node,
                                                std::chrono::sys_seconds now) const;

private:
  authority(std::unique_ptr<certified_key> with, identity own);

  std::unique_ptr<certified_key> with_;
  identity own_;
};

} // namespace troupe::tools
