#include "handlers/sandbox/package_zygotes.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace troupe::handlers {
namespace {

using clock = std::chrono::steady_clock;

/// What a process has that it shares with nobody; 0 when that cannot be read.
uint64_t private_bytes(int pid) {
  const std::string text = read_small_file("/proc/" + std::to_string(pid) + "/smaps_rollup").value_or("");
  uint64_t sum = 0;
  for (const std::string_view key : {"\nPrivate_Clean:", "\nPrivate_Dirty:"})
    if (const auto at = text.find(key); at != std::string::npos)
      sum += std::strtoull(text.c_str() + at + key.size(), nullptr, 10) * limits::kib;
  return sum;
}

uint64_t in_mib(uint64_t bytes) {
  return (bytes + limits::mib - 1) / limits::mib;
}

} // namespace

bool package_zygotes::knows(int pid) const {
  const auto is = [pid](const zygote_process& of) { return of.id() == pid || of.shared_keeper()->id() == pid; };
  return (growing_ && is(*growing_->process))
      || std::ranges::any_of(alive_, [&](const auto& each) { return is(*each.second); });
}

void package_zygotes::clear() {
  growing_.reset();
  alive_.clear();
}

std::string package_zygotes::text_of(zygote_tree::id which) const {
  return fmt::format("{}", fmt::join(tree_.packages_of(which), ", "));
}

/// Reads a bundle the first time that it is seen with that module.
const bundle_imports& package_zygotes::imports_of(const sandbox_spec& spec) {
  std::string key = spec.bundle_dir + '\0' + spec.handler.substr(0, spec.handler.rfind('.'));
  if (const auto found = known_.find(key); found != known_.end())
    return found->second;
  auto fresh = find_imports(spec.bundle_dir, spec.handler, settings_.packages);
  const auto size_of = [](const bundle_imports& of) { return 1 + of.wanted.size() + of.carried.size(); };
  names_ += size_of(fresh);
  while (names_ > limits::known_names_max && !order_.empty()) {
    const auto oldest = known_.find(order_.front());
    names_ -= size_of(oldest->second);
    known_.erase(oldest);
    order_.pop_front();
  }
  order_.push_back(key);
  return known_.emplace(std::move(key), std::move(fresh)).first->second;
}

zygote_process* package_zygotes::choose(const sandbox_spec& spec) {
  if (off())
    return nullptr;
  const auto& asked = imports_of(spec);
  if (asked.wanted.empty())
    return nullptr;
  settle();
  bury_the_dead();
  const auto found = alive_.find(tree_.choose(asked.wanted, asked.carried));
  return found != alive_.end() ? found->second.get() : nullptr;
}

preparation package_zygotes::tend(zygote_process& bare) {
  if (off())
    return preparation::full;
  settle();
  bury_the_dead();
  if (start_next(bare))
    return preparation::made;
  for (const auto& [number, each] : alive_)
    if (each->parts_prepared() < limits::package_zygote_parts)
      return each->prepare() ? preparation::failed : preparation::made;
  return growing_ || tree_.wants_one() ? preparation::waiting : preparation::full;
}

/// Takes what the one that is importing may have said by now.
void package_zygotes::settle() {
  if (!growing_)
    return;
  if (auto report = growing_->process->growth())
    judge(stop_growing(), std::move(*report));
  else if (clock::now() > growing_->since + settings_.import_time)
    give_up(stop_growing(), {}, "importing takes too long");
}

/// Nobody is billed for the time of a zygote, so it has a share of it: what asks for ever new sets does not get more.
package_zygotes::growing package_zygotes::stop_growing() {
  growing done = std::move(*growing_);
  growing_.reset();
  const auto now = clock::now();
  rests_until_ = now + (now - done.since) * limits::package_rest_factor;
  return done;
}

void package_zygotes::judge(growing done, growth_report report) {
  if (!report.failure.empty())
    return give_up(std::move(done), report.culprit, report.failure);
  const uint64_t memory = private_bytes(done.process->id());
  spdlog::info("a zygote with {} is ready: {} ms to import, {} MiB", text_of(done.number), report.import_us / 1000,
               in_mib(memory));
  alive_.emplace(done.number, std::move(done.process));
  zygote_tree::measure measured{std::chrono::microseconds{report.import_us}, memory, {}};
  measured.loaded.insert(report.loaded.begin(), report.loaded.end());
  for (const auto each : tree_.grown(done.number, std::move(measured)))
    let_go(each);
  spdlog::info("zygotes with packages: {}, {} MiB", tree_.size(), in_mib(tree_.memory_used()));
}

void package_zygotes::give_up(growing failed, const std::string& culprit, const std::string& reason) {
  spdlog::warn("there will be no zygote with {}: {}", culprit.empty() ? text_of(failed.number) : culprit, reason);
  tree_.refuse(failed.number, culprit);
}

bool package_zygotes::start_next(zygote_process& bare) {
  const auto next = clock::now() < rests_until_ ? std::nullopt : tree_.next();
  if (!next)
    return false;
  const auto parent = alive_.find(next->parent);
  auto& from = parent != alive_.end() ? *parent->second : bare;
  auto process = from.grow(next->packages);
  if (process) {
    growing_.emplace(next->number, std::move(*process), clock::now());
    return true;
  }
  spdlog::warn("a zygote with {} could not be made: {}", text_of(next->number), what_of(process.error()));
  tree_.put_off(next->number);
  return false;
}

void package_zygotes::bury_the_dead() {
  std::erase_if(alive_, [this](const auto& entry) {
    if (entry.second->usable())
      return false;
    spdlog::warn("the zygote with {} is gone", text_of(entry.first));
    tree_.lost(entry.first);
    return true;
  });
}

void package_zygotes::let_go(zygote_tree::id which) {
  spdlog::info("the zygote with {} goes: others are worth their memory more", text_of(which));
  alive_.erase(which);
}

} // namespace troupe::handlers
