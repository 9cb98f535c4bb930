#define CAF_SUITE handlers.name_servers

#include "handlers/sandbox/name_servers.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe::handlers;

namespace {

std::string copied(std::string_view resolv_conf) {
  return resolv_conf_of(read_name_servers(resolv_conf));
}

} // namespace

CAF_TEST(name servers are copied and nothing else) {
  CAF_CHECK_EQUAL(copied("# made by hand\nsearch corp.example\nnameserver 192.0.2.53\nnameserver\t192.0.2.54 \n"
                         "options rotate\n"),
                  "nameserver 192.0.2.53\nnameserver 192.0.2.54\n");
}

CAF_TEST(those that a sandbox cannot reach are left out) {
  CAF_CHECK_EQUAL(copied("nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\n"), "");
  CAF_CHECK_EQUAL(copied("nameserver 127.0.0.1\nnameserver 192.0.2.53\n"), "nameserver 192.0.2.53\n");
}

CAF_TEST(the C library asks three) {
  CAF_CHECK_EQUAL(read_name_servers("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
                                    "nameserver 10.0.0.4\n")
                    .size(),
                  3u);
}

CAF_TEST(nonsense is no name server) {
  CAF_CHECK_EQUAL(copied(""), "");
  CAF_CHECK_EQUAL(copied("nameserver\nnameserver x\n;nameserver 10.0.0.1\nnameserver 10.0.0.0/8\nnameserver10.0.0.1"),
                  "");
}

CAF_TEST(chosen ones come first) {
  CAF_CHECK_EQUAL(resolv_conf_of(name_servers_of("192.0.2.53, 192.0.2.54")),
                  "nameserver 192.0.2.53\nnameserver 192.0.2.54\n");
}
