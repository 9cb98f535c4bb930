#pragma once

#include <boost/asio/ssl/context.hpp>
#include <caf/expected.hpp>

#include <memory>
#include <optional>
#include <string>

/// TLS between nodes: version 1.3 only, and both sides show a certificate that the cluster's CA has signed. No tickets
/// and no cache of sessions: each link is authenticated anew.
namespace troupe::cluster {

/// PEM files, by path.
struct tls_files {
  std::string certificate; ///< the node's, whose common name is the node's name; with those in between, if any
  std::string key;         ///< the certificate's, not encrypted
  std::string ca;          ///< who signs the nodes' certificates
};

/// Reads the files. Fails with invalid_argument and a line that names the file.
caf::expected<std::shared_ptr<boost::asio::ssl::context>> load_tls(const tls_files& files);

/// Whom a certificate is for: its common name, or its first DNS name where it has none. Empty when there is neither.
std::string certificate_name(const X509* certificate);

/// The name that the other side has proved, by its certificate.
std::string certificate_name(SSL* connection);

/// Why a TLS handshake failed, as the rest of a sentence about the other side: "has no certificate of this cluster:
/// self-signed certificate". nullopt when `problem` is not one of TLS.
std::optional<std::string> tls_problem(SSL* connection, const boost::system::error_code& problem);

} // namespace troupe::cluster
