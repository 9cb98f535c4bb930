#pragma once

#include "actors/sandbox_pool.hpp"

#include <caf/test/unit_test.hpp>

#include <functional>
#include <string>
#include <vector>

namespace troupe::test {

using namespace std::chrono_literals;
using pool_state = sandbox_pool::state;

/// Builds a pool and writes its actions as text, such as "start 0" or "give 0 7", so that cases read as tables.
struct pool_fixture {
  pool_fixture() { make({}); }

  void make(const std::function<void(pool_settings&)>& adjust) {
    pool_settings settings;
    settings.memory_bytes = 1024 * limits::mib;
    settings.sandboxes_max = 100;
    settings.queue_limit = 100;
    settings.launches_max = 8;
    settings.loads_max = 32;
    settings.width = 4;
    if (adjust)
      adjust(settings);
    pool = sandbox_pool{settings};
  }

  storage::function_version function(uint8_t number, uint32_t memory_mb = 128) {
    storage::function_version f;
    f.revision.bytes[15] = number;
    f.config.memory_mb = memory_mb;
    return f;
  }

  storage::function_version function_of(const std::string& tenant, uint8_t number) {
    auto f = function(number);
    f.config.tenant = tenant;
    f.config.name = "f" + std::to_string(number);
    return f;
  }

  static std::string text_of(const sandbox_pool::start& what) {
    const auto slot = std::to_string(what.slot);
    if (what.role == handlers::sandbox_role::its_template)
      return "template " + slot;
    return what.copy_of ? "copy " + slot + " of " + std::to_string(*what.copy_of) : "start " + slot;
  }

  std::vector<std::string> actions() {
    std::vector<std::string> texts;
    while (auto action = pool.next(now)) {
      if (const auto* give = std::get_if<sandbox_pool::give>(&*action))
        texts.push_back("give " + std::to_string(give->slot) + " " + std::to_string(give->call));
      else if (const auto* start = std::get_if<sandbox_pool::start>(&*action))
        texts.push_back(text_of(*start));
      else if (const auto* stop = std::get_if<sandbox_pool::stop>(&*action))
        texts.push_back("stop " + std::to_string(stop->slot));
      else
        texts.push_back(std::get<sandbox_pool::blanks>(*action).wanted ? "blanks" : "no blanks");
    }
    return texts;
  }

  std::vector<std::string> submit(const storage::function_version& f, call_ticket call) {
    const auto admitted = pool.submit(f, call, now);
    CAF_REQUIRE(!admitted.refused);
    return actions();
  }

  /// Why it is not taken.
  std::optional<throttle> refused(const storage::function_version& f, call_ticket call) {
    return pool.submit(f, call, now).refused;
  }

  std::vector<std::string> ready(sandbox_slot slot) {
    pool.ready(slot, now);
    return actions();
  }

  std::vector<std::string> idle(sandbox_slot slot, std::chrono::nanoseconds run,
                                std::chrono::nanoseconds on_core = 0ns) {
    now += run;
    pool.idle(slot, {run, on_core}, now);
    return actions();
  }

  /// A run that has burnt CPU all the time.
  std::vector<std::string> burnt(sandbox_slot slot, std::chrono::nanoseconds run) { return idle(slot, run, run); }

  std::vector<std::string> gone(sandbox_slot slot) {
    pool.gone(slot, now);
    return actions();
  }

  using lines = std::vector<std::string>;

  sandbox_pool pool;
  sandbox_pool::time_point now{1h};
};

} // namespace troupe::test
