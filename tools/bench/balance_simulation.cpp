/// Simulates workers under the real policies of actors/, for tools/bench/balance: one policy a run, one JSON object on
/// stdout. Only workers and time are simulated; tables, policies and what they are told are those of the balancer.

#include "actors/policies.hpp"
#include "config/limits.hpp"
#include "tools/bench/balance_workers.hpp"

#include <CLI/CLI.hpp>

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <numeric>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace troupe::bench {

namespace {

struct settings {
  std::string policy{policy_names.front()};
  uint32_t workers = 100;
  uint32_t cores = 2;
  uint32_t sandboxes = 256;
  uint32_t balancers = 1;
  uint32_t functions = 10'000;
  double skew = 1.0;
  double utilisation = 0.6;
  double run_ms = 30;
  double cold_ms = 20;
  double idle_s = 600;
  double report_s = 1;
  uint64_t warm_up = 1'000'000;
  uint64_t calls = 1'000'000;
  uint64_t decisions = 200'000;
  uint64_t seed = 1;
  load_shares shares;
  bool told = true;
};

struct balancer {
  worker_table table;
  policy by;
  random_source random;
};

struct call {
  uint32_t function = 0;
  uint32_t balancer = 0;
  double arrived = 0;
  double run_s = 0;
  bool one_idle = false; ///< somewhere, when it arrived
  bool warm = false;
  bool measured = false;
  trip way;
};

struct measures {
  uint64_t calls = 0;
  uint64_t unavoidable = 0; ///< cold starts when no worker had an idle sandbox
  uint64_t avoidable = 0;   ///< other cold starts
  std::vector<float> waits_ms;
  double load_max = 0; ///< sums over samples
  double load_mean = 0;
};

uuid revision_of(uint32_t function) {
  uuid result;
  random_source bits{function + uint64_t{1}};
  for (auto& byte : result.bytes)
    byte = static_cast<uint8_t>(bits.next());
  return result;
}

/// Draws functions by popularity, the first being the most popular: Zipf's law.
class popularity {
public:
  popularity(uint32_t functions, double skew) : sums_(functions) {
    double sum = 0;
    for (uint32_t i = 0; i < functions; ++i)
      sums_[i] = sum += std::pow(i + 1, -skew);
    for (auto& each : sums_)
      each /= sum;
  }

  uint32_t draw(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution{}(random);
    const auto found = std::upper_bound(sums_.begin(), sums_.end(), at) - sums_.begin();
    return std::min(static_cast<uint32_t>(found), static_cast<uint32_t>(sums_.size() - 1));
  }

  double share(uint32_t function) const { return sums_[function] - (function > 0 ? sums_[function - 1] : 0); }

private:
  std::vector<double> sums_;
};

class simulation {
public:
  simulation(const settings& s, policy_kind kind)
    : settings_{s},
      random_{s.seed},
      popularity_{s.functions, s.skew},
      workers_(s.workers, simulated_worker{s.cores, s.sandboxes}),
      idle_anywhere_(s.functions) {
    std::lognormal_distribution run_of_function{std::log(s.run_ms / 1000), 1.0};
    double mean = 0;
    for (uint32_t i = 0; i < s.functions; ++i) {
      revisions_.push_back(revision_of(i));
      mean_run_s_.push_back(run_of_function(random_));
      mean += popularity_.share(i) * mean_run_s_.back();
    }
    rate_ = s.utilisation * s.workers * s.cores / mean;
    for (uint32_t i = 0; i < s.balancers; ++i) {
      balancers_.push_back({{}, policy{kind, s.shares}, random_source{s.seed * 1000 + i}});
      for (uint32_t w = 0; w < s.workers; ++w)
        balancers_.back().table.add("n" + std::to_string(w), {s.cores, s.cores * 4 * limits::gib});
    }
  }

  void run() {
    const auto total = settings_.warm_up + settings_.calls;
    std::exponential_distribution gap{rate_};
    double next_call = gap(random_);
    double next_report = settings_.report_s;
    // On until the last one that is measured has begun to run, or those that wait longest would be left out.
    for (uint64_t made = 0; measures_.calls < settings_.calls;) {
      const double next_end = ends_.empty() ? next_call : ends_.top().at;
      now_ = std::min({next_call, next_report, next_end});
      if (now_ == next_report) {
        report();
        next_report += settings_.report_s;
      } else if (now_ == next_call) {
        measuring_ = made >= settings_.warm_up;
        arrive(measuring_ && made < total);
        ++made;
        next_call += gap(random_);
      } else {
        const auto [at, worker, id] = ends_.top();
        ends_.pop();
        end(worker, id);
      }
    }
  }

  /// Per second of the thread's CPU time: decisions alone, and decisions with what the table is told of each; the
  /// medians of some rounds with the tables as the simulation has left them.
  std::pair<double, double> speeds() {
    constexpr int rounds = 7;
    std::vector<uint32_t> drawn(settings_.decisions);
    for (auto& each : drawn)
      each = popularity_.draw(random_);
    auto& [table, by, random] = balancers_.front();
    std::vector<double> alone;
    std::vector<double> whole;
    uint64_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
      const double begin = cpu_seconds();
      for (const auto function : drawn)
        sum += by.choose(table, revisions_[function], random).value_or(0);
      const double middle = cpu_seconds();
      std::deque<trip> going;
      for (const auto function : drawn) {
        const auto worker = *by.choose(table, revisions_[function], random);
        going.push_back(table.sent(worker, revisions_[function]));
        if (going.size() > settings_.workers) {
          table.answered(going.front(), going.front().sandbox.to_idle ? run_end::warm : run_end::cold);
          going.pop_front();
        }
      }
      const double end = cpu_seconds();
      for (const auto& each : going)
        table.answered(each, run_end::refused);
      alone.push_back(static_cast<double>(drawn.size()) / (middle - begin));
      whole.push_back(static_cast<double>(drawn.size()) / (end - middle));
    }
    if (sum == UINT64_MAX) // Never so, but then the decisions have to be made.
      std::puts("");
    std::sort(alone.begin(), alone.end());
    std::sort(whole.begin(), whole.end());
    return {alone[rounds / 2], whole[rounds / 2]};
  }

  void print() {
    const auto [alone, whole] = speeds();
    auto& m = measures_;
    const auto busiest = std::max_element(workers_.begin(), workers_.end(),
                                          [](const auto& a, const auto& b) { return a.busy_seconds < b.busy_seconds; });
    double busy = 0;
    for (const auto& each : workers_)
      busy += each.busy_seconds;
    const auto calls = static_cast<double>(m.calls);
    std::printf("{\"policy\": \"%s\", \"workers\": %u, \"balancers\": %u, \"calls\": %ju, \"calls_per_second\": %.1f, "
                "\"simulated_s\": %.1f, \"warm\": %.6f, \"cold_avoidable\": %.6f, \"cold_unavoidable\": %.6f, "
                "\"imbalance_of_work\": %.4f, \"imbalance_at_a_time\": %.4f, "
                "\"wait_ms\": {\"p50\": %.3f, \"p99\": %.3f}, \"decisions_per_second\": %.0f, "
                "\"decisions_and_news_per_second\": %.0f}\n",
                settings_.policy.c_str(), settings_.workers, settings_.balancers, static_cast<uintmax_t>(m.calls),
                rate_, now_, 1 - static_cast<double>(m.avoidable + m.unavoidable) / calls,
                static_cast<double>(m.avoidable) / calls, static_cast<double>(m.unavoidable) / calls,
                busiest->busy_seconds / (busy / static_cast<double>(workers_.size())),
                m.load_mean > 0 ? m.load_max / m.load_mean : 0, percentile(0.5), percentile(0.99), alone, whole);
  }

private:
  struct end_of_run {
    double at;
    uint32_t worker;
    uint32_t call;

    bool operator<(const end_of_run& other) const { return at > other.at; }
  };

  static double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  }

  double percentile(double part) {
    auto& waits = measures_.waits_ms;
    if (waits.empty())
      return 0;
    const auto at = waits.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(waits.size() - 1) * part);
    std::nth_element(waits.begin(), at, waits.end());
    return *at;
  }

  void arrive(bool measured) {
    uint32_t id = static_cast<uint32_t>(calls_.size());
    if (free_calls_.empty()) {
      calls_.emplace_back();
    } else {
      id = free_calls_.back();
      free_calls_.pop_back();
    }
    auto& c = calls_[id];
    c = {};
    c.function = popularity_.draw(random_);
    c.balancer = static_cast<uint32_t>(random_() % settings_.balancers);
    c.arrived = now_;
    c.run_s = std::exponential_distribution{1 / mean_run_s_[c.function]}(random_);
    c.one_idle = idle_anywhere_[c.function] > 0;
    c.measured = measured;
    auto& [table, by, random] = balancers_[c.balancer];
    const auto& revision = revisions_[c.function];
    const auto worker = *by.choose(table, revision, random);
    c.way = table.sent(worker, revision);
    workers_[worker].queue.push_back(id);
    serve(worker);
  }

  void serve(uint32_t worker) {
    auto& w = workers_[worker];
    while (w.has_free_core() && !w.queue.empty()) {
      const auto id = w.queue.front();
      w.queue.pop_front();
      auto& c = calls_[id];
      expire(worker);
      c.warm = w.begin(c.function, ended_);
      if (c.warm)
        --idle_anywhere_[c.function];
      tell_ended(worker);
      const double cold_s = c.warm ? 0 : settings_.cold_ms / 1000;
      if (measuring_)
        w.busy_seconds += cold_s + c.run_s;
      if (c.measured)
        measure(c, (now_ - c.arrived + cold_s) * 1000);
      ends_.push({now_ + cold_s + c.run_s, worker, id});
    }
  }

  void measure(const call& c, double wait_ms) {
    auto& m = measures_;
    ++m.calls;
    if (!c.warm)
      ++(c.one_idle ? m.avoidable : m.unavoidable);
    m.waits_ms.push_back(static_cast<float>(wait_ms));
  }

  void end(uint32_t worker, uint32_t id) {
    const auto& c = calls_[id];
    workers_[worker].end(c.function, now_);
    ++idle_anywhere_[c.function];
    balancers_[c.balancer].table.answered(c.way, c.warm ? run_end::warm : run_end::cold);
    free_calls_.push_back(id);
    serve(worker);
  }

  void expire(uint32_t worker) {
    workers_[worker].expire(now_ - settings_.idle_s, ended_);
    tell_ended(worker);
  }

  void tell_ended(uint32_t worker) {
    for (const auto function : ended_) {
      --idle_anywhere_[function];
      if (settings_.told)
        for (auto& each : balancers_)
          each.table.remaining(worker, revisions_[function], workers_[worker].sandboxes_of(function));
    }
    ended_.clear();
  }

  void report() {
    double most = 0;
    double sum = 0;
    for (uint32_t i = 0; i < workers_.size(); ++i) {
      expire(i);
      const auto& w = workers_[i];
      const auto waiting = static_cast<uint32_t>(w.queue.size());
      for (auto& each : balancers_)
        each.table.report(i, {.running = w.running(), .waiting = waiting, .sandboxes = w.sandboxes()});
      most = std::max<double>(most, w.running() + waiting);
      sum += w.running() + waiting;
    }
    if (measuring_) {
      measures_.load_max += most;
      measures_.load_mean += sum / static_cast<double>(workers_.size());
    }
  }

  settings settings_;
  std::mt19937_64 random_;
  popularity popularity_;
  std::vector<simulated_worker> workers_;
  std::vector<uint32_t> idle_anywhere_; ///< sandboxes, by function
  std::vector<uuid> revisions_;
  std::vector<double> mean_run_s_;
  std::vector<balancer> balancers_;
  std::vector<call> calls_;
  std::vector<uint32_t> free_calls_;
  std::priority_queue<end_of_run> ends_;
  std::vector<uint32_t> ended_;
  measures measures_;
  double rate_ = 0; ///< calls a second
  double now_ = 0;
  bool measuring_ = false;
};

void add_options(CLI::App& program, settings& s) {
  program.add_option("--policy", s.policy, "which policy");
  program.add_option("--workers", s.workers, "how many")->check(CLI::Range(size_t{1}, limits::workers_max));
  program.add_option("--cores", s.cores, "of each worker")->check(CLI::Range(1, 1024));
  program.add_option("--sandboxes", s.sandboxes, "that each has memory for")->check(CLI::Range(1, 100'000));
  program.add_option("--balancers", s.balancers, "each with its own table")->check(CLI::Range(1, 100));
  program.add_option("--functions", s.functions, "how many")->check(CLI::Range(1, 1'000'000));
  program.add_option("--skew", s.skew, "exponent of Zipf's law")->check(CLI::Range(0.0, 5.0));
  program.add_option("--utilisation", s.utilisation, "of all cores, by runs alone")->check(CLI::Range(0.01, 1.0));
  program.add_option("--run-ms", s.run_ms, "median of the functions' mean run times")->check(CLI::Range(0.1, 1e6));
  program.add_option("--cold-ms", s.cold_ms, "what a new sandbox takes")->check(CLI::Range(0.0, 1e6));
  program.add_option("--idle-s", s.idle_s, "until an idle sandbox ends")->check(CLI::Range(0.1, 1e6));
  program.add_option("--report-s", s.report_s, "between two reports of a worker")->check(CLI::Range(0.001, 1e6));
  program.add_option("--warm-up", s.warm_up, "calls before those that are measured");
  program.add_option("--calls", s.calls, "that are measured")->check(CLI::Range(1, 1'000'000'000));
  program.add_option("--decisions", s.decisions, "of a round that is timed")->check(CLI::Range(1, 100'000'000));
  program.add_option("--cold-share", s.shares.cold, "of warm-first, in %")->check(CLI::Range(101, 10'000));
  program.add_option("--warm-share", s.shares.warm, "of warm-first, in %")->check(CLI::Range(0, 10'000));
  program.add_option("--seed", s.seed, "of all that is drawn");
  program.add_flag("!--untold", s.told, "workers do not tell which idle sandboxes have ended");
}

} // namespace

} // namespace troupe::bench

int main(int argc, char** argv) {
  using namespace troupe;
  bench::settings settings;
  CLI::App program{"Simulates workers under a policy of balancing; see tools/bench/balance."};
  bench::add_options(program, settings);
  CLI11_PARSE(program, argc, argv);
  const auto kind = policy_named(settings.policy);
  if (!kind) {
    std::fprintf(stderr, "there is no policy '%s'\n", settings.policy.c_str());
    return 1;
  }
  bench::simulation run{settings, *kind};
  run.run();
  run.print();
  return 0;
}
