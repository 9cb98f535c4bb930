#pragma once

#include "actors/cluster/tls.hpp"

#include "actor_fixture.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

/// A certificate authority for tests: keys and certificates in a directory that goes with it.
namespace troupe::cluster::test {

class authority {
public:
  explicit authority(const std::string& name = "test CA") {
    key_.reset(EVP_EC_gen("P-256"));
    certificate_ = make(name, "", key_.get(), nullptr);
    write(path("ca.pem"), certificate_.get());
  }
  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;

  std::string path(const std::string& file) const { return (directory_.path / file).string(); }

  /// A node's files. Without a common name the certificate has `dns_name` alone.
  tls_files issue(const std::string& common_name, const std::string& dns_name = "") {
    const auto stem = std::to_string(++serial_);
    const tls_files files{path(stem + ".pem"), path(stem + ".key"), path("ca.pem")};
    const key own{EVP_EC_gen("P-256")};
    write(files.certificate, make(common_name, dns_name, own.get(), certificate_.get()).get());
    std::unique_ptr<FILE, int (*)(FILE*)> file{std::fopen(files.key.c_str(), "w"), std::fclose};
    if (!file || PEM_write_PrivateKey(file.get(), own.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
      throw std::runtime_error("cannot write a key");
    return files;
  }

private:
  struct deleter {
    void operator()(EVP_PKEY* x) const { EVP_PKEY_free(x); }
    void operator()(X509* x) const { X509_free(x); }
    void operator()(X509_EXTENSION* x) const { X509_EXTENSION_free(x); }
  };
  using key = std::unique_ptr<EVP_PKEY, deleter>;
  using x509 = std::unique_ptr<X509, deleter>;

  static void extend(X509* certificate, int what, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, deleter> extension{
      X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str())};
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
      throw std::runtime_error("cannot extend a certificate");
  }

  /// Signed by this CA; without `issuer` the CA's own.
  x509 make(const std::string& common_name, const std::string& dns_name, EVP_PKEY* subject_key, X509* issuer) {
    x509 made{X509_new()};
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial_ + 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), subject_key);
    if (!common_name.empty())
      X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0);
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer ? issuer : made.get()));
    extend(made.get(), NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (!dns_name.empty())
      extend(made.get(), NID_subject_alt_name, "DNS:" + dns_name);
    if (X509_sign(made.get(), key_.get(), EVP_sha256()) == 0)
      throw std::runtime_error("cannot sign");
    return made;
  }

  static void write(const std::string& path, X509* certificate) {
    std::unique_ptr<FILE, int (*)(FILE*)> file{std::fopen(path.c_str(), "w"), std::fclose};
    if (!file || PEM_write_X509(file.get(), certificate) != 1)
      throw std::runtime_error("cannot write a certificate");
  }

  troupe::test::scratch_directory directory_;
  key key_;
  x509 certificate_;
  long serial_ = 0;
};

} // namespace troupe::cluster::test
