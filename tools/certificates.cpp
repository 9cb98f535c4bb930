#include "tools/certificates.hpp"

#include "actors/cluster/tls.hpp"
#include "config/errc.hpp"
#include "http/time_text.hpp"

#include <fmt/core.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace troupe::tools {

namespace {

using std::chrono::sys_seconds;
using std::chrono::system_clock;

constexpr int serial_bits = 127; ///< at random, so that no two of an authority's certificates have the same

struct release {
  void operator()(EVP_PKEY* x) const noexcept { EVP_PKEY_free(x); }
  void operator()(X509* x) const noexcept { X509_free(x); }
  void operator()(X509_EXTENSION* x) const noexcept { X509_EXTENSION_free(x); }
  void operator()(BIGNUM* x) const noexcept { BN_free(x); }
  void operator()(BIO* x) const noexcept { BIO_free(x); }
};

template <class T>
using owned = std::unique_ptr<T, release>;

} // namespace

struct certified_key {
  owned<X509> certificate;
  owned<EVP_PKEY> key;
};

namespace {

/// What OpenSSL did not do, which happens without memory or random numbers only.
caf::error failed(std::string_view step) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  auto error = make_error(errc::internal, fmt::format("OpenSSL: {}: {}", step, reason ? reason : "no reason given"));
  ERR_clear_error();
  return error;
}

caf::error unfit(std::string what) {
  ERR_clear_error();
  return make_error(errc::invalid_argument, std::move(what));
}

/// Otherwise OpenSSL would ask at the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

owned<BIO> reader_of(const std::string& text) {
  return owned<BIO>{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

caf::expected<certified_key> parse(const identity& from) {
  certified_key result;
  if (const auto in = reader_of(from.certificate))
    result.certificate.reset(PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr));
  if (!result.certificate)
    return unfit("its certificate is none in PEM");
  if (const auto in = reader_of(from.key))
    result.key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
  if (!result.key)
    return unfit("its key is no private key in PEM without a password");
  if (X509_check_private_key(result.certificate.get(), result.key.get()) != 1)
    return unfit("its key does not belong to its certificate");
  return result;
}

caf::expected<identity> pem_of(const certified_key& of) {
  const auto text_of = [](auto&& write) {
    const owned<BIO> out{BIO_new(BIO_s_mem())};
    char* bytes = nullptr;
    if (!out || write(out.get()) != 1)
      return std::string{};
    const auto size = BIO_get_mem_data(out.get(), &bytes);
    return std::string(bytes, static_cast<size_t>(size));
  };
  identity result{text_of([&of](BIO* out) { return PEM_write_bio_X509(out, of.certificate.get()); }),
                  text_of([&of](BIO* out) {
                    return PEM_write_bio_PrivateKey(out, of.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
                  })};
  if (result.certificate.empty() || result.key.empty())
    return failed("writing PEM");
  return result;
}

sys_seconds end_of(const X509* certificate) {
  std::tm fields{};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &fields);
  return sys_seconds{std::chrono::seconds{timegm(&fields)}};
}

caf::error check_end(const X509* certificate, sys_seconds now) {
  const auto end = end_of(certificate);
  return now < end ? caf::error{} : unfit("it ended at " + http::rfc3339(end.time_since_epoch()));
}

bool set_serial(X509* certificate) {
  const owned<BIGNUM> number{BN_new()};
  return number && BN_rand(number.get(), serial_bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1
      && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_name(X509* certificate, const std::string& common_name) {
  return common_name.empty()
      || X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0)
           == 1;
}

/// A key, and a certificate for it that nobody has signed yet.
caf::expected<certified_key> begin(const std::string& common_name, const period& valid) {
  certified_key made{owned<X509>{X509_new()}, owned<EVP_PKEY>{EVP_EC_gen("P-256")}};
  if (!made.key)
    return failed("making a key");
  auto* certificate = made.certificate.get();
  if (!certificate || X509_set_version(certificate, X509_VERSION_3) != 1 || !set_serial(certificate)
      || !ASN1_TIME_set(X509_getm_notBefore(certificate), system_clock::to_time_t(valid.from))
      || !ASN1_TIME_set(X509_getm_notAfter(certificate), system_clock::to_time_t(valid.until))
      || X509_set_pubkey(certificate, made.key.get()) != 1 || !set_name(certificate, common_name))
    return failed("making a certificate");
  return made;
}

bool extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX about;
  X509V3_set_ctx(&about, issuer, certificate, nullptr, nullptr, 0);
  const owned<X509_EXTENSION> extension{X509V3_EXT_conf_nid(nullptr, &about, what, value.c_str())};
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Ed25519 and Ed448 bring their own digest.
const EVP_MD* digest_for(const EVP_PKEY* key) {
  return EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1 ? nullptr : EVP_sha256();
}

caf::error sign(X509* certificate, const certified_key& by) {
  if (X509_set_issuer_name(certificate, X509_get_subject_name(by.certificate.get())) != 1
      || X509_sign(certificate, by.key.get(), digest_for(by.key.get())) == 0)
    return failed("signing a certificate");
  return {};
}

} // namespace

authority::authority(std::unique_ptr<certified_key> with, identity own)
  : with_{std::move(with)}, own_{std::move(own)} {}
authority::authority(authority&&) noexcept = default;
authority& authority::operator=(authority&&) noexcept = default;
authority::~authority() = default;

caf::expected<authority> authority::make(const std::string& name, const period& valid) {
  auto made = begin(name, valid);
  if (!made)
    return made.error();
  auto* certificate = made->certificate.get();
  if (!extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
      || !extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign")
      || !extend(certificate, certificate, NID_subject_key_identifier, "hash"))
    return failed("making an authority's certificate");
  if (auto problem = sign(certificate, *made))
    return problem;
  auto own = pem_of(*made);
  if (!own)
    return own.error();
  return authority{std::make_unique<certified_key>(std::move(*made)), std::move(*own)};
}

caf::expected<authority> authority::load(const identity& from, sys_seconds now) {
  auto read = parse(from);
  if (!read)
    return read.error();
  if (X509_check_ca(read->certificate.get()) != 1)
    return unfit("its certificate is not one that signs others");
  if (auto problem = check_end(read->certificate.get(), now))
    return problem;
  return authority{std::make_unique<certified_key>(std::move(*read)), from};
}

sys_seconds authority::until() const {
  return end_of(with_->certificate.get());
}

caf::expected<identity> authority::issue(const subject& of, const period& valid) const {
  const auto made = begin(of.common_name, {valid.from, std::min(valid.until, until())});
  if (!made)
    return made.error();
  auto* certificate = made->certificate.get();
  auto* issuer = with_->certificate.get();
  if (!extend(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE")
      || !extend(certificate, issuer, NID_key_usage, "critical,digitalSignature")
      || !extend(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth")
      || !extend(certificate, issuer, NID_subject_key_identifier, "hash")
      || !extend(certificate, issuer, NID_authority_key_identifier, "keyid")
      || (!of.dns_name.empty() && !extend(certificate, issuer, NID_subject_alt_name, "DNS:" + of.dns_name)))
    return failed("making a node's certificate");
  if (auto problem = sign(certificate, *with_))
    return problem;
  return pem_of(*made);
}

caf::expected<sys_seconds> authority::check(const identity& of, const std::string& node, sys_seconds now) const {
  const auto read = parse(of);
  if (!read)
    return read.error();
  auto* certificate = read->certificate.get();
  if (X509_verify(certificate, with_->key.get()) != 1)
    return unfit("its certificate is of another authority");
  if (const auto name = cluster::certificate_name(certificate); name != node)
    return unfit(fmt::format("its certificate is for '{}'", name));
  if (auto problem = check_end(certificate, now))
    return problem;
  return end_of(certificate);
}

} // namespace troupe::tools
