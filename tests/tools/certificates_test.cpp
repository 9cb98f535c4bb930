#define CAF_SUITE tools.certificates

#include "tools/certificates.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <set>

using namespace troupe;
using namespace troupe::tools;
using namespace std::chrono;

namespace {

constexpr sys_seconds noon = sys_days{2026y / November / 23} + 12h;
constexpr period a_year{noon - 1h, noon + days{365}};

struct x509_free {
  void operator()(X509* x) const { X509_free(x); }
};
using x509 = std::unique_ptr<X509, x509_free>;

x509 parsed(const identity& of) {
  BIO* in = BIO_new_mem_buf(of.certificate.data(), static_cast<int>(of.certificate.size()));
  x509 result{PEM_read_bio_X509(in, nullptr, nullptr, nullptr)};
  BIO_free(in);
  CAF_REQUIRE(result != nullptr);
  return result;
}

std::string serial_of(const identity& of) {
  const auto certificate = parsed(of);
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr);
  char* text = BN_bn2hex(number);
  std::string result = text;
  OPENSSL_free(text);
  BN_free(number);
  return result;
}

authority must_make(const period& valid = a_year) {
  auto made = authority::make("test CA", valid);
  CAF_REQUIRE(made);
  return std::move(*made);
}

identity must_issue(const authority& by, const std::string& name, const period& valid = a_year) {
  auto issued = by.issue({name, name}, valid);
  CAF_REQUIRE(issued);
  return std::move(*issued);
}

/// What is wrong with it, "good" when nothing is.
template <class T>
std::string fault_of(const caf::expected<T>& result) {
  return result ? "good" : what_of(result.error());
}

/// OpenSSL's own verdict on a certificate, for one side of a connection, at noon.
std::string verdict(const identity& of, const authority& by, int purpose) {
  const auto certificate = parsed(of);
  const auto trusted = parsed(by.own());
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, trusted.get());
  X509_STORE_CTX* about = X509_STORE_CTX_new();
  X509_STORE_CTX_init(about, store, certificate.get(), nullptr);
  X509_STORE_CTX_set_purpose(about, purpose);
  auto* how = X509_STORE_CTX_get0_param(about);
  X509_VERIFY_PARAM_set_time(how, system_clock::to_time_t(noon));
  X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_verify_cert(about);
  std::string result = X509_verify_cert_error_string(X509_STORE_CTX_get_error(about));
  X509_STORE_CTX_free(about);
  X509_STORE_free(store);
  return result;
}

} // namespace

CAF_TEST(a certificate is good for both sides of a connection) {
  const auto ca = must_make();
  const auto n1 = must_issue(ca, "n1");
  CAF_CHECK_EQUAL(verdict(n1, ca, X509_PURPOSE_SSL_SERVER), "ok");
  CAF_CHECK_EQUAL(verdict(n1, ca, X509_PURPOSE_SSL_CLIENT), "ok");
  CAF_CHECK_EQUAL(X509_check_host(parsed(n1).get(), "n1", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr), 1);
  CAF_CHECK_EQUAL(X509_check_host(parsed(n1).get(), "n2", 0, 0, nullptr), 0);
}

CAF_TEST(the strict reading of the standards finds no fault with the authority) {
  const auto ca = must_make();
  CAF_CHECK_EQUAL(verdict(ca.own(), ca, X509_PURPOSE_ANY), "ok");
  CAF_CHECK_EQUAL(X509_check_ca(parsed(ca.own()).get()), 1);
}

CAF_TEST(a node signs nothing for others) {
  const auto ca = must_make();
  const auto n1 = must_issue(ca, "n1");
  CAF_CHECK_EQUAL(X509_check_ca(parsed(n1).get()), 0);
  CAF_CHECK_EQUAL(fault_of(authority::load(n1, noon)), "its certificate is not one that signs others");
}

CAF_TEST(an authority is the same when it is read again) {
  const auto ca = must_make();
  const auto again = authority::load(ca.own(), noon);
  CAF_REQUIRE(again);
  CAF_CHECK(again->until() == ca.until());
  const auto n1 = must_issue(*again, "n1");
  CAF_CHECK_EQUAL(verdict(n1, ca, X509_PURPOSE_SSL_SERVER), "ok");
}

CAF_TEST(an authority that cannot be used says what it is not ) {
  const auto ca = must_make();
  const auto other = must_make();
  const auto& own = ca.own();
  CAF_CHECK_EQUAL(fault_of(authority::load({"text", own.key}, noon)), "its certificate is none in PEM");
  CAF_CHECK_EQUAL(fault_of(authority::load({own.certificate, ""}, noon)),
                  "its key is no private key in PEM without a password");
  CAF_CHECK_EQUAL(fault_of(authority::load({own.certificate, other.own().key}, noon)),
                  "its key does not belong to its certificate");
  CAF_CHECK_EQUAL(fault_of(authority::load(own, a_year.until - 1s)), "good");
  CAF_CHECK_EQUAL(fault_of(authority::load(own, a_year.until)), "it ended at 2027-11-23T12:00:00.000Z");
}

CAF_TEST(what a node has is checked as its door does) {
  const auto ca = must_make();
  const auto other = must_make();
  const auto n1 = must_issue(ca, "n1");
  const auto until = ca.check(n1, "n1", noon);
  CAF_REQUIRE(until);
  CAF_CHECK(*until == a_year.until);
  CAF_CHECK_EQUAL(fault_of(ca.check(n1, "n2", noon)), "its certificate is for 'n1'");
  CAF_CHECK_EQUAL(fault_of(other.check(n1, "n1", noon)), "its certificate is of another authority");
  CAF_CHECK_EQUAL(fault_of(ca.check(n1, "n1", a_year.until)), "it ended at 2027-11-23T12:00:00.000Z");
  CAF_CHECK_EQUAL(fault_of(ca.check({n1.certificate, must_issue(ca, "n1").key}, "n1", noon)),
                  "its key does not belong to its certificate");
}

CAF_TEST(no certificate outlasts its authority) {
  const auto ca = must_make({noon - 1h, noon + days{10}});
  const auto long_one = ca.check(must_issue(ca, "n1"), "n1", noon);
  const auto short_one = ca.check(must_issue(ca, "n1", {noon, noon + days{3}}), "n1", noon);
  CAF_REQUIRE(long_one);
  CAF_REQUIRE(short_one);
  CAF_CHECK(*long_one == noon + days{10});
  CAF_CHECK(*short_one == noon + days{3});
}

CAF_TEST(keys and serial numbers are not used twice) {
  const auto ca = must_make();
  std::set<std::string> serials{serial_of(ca.own())};
  std::set<std::string> keys{ca.own().key};
  for (int i = 0; i < 20; ++i) {
    const auto issued = must_issue(ca, "n1");
    serials.insert(serial_of(issued));
    keys.insert(issued.key);
  }
  CAF_CHECK_EQUAL(serials.size(), 21u);
  CAF_CHECK_EQUAL(keys.size(), 21u);
}
