#pragma once

#include "storage/database.hpp"
#include "storage/records.hpp"

#include "config/errc.hpp"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

/// What the storage suites share.
namespace troupe::storage::testing {

/// A directory for one test, gone with it.
class scratch_directory {
public:
  scratch_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~scratch_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

/// Opens what has to be there.
inline std::shared_ptr<database> open(const std::filesystem::path& directory,
                                      database::access how = database::access::owner) {
  auto opened = database::open(directory, how);
  if (!opened)
    throw std::runtime_error(what_of(opened.error()));
  return *opened;
}

/// The value of what has to have worked.
template <class T>
T must(caf::expected<T> result) {
  if (!result)
    throw std::runtime_error(what_of(result.error()));
  return std::move(*result);
}

inline function_version sample_function(std::string name, std::string_view zip) {
  function_version function;
  function.config.name = std::move(name);
  function.config.handler = "f.f";
  function.config.description = "for tests";
  function.config.role = "arn:aws:iam::0:role/none";
  function.config.memory_mb = 256;
  function.config.timeout_s = 30;
  function.config.environment = {{"A", "1"}, {"B", std::string(300, 'b')}};
  function.config.ephemeral_storage_mb = 1024;
  function.config.concurrency_max = 0;
  function.config.concurrency_reserved = 3;
  function.config.network = network_access::egress;
  function.revision = uuid::make();
  function.bundle = digest::of(zip);
  function.bundle_bytes = zip.size();
  function.modified_ms = 1'700'000'000'123;
  return function;
}

/// A record that started at `start_ms`, whose numbers depend on `n`.
inline usage_record sample_record(int64_t start_ms, uint64_t n, std::string function = "f",
                                  std::string tenant = "default") {
  usage_record record;
  record.id = uuid::floor_of(std::chrono::milliseconds{start_ms});
  for (size_t i = 0; i < 8; ++i)
    record.id.bytes[15 - i] = static_cast<uint8_t>(n >> (8 * i));
  record.tenant = std::move(tenant);
  record.function = std::move(function);
  record.version = "$LATEST";
  record.node = "n1";
  record.trigger = n % 2 == 0 ? trigger_kind::http : trigger_kind::api;
  record.status = static_cast<invocation_status>(n % 6);
  record.start_ns = start_ms * 1'000'000 + 42;
  record.queued_ns = n;
  record.init_ns = n % 10 == 0 ? 2'000'000 : 0;
  record.run_ns = 1'000'000 + n;
  record.cpu_ns = 900'000 + n;
  record.memory_limit_mb = 128;
  record.memory_peak_bytes = 20'000'000;
  record.bytes_in = 10 * n;
  record.bytes_out = 7;
  record.billed_ms = 1 + n % 3;
  record.cost_pico = 2'000'000 + n;
  return record;
}

} // namespace troupe::storage::testing
