#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/messages.hpp"
#include "config/errc.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

/// Stand-ins for the actors behind HTTP, so that its tests need no sandboxes and no database.
namespace troupe::http::test {

/// What the balancer has been sent last, and the promises that it keeps back.
struct balancer_memory {
  invocation last;
  std::vector<caf::typed_response_promise<outcome>> held;
  bool released = false;
  int counted = 0; ///< calls of `count`
};

inline outcome outcome_of(const invocation& call, invocation_status status, std::string payload) {
  outcome result;
  result.id = call.id;
  result.status = status;
  result.payload = std::move(payload);
  result.log_tail = call.wants_log ? "a line\n" : "";
  result.version = "$LATEST";
  return result;
}

/// Answers by the function's name: "echo" the event, "context" the client context, "tenant" whose it is, "raise",
/// "timeout", "crash" and "out_of_memory" as such handlers do, "busy", "stopping", "broken" and "not-json" with errors,
/// "hold" once it is released; all others do not exist.
inline balancer_actor::behavior_type fake_balancer(balancer_actor::stateful_pointer<balancer_memory> self) {
  return {
    [self](atom::invoke, invocation& call) -> caf::result<outcome> {
      self->state.last = call;
      const std::string document = R"({"errorType":"ValueError","errorMessage":"no","stackTrace":[]})";
      if (call.name == "echo")
        return outcome_of(call, invocation_status::ok, std::move(call.payload));
      if (call.name == "count")
        return outcome_of(call, invocation_status::ok, std::to_string(++self->state.counted));
      if (call.name == "context")
        return outcome_of(call, invocation_status::ok, call.client_context);
      if (call.name == "tenant")
        return outcome_of(call, invocation_status::ok, '"' + call.tenant + '"');
      if (call.name == "raise")
        return outcome_of(call, invocation_status::error, document);
      if (call.name == "timeout")
        return outcome_of(call, invocation_status::timeout, document);
      if (call.name == "crash")
        return outcome_of(call, invocation_status::crash, document);
      if (call.name == "out_of_memory")
        return outcome_of(call, invocation_status::out_of_memory, document);
      if (call.name == "busy")
        return make_throttled(throttle::function_concurrency);
      if (call.name == "stopping")
        return make_error(errc::shutting_down);
      if (call.name == "broken")
        return make_error(errc::sandbox_failed);
      if (call.name == "not-json")
        return make_error(errc::invalid_payload, "the event is not JSON: byte 3");
      if (call.name == "hold" && self->state.released)
        return outcome_of(call, invocation_status::ok, R"("late")");
      if (call.name == "hold") {
        self->state.held.push_back(self->make_response_promise<outcome>());
        return self->state.held.back();
      }
      return make_error(errc::function_not_found, "Function not found: " + call.name);
    },
    [](atom::update, const function_ptr&) {},
    // Here: answers everything that was held back, and from now on at once.
    [self](atom::remove, const std::string&, const std::string&) {
      self->state.released = true;
      for (auto& promise : std::exchange(self->state.held, {}))
        promise.deliver(outcome_of({}, invocation_status::ok, R"("late")"));
    },
    [](atom::all, bool) {},
  };
}

struct worker_memory {
  worker_status status;
  uint32_t flushes = 0;
};

inline worker_actor::behavior_type fake_worker(worker_actor::stateful_pointer<worker_memory> self,
                                               worker_status status) {
  self->state.status = status;
  return {
    [](atom::invoke, const invocation&) -> caf::result<outcome> { return make_error(errc::internal); },
    [](atom::refuse, const invocation&, throttle why) -> caf::result<outcome> { return make_throttled(why); },
    [](atom::follow, const dispatcher_actor&) {},
    [](atom::alive, uint64_t) {},
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::all, bool) {},
    [](atom::retire, const uuid&, const digest&) {},
    [self](atom::flush) -> caf::result<caf::unit_t> {
      ++self->state.flushes;
      return caf::unit;
    },
    [self](atom::status) -> caf::result<worker_status> { return self->state.status; },
    [](atom::drain, caf::timespan) -> caf::result<caf::unit_t> { return caf::unit; },
  };
}

struct store_memory {
  std::map<std::string, function_version> functions; ///< by tenant/name
  std::map<std::string, std::string> bundles;
};

inline caf::error no_function(const std::string& name) {
  return make_error(errc::function_not_found, "Function not found: " + name);
}

inline void put_zip(store_memory& memory, function_version& function, const std::string& zip) {
  function.bundle = digest::of(zip);
  function.bundle_bytes = zip.size();
  memory.bundles[function.bundle.hex()] = zip;
}

inline caf::result<function_version> change_function(store_memory& memory, const std::string& tenant,
                                                     const std::string& name, const function_change& change) {
  const auto at = memory.functions.find(tenant + "/" + name);
  if (at == memory.functions.end())
    return no_function(name);
  auto& function = at->second;
  if (change.expected_revision && *change.expected_revision != function.revision)
    return make_error(errc::conflict);
  function.revision = uuid::make();
  function.config.memory_mb = change.memory_mb.value_or(function.config.memory_mb);
  function.config.environment = change.environment.value_or(function.config.environment);
  function.config.concurrency_max = change.concurrency_max.value_or(function.config.concurrency_max);
  function.config.concurrency_reserved = change.concurrency_reserved.value_or(function.config.concurrency_reserved);
  if (change.zip)
    put_zip(memory, function, *change.zip);
  return function;
}

inline handler_store_actor::behavior_type fake_store(handler_store_actor::stateful_pointer<store_memory> self) {
  return {
    [self](atom::create, const function_config& config, const std::string& zip) -> caf::result<function_version> {
      const auto key = config.tenant + "/" + config.name;
      if (self->state.functions.count(key) > 0)
        return make_error(errc::function_exists, "Function already exist: " + config.name);
      function_version function;
      function.config = config;
      function.revision = uuid::make();
      put_zip(self->state, function, zip);
      return self->state.functions[key] = function;
    },
    [self](atom::change, const std::string& tenant, const std::string& name, const function_change& change) {
      return change_function(self->state, tenant, name, change);
    },
    [self](atom::get, const std::string& tenant, const std::string& name) -> caf::result<function_version> {
      const auto at = self->state.functions.find(tenant + "/" + name);
      return at == self->state.functions.end() ? caf::result<function_version>{no_function(name)}
                                               : caf::result<function_version>{at->second};
    },
    [self](atom::list, const std::string& tenant) -> caf::result<std::vector<function_version>> {
      std::vector<function_version> all;
      for (const auto& [key, function] : self->state.functions)
        if (function.config.tenant == tenant)
          all.push_back(function);
      return all;
    },
    [self](atom::remove, const std::string& tenant, const std::string& name) -> caf::result<caf::unit_t> {
      return self->state.functions.erase(tenant + "/" + name) > 0 ? caf::result<caf::unit_t>{caf::unit}
                                                                  : caf::result<caf::unit_t>{no_function(name)};
    },
    [self](atom::bundle, const digest& id) -> caf::result<std::string> {
      const auto at = self->state.bundles.find(id.hex());
      return at == self->state.bundles.end() ? caf::result<std::string>{no_function(id.hex())}
                                             : caf::result<std::string>{at->second};
    },
    [](atom::part, const digest&, uint64_t) { return bundle_part{}; },
    [](atom::unpack, const digest&) -> caf::result<std::string> { return make_error(errc::internal); },
    [](atom::follow, const balancer_actor&) -> caf::result<caf::unit_t> { return caf::unit; },
    [](atom::follow, const worker_actor&) -> caf::result<caf::unit_t> { return caf::unit; },
    [](atom::release, const digest&) {},
  };
}

/// What the ledger answers with. Records have to be in the order of their ids.
struct ledger_memory {
  std::vector<usage_record> records;
  std::vector<usage_row> rows;
  std::vector<function_metrics> metrics;
};

/// Shows the filter that it got: in the function's name of the answer.
inline ledger_actor::behavior_type fake_ledger(ledger_actor::stateful_pointer<ledger_memory> self,
                                               ledger_memory memory) {
  self->state = std::move(memory);
  return {
    [self](atom::append, const std::vector<usage_record>& more) {
      self->state.records.insert(self->state.records.end(), more.begin(), more.end());
    },
    [](atom::append, const usage_record&, const outcome& result) -> caf::result<outcome> { return result; },
    [](atom::flush) -> caf::result<caf::unit_t> { return caf::unit; },
    [self](atom::records, const ledger_filter& filter) -> caf::result<std::vector<usage_record>> {
      std::vector<usage_record> found;
      for (const auto& record : self->state.records)
        if (record.id > filter.after && found.size() < filter.count_max)
          found.push_back(record);
      return found;
    },
    [self](atom::usage, const ledger_filter& filter) -> caf::result<std::vector<usage_row>> {
      auto rows = self->state.rows;
      for (auto& row : rows)
        row.function += " " + filter.tenant + " " + filter.function + " " + std::to_string(filter.since_ms) + " "
                      + std::to_string(filter.until_ms);
      return rows;
    },
    [](atom::verify) -> caf::result<verify_report> {
      verify_report report;
      report.records = 7;
      report.rows = 2;
      report.faults = {"a \"fault\""};
      return report;
    },
    [self](atom::metrics) -> caf::result<std::vector<function_metrics>> { return self->state.metrics; },
  };
}

struct membership_memory {
  std::vector<member> members;
};

inline membership_actor::behavior_type fake_membership(membership_actor::stateful_pointer<membership_memory> self,
                                                       std::vector<member> members) {
  self->state.members = std::move(members);
  return {
    [](atom::announce, const member&, const std::vector<acquaintance>&) {},
    [self](atom::members) { return self->state.members; },
    [](atom::drain, const std::string&, caf::timespan) -> caf::result<caf::unit_t> { return caf::unit; },
    [](atom::retire) -> caf::result<caf::unit_t> { return caf::unit; },
    [](atom::goodbye) -> caf::result<caf::unit_t> { return caf::unit; },
  };
}

} // namespace troupe::http::test
