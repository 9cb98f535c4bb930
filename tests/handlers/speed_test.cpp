#define CAF_SUITE handlers.speed

#include "tests/handlers/sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <vector>

using namespace sandbox_bed;
using clock_type = std::chrono::steady_clock;

// Measures and prints; a number that depends on the machine is nothing to assert on.

namespace {

double us_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - start).count();
}

constexpr std::string_view echo = "def handler(event):\n    return event\n";

void print(const char* what, std::vector<double> us) {
  std::sort(us.begin(), us.end());
  std::printf("  %-34s n %4zu  p50 %7.0f us  p90 %7.0f us  p99 %7.0f us\n", what, us.size(), us[us.size() / 2],
              us[us.size() * 9 / 10], us[us.size() * 99 / 100]);
}

} // namespace

CAF_TEST(one after another) {
  bed machine;
  machine.settings.pool_target = 24;
  machine.settings.blank_target = 24;
  machine.open();
  const auto spec = machine.spec(machine.bundle("echo", echo));
  std::vector<double> launched;
  std::vector<double> ready;
  std::vector<double> first;
  std::vector<double> buried;
  for (int i = 0; i < 300; ++i) {
    auto start = clock_type::now();
    auto process = machine.launch(spec);
    launched.push_back(us_since(start));
    CAF_REQUIRE(read_frame(process).has_value());
    ready.push_back(us_since(start));
    send_event(process, R"({"n": 1})");
    CAF_REQUIRE(read_frame(process).has_value());
    first.push_back(us_since(start));
    start = clock_type::now();
    machine.factory->bury(std::move(process));
    buried.push_back(us_since(start));
    machine.fill_pools();
  }
  print("launch() returns", launched);
  print("launch to ready", ready);
  print("launch to first answer", first);
  print("bury()", buried);
}

CAF_TEST(twenty four at once) {
  bed machine;
  machine.settings.pool_target = 24;
  machine.settings.blank_target = 24;
  machine.open();
  const auto spec = machine.spec(machine.bundle("echo", echo));
  std::vector<double> all_launched;
  std::vector<double> all_ready;
  for (int round = 0; round < 12; ++round) {
    const auto start = clock_type::now();
    std::vector<sandbox_process> processes;
    processes.reserve(24);
    for (int i = 0; i < 24; ++i)
      processes.push_back(machine.launch(spec));
    all_launched.push_back(us_since(start));
    for (const auto& process : processes)
      CAF_REQUIRE(read_frame(process).has_value());
    all_ready.push_back(us_since(start));
    for (auto& process : processes)
      machine.factory->bury(std::move(process));
    machine.fill_pools();
  }
  print("24 at once: all launched", all_launched);
  print("24 at once: all ready", all_ready);
}
