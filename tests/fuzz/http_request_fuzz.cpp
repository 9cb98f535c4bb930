// Bytes from a client as the node reads them: header, body, target and query. What must hold for all inputs stands
// in `check`; a crash, a leak or undefined behaviour is found by the sanitizers.
#include "config/limits.hpp"
#include "http/query.hpp"
#include "http/request_reader.hpp"
#include "http/router.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace troupe::http;
using progress = request_reader::progress;

/// What reading all requests in `bytes`, in pieces of `step`, has found.
std::string read_all(std::string_view bytes, size_t step) {
  std::string found;
  std::string waiting;
  request_reader reader;
  for (size_t at = 0; at < bytes.size() && reader.state() != progress::failed; at += step) {
    waiting.append(bytes.substr(at, step));
    for (bool moved = true; moved && reader.state() != progress::failed;) {
      const auto before = reader.state();
      const size_t used = reader.feed(waiting);
      if (used > waiting.size())
        std::abort();
      waiting.erase(0, used);
      if (reader.state() == progress::decision) {
        const auto route = find_route(reader.get().method, reader.get().target);
        if (const auto parameters = query::parse(route.query))
          parameters->text("function");
        reader.accept(body_bytes_max(route.where));
      }
      moved = used > 0 || reader.state() != before;
      if (reader.state() == progress::done) {
        found += reader.get().target + "\n" + reader.get().body + "\n";
        reader.restart();
        moved = !waiting.empty();
      }
    }
  }
  return found;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  // How the network cuts the bytes must not change what is read.
  if (read_all(bytes, 1) != read_all(bytes, size + 1))
    std::abort();
  return 0;
}
