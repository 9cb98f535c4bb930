#pragma once

#include "actors/io_loop.hpp"
#include "actors/messages.hpp"
#include "config/errc.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>

namespace troupe::test {

/// The configuration of an actor system under test: our message types, no arguments.
struct test_config : caf::actor_system_config {
  test_config() {
    add_message_types<caf::id_block::troupe>();
    add_message_types<caf::id_block::troupe_handles>();
  }
};

/// Actors on the deterministic scheduler.
using actor_fixture = test_coordinator_fixture<test_config>;

/// What sockets, pipes and those who wait for a turn have to do. False when there was nothing.
inline bool poll_all(io_loop& loop) {
  loop.io().restart();
  bool moved = loop.io().poll() > 0;
  for (; !loop.turns().empty(); moved = true)
    loop.turns().take_next();
  return moved;
}

/// A directory that goes away with the object.
struct scratch_directory {
  scratch_directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "troupe-test-XXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~scratch_directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

inline function_version version_of(const std::string& name, uint8_t revision = 1) {
  function_version f;
  f.config.name = name;
  f.config.handler = "f.f";
  f.revision.bytes[15] = revision;
  f.bundle.bytes[0] = revision;
  return f;
}

inline invocation call_of(const std::string& name, std::string payload = "{}") {
  invocation call;
  call.id = uuid::make();
  call.tenant = "default";
  call.name = name;
  call.payload_bytes = payload.size();
  call.payload = std::move(payload);
  return call;
}

} // namespace troupe::test
