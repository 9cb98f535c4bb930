#include "actors/cluster/tls.hpp"

#include "config/errc.hpp"

#include <boost/asio/ssl/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace troupe::cluster {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

/// Whether the file can be read at all, which OpenSSL's own errors say badly.
caf::error check_readable(const char* what, const std::string& path) {
  errno = 0;
  std::ifstream file{path};
  if (file.peek() != std::ifstream::traits_type::eof())
    return caf::none;
  const auto reason = errno != 0 ? std::strerror(errno) : "it is empty";
  return make_error(errc::invalid_argument,
                    std::string{"cannot read the cluster's "}.append(what) + " '" + path + "': " + reason);
}

caf::error unfit(const std::string& what) {
  ERR_clear_error();
  return make_error(errc::invalid_argument, what);
}

/// Otherwise OpenSSL would ask at the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

caf::error load(ssl::context& context, const tls_files& files) {
  for (const auto& [what, path] :
       {std::pair{"certificate", files.certificate}, std::pair{"key", files.key}, std::pair{"CA", files.ca}})
    if (auto err = check_readable(what, path))
      return err;
  error_code problem;
  if (context.load_verify_file(files.ca, problem); problem)
    return unfit("the cluster's CA '" + files.ca + "' is no certificate in PEM");
  if (context.use_certificate_chain_file(files.certificate, problem); problem)
    return unfit("the cluster's certificate '" + files.certificate + "' is none in PEM");
  if (context.use_private_key_file(files.key, ssl::context::pem, problem); !problem)
    return caf::none;
  if (ERR_GET_REASON(static_cast<unsigned long>(problem.value())) == X509_R_KEY_VALUES_MISMATCH)
    return unfit("the key '" + files.key + "' does not belong to the certificate '" + files.certificate + "'");
  return unfit("the cluster's key '" + files.key + "' is no private key in PEM without a password");
}

struct x509_free {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string first_dns_name(const X509* certificate) {
  std::string found;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && found.empty(); ++i)
    if (const auto* name = sk_GENERAL_NAME_value(names, i); name->type == GEN_DNS)
      found = text_of(name->d.dNSName);
  GENERAL_NAMES_free(names);
  return found;
}

/// Alerts: what the other side said of ours.
bool is_about_certificate(int alert) noexcept {
  return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) || alert == SSL_AD_UNKNOWN_CA
      || alert == SSL_AD_CERTIFICATE_REQUIRED;
}

} // namespace

caf::expected<std::shared_ptr<ssl::context>> load_tls(const tls_files& files) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_default_passwd_cb(native, no_password);
  if (SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) != 1
      || SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION) != 1)
    return make_error(errc::not_supported, "OpenSSL does not speak TLS 1.3");
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (auto err = load(*context, files))
    return err;
  return context;
}

std::string certificate_name(const X509* certificate) {
  const auto* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0)
    return first_dns_name(certificate);
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string certificate_name(SSL* connection) {
  const std::unique_ptr<X509, x509_free> certificate{SSL_get1_peer_certificate(connection)};
  return certificate ? certificate_name(certificate.get()) : std::string{};
}

std::optional<std::string> tls_problem(SSL* connection, const error_code& problem) {
  if (problem.category() != boost::asio::error::get_ssl_category())
    return std::nullopt;
  const auto result = SSL_get_verify_result(connection);
  const auto code = static_cast<unsigned long>(problem.value());
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
    return std::string{"has no certificate of this cluster: "} + X509_verify_cert_error_string(result);
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return "shows no certificate: give it one that the cluster's CA has signed";
  if (is_about_certificate(reason - SSL_AD_REASON_OFFSET))
    return std::string{"does not take this node's certificate: "} + ERR_reason_error_string(code);
  const char* text = ERR_reason_error_string(code);
  return std::string{"does not speak TLS 1.3 as nodes do: "} + (text ? text : problem.message());
}

} // namespace troupe::cluster
