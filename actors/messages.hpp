#pragma once

#include "config/throttle.hpp"
#include "storage/records.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The map of the system: every message that actors exchange and every actor's interface. All types here can travel
/// to another node, unless they are marked as local.
namespace troupe {

using storage::function_config;
using storage::function_version;
using storage::invocation_status;
using storage::ledger_filter;
using storage::network_access;
using storage::trigger_kind;
using storage::usage_record;
using storage::usage_row;
using storage::verify_report;

/// A function version shared without copying inside a node, and whole on the wire.
class function_ptr {
public:
  function_ptr() = default;
  explicit function_ptr(function_version version)
    : version_{std::make_shared<const function_version>(std::move(version))} {}

  const function_version& operator*() const noexcept { return *version_; }
  const function_version* operator->() const noexcept { return version_.get(); }
  explicit operator bool() const noexcept { return version_ != nullptr; }

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, function_ptr& x) {
    bool present = x.version_ != nullptr;
    if constexpr (Inspector::reads_state) {
      if (!present)
        return f(present);
      return f(present, const_cast<function_version&>(*x.version_)); // An inspector that reads does not write.
    } else {
      function_version version;
      if (auto err = f(present); err || !present) {
        x.version_.reset();
        return err;
      }
      auto err = f(version);
      x.version_ = std::make_shared<const function_version>(std::move(version));
      return err;
    }
  }

private:
  std::shared_ptr<const function_version> version_;
};

/// One run of a handler, on its way to a sandbox.
struct invocation {
  uuid id;
  std::string tenant;
  std::string name;      ///< of the function, as the caller gave it
  function_ptr function; ///< set by the balancer
  trigger_kind trigger = trigger_kind::http;
  bool wants_log = false;     ///< the outcome carries the log's tail
  bool repeatable = false;    ///< the caller says that running it twice does no harm
  std::string payload;        ///< the event: JSON, not looked at by the node
  std::string client_context; ///< JSON, or empty
  uint64_t payload_bytes = 0; ///< of the event; stays when the payload has moved on
  int64_t received_ns = 0;    ///< since the epoch
  uint64_t ticket = 0;        ///< whoever sends it to a worker wants to hear of it by this number; 0: does not

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, invocation& x) {
    return f(x.id, x.tenant, x.name, x.function, x.trigger, x.wants_log, x.repeatable, x.payload, x.client_context,
             x.payload_bytes, x.received_ns, x.ticket);
  }
};

/// How much a worker has to do, in invocations.
struct worker_load {
  uint32_t running = 0;
  uint32_t waiting = 0;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, worker_load& x) {
    return f(x.running, x.waiting);
  }
};

/// What came of an invocation that was run. One that was not run is an error instead.
struct outcome {
  uuid id;
  invocation_status status = invocation_status::ok;
  std::string payload; ///< the answer, or the error document {errorType, errorMessage, stackTrace}
  std::string log_tail;
  std::string version; ///< that ran
  uint64_t run_ns = 0;
  bool cold = false;               ///< its sandbox was made for it
  caf::optional<worker_load> load; ///< of its worker, without this one; none when nobody has looked

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, outcome& x) {
    return f(x.id, x.status, x.payload, x.log_tail, x.version, x.run_ns, x.cold, x.load);
  }
};

/// What a change of a function may set; what is not set stays.
struct function_change {
  caf::optional<std::string> handler;
  caf::optional<std::string> runtime;
  caf::optional<std::string> description;
  caf::optional<std::string> role;
  caf::optional<uint32_t> memory_mb;
  caf::optional<uint32_t> timeout_s;
  caf::optional<std::map<std::string, std::string>> environment;
  caf::optional<uint32_t> ephemeral_storage_mb;
  caf::optional<uint32_t> concurrency_max; ///< concurrency_unset: none from now on
  caf::optional<uint32_t> concurrency_reserved;
  caf::optional<network_access> network;
  caf::optional<bool> idempotent;
  caf::optional<std::string> zip;        ///< the new archive
  caf::optional<uuid> expected_revision; ///< fails with conflict when it is not the present one

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, function_change& x) {
    return f(x.handler, x.runtime, x.description, x.role, x.memory_mb, x.timeout_s, x.environment,
             x.ephemeral_storage_mb, x.concurrency_max, x.concurrency_reserved, x.network, x.idempotent, x.zip,
             x.expected_revision);
  }
};

/// A piece of a bundle's archive: large ones do not stand in the way of other messages.
struct bundle_part {
  std::string bytes;  ///< at most limits::bundle_part_bytes; fewer at the end only
  uint64_t total = 0; ///< size of the archive

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, bundle_part& x) {
    return f(x.bytes, x.total);
  }
};

/// What a worker has at this moment, for metrics and for balancers.
struct worker_status {
  uint32_t starting = 0; ///< sandboxes by state
  uint32_t idle = 0;
  uint32_t busy = 0;
  uint32_t stopping = 0;
  uint32_t templates = 0;         ///< loaded handlers that sandboxes are copied from
  uint32_t blanks = 0;            ///< sandboxes without a function yet
  uint32_t zygotes = 0;           ///< with packages, besides the bare one
  uint64_t zygote_bytes = 0;      ///< of those
  uint32_t waiting = 0;           ///< invocations in the queue
  uint64_t memory_used_bytes = 0; ///< the sandboxes' limits, or what they hold while they stand still
  uint64_t memory_budget_bytes = 0;
  bool ready = false; ///< takes invocations: it is not draining

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, worker_status& x) {
    return f(x.starting, x.idle, x.busy, x.stopping, x.templates, x.blanks, x.zygotes, x.zygote_bytes, x.waiting,
             x.memory_used_bytes, x.memory_budget_bytes, x.ready);
  }
};

/// Upper bounds of the latency histograms' buckets, in ns; a last bucket takes the rest.
inline constexpr std::array<uint64_t, 18> latency_bounds_ns = {
  50'000,      100'000,       250'000,       500'000,        1'000'000,      2'500'000,
  5'000'000,   10'000'000,    25'000'000,    50'000'000,     100'000'000,    250'000'000,
  500'000'000, 1'000'000'000, 2'500'000'000, 10'000'000'000, 60'000'000'000, 900'000'000'000};

/// Counts of durations by bucket.
struct histogram {
  std::vector<uint64_t> counts; ///< latency_bounds_ns.size() + 1, or empty
  uint64_t sum_ns = 0;

  void add(uint64_t ns);

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, histogram& x) {
    return f(x.counts, x.sum_ns);
  }
};

/// What the ledger has seen of one function since the node started.
struct function_metrics {
  std::string tenant;
  std::string function;
  std::vector<uint64_t> by_status; ///< indexed by invocation_status
  histogram queue;
  histogram init; ///< cold starts only
  histogram run;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, function_metrics& x) {
    return f(x.tenant, x.function, x.by_status, x.queue, x.init, x.run);
  }
};

} // namespace troupe

// CAF 0.17 knows atoms by their characters, ten at most.
CAF_BEGIN_TYPE_ID_BLOCK(troupe, caf::first_custom_type_id)

  CAF_ADD_TYPE_ID(troupe, (troupe::uuid))
  CAF_ADD_TYPE_ID(troupe, (troupe::digest))
  CAF_ADD_TYPE_ID(troupe, (troupe::function_config))
  CAF_ADD_TYPE_ID(troupe, (troupe::function_version))
  CAF_ADD_TYPE_ID(troupe, (troupe::function_ptr))
  CAF_ADD_TYPE_ID(troupe, (troupe::function_change))
  CAF_ADD_TYPE_ID(troupe, (troupe::invocation))
  CAF_ADD_TYPE_ID(troupe, (troupe::outcome))
  CAF_ADD_TYPE_ID(troupe, (troupe::usage_record))
  CAF_ADD_TYPE_ID(troupe, (troupe::usage_row))
  CAF_ADD_TYPE_ID(troupe, (troupe::ledger_filter))
  CAF_ADD_TYPE_ID(troupe, (troupe::verify_report))
  CAF_ADD_TYPE_ID(troupe, (troupe::worker_status))
  CAF_ADD_TYPE_ID(troupe, (troupe::function_metrics))
  CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::function_version>))
  CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::usage_record>))
  CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::usage_row>))
  CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::function_metrics>))
  CAF_ADD_TYPE_ID(troupe, (troupe::throttle))
  CAF_ADD_TYPE_ID(troupe, (troupe::bundle_part))
  CAF_ADD_TYPE_ID(troupe, (troupe::worker_load))

CAF_END_TYPE_ID_BLOCK(troupe)

namespace troupe::atom {

using invoke = caf::atom_constant<caf::atom("invoke")>;
using refuse = caf::atom_constant<caf::atom("refuse")>;
using again = caf::atom_constant<caf::atom("again")>;
using queued = caf::atom_constant<caf::atom("queued")>;
using begun = caf::atom_constant<caf::atom("begun")>;
using remaining = caf::atom_constant<caf::atom("remaining")>;
using alive = caf::atom_constant<caf::atom("alive")>;
using idle = caf::atom_constant<caf::atom("idle")>;
using ready = caf::atom_constant<caf::atom("ready")>;
using gone = caf::atom_constant<caf::atom("gone")>;
using frozen = caf::atom_constant<caf::atom("frozen")>;
using retire = caf::atom_constant<caf::atom("retire")>;
using stop = caf::atom_constant<caf::atom("stop")>;
using drain = caf::atom_constant<caf::atom("drain")>;
using flush = caf::atom_constant<caf::atom("flush")>;
using tick = caf::atom_constant<caf::atom("tick")>;
using status = caf::atom_constant<caf::atom("status")>;
using create = caf::atom_constant<caf::atom("create")>;
using change = caf::atom_constant<caf::atom("change")>;
using remove = caf::atom_constant<caf::atom("remove")>;
using get = caf::atom_constant<caf::atom("get")>;
using list = caf::atom_constant<caf::atom("list")>;
using bundle = caf::atom_constant<caf::atom("bundle")>;
using part = caf::atom_constant<caf::atom("part")>;
using unpack = caf::atom_constant<caf::atom("unpack")>;
using all = caf::atom_constant<caf::atom("all")>;
using follow = caf::atom_constant<caf::atom("follow")>;
using release = caf::atom_constant<caf::atom("release")>;
using launch = caf::atom_constant<caf::atom("launch")>;
using bury = caf::atom_constant<caf::atom("bury")>;
using examine = caf::atom_constant<caf::atom("examine")>;
using prepare = caf::atom_constant<caf::atom("prepare")>;
using frame = caf::atom_constant<caf::atom("frame")>;
using closed = caf::atom_constant<caf::atom("closed")>;
using deadline = caf::atom_constant<caf::atom("deadline")>;
using update = caf::atom_constant<caf::atom("update")>;
using append = caf::atom_constant<caf::atom("append")>;
using records = caf::atom_constant<caf::atom("records")>;
using usage = caf::atom_constant<caf::atom("usage")>;
using verify = caf::atom_constant<caf::atom("verify")>;
using metrics = caf::atom_constant<caf::atom("metrics")>;

} // namespace troupe::atom

namespace troupe {

/// One isolated process that runs one function version's invocations, one at a time.
using sandbox_actor = caf::typed_actor<
  // Runs the invocation; what goes wrong in the handler is an outcome, not an error.
  caf::replies_to<atom::invoke, invocation>::with<outcome>,
  // Ends the process, and the actor with it.
  caf::reacts_to<atom::stop>>;

/// Sends invocations to workers, and hears from them what becomes of those with a ticket before their outcome is there.
using dispatcher_actor = caf::typed_actor<
  // The invocation of that ticket waits: it has not begun.
  caf::reacts_to<atom::queued, uint64_t>,
  // Now it begins.
  caf::reacts_to<atom::begun, uint64_t>,
  // Idle sandboxes of that revision have ended: so many are left there.
  caf::reacts_to<atom::remaining, uuid, uint32_t>,
  // The worker asks for a sign of life; the number comes back to it in an `alive`.
  caf::reacts_to<atom::alive, uint64_t>>;

/// Owns one node's sandboxes and its memory budget.
using worker_actor = caf::typed_actor<
  // Runs the invocation in a sandbox of its version; fails with too_many_requests, with shutting_down when it has not
  // begun and another worker may have it, with node_lost when it was ended half-way, or with sandbox_failed.
  caf::replies_to<atom::invoke, invocation>::with<outcome>,
  // From the balancer: records the invocation as refused for that reason, and answers with it. Nothing is run.
  caf::replies_to<atom::refuse, invocation, throttle>::with<outcome>,
  // From a balancer, before its first invocation: it wants to hear of its tickets.
  caf::reacts_to<atom::follow, dispatcher_actor>,
  // From a balancer: the number that the worker has sent to it last.
  caf::reacts_to<atom::alive, uint64_t>,
  // From the handler store: a function is new or has changed, and may want sandboxes kept for it.
  caf::reacts_to<atom::update, function_ptr>,
  // From the handler store: a function is gone (tenant, name).
  caf::reacts_to<atom::remove, std::string, std::string>,
  // From the handler store: all functions follow (true), or these were all, and others are gone (false).
  caf::reacts_to<atom::all, bool>,
  // From the handler store: a revision of that bundle is no longer deployed. Its sandboxes end, each once it is idle.
  caf::reacts_to<atom::retire, uuid, digest>,
  // Hands all usage records to the ledger; answers once they are on their way.
  caf::replies_to<atom::flush>::with<caf::unit_t>,
  // What it has at this moment.
  caf::replies_to<atom::status>::with<worker_status>,
  // Takes nothing new and answers once the last sandbox is gone. What runs or waits may finish within that time; asked
  // again, the earlier end counts.
  caf::replies_to<atom::drain, caf::timespan>::with<caf::unit_t>>;

/// Chooses a worker for each invocation.
using balancer_actor = caf::typed_actor<
  // Resolves the function and hands the invocation on; fails with function_not_found, with too_many_requests when its
  // tenant asks more often than it may, or as the worker does.
  caf::replies_to<atom::invoke, invocation>::with<outcome>,
  // From the handler store: a function is new or has changed.
  caf::reacts_to<atom::update, function_ptr>,
  // From the handler store: a function is gone (tenant, name).
  caf::reacts_to<atom::remove, std::string, std::string>,
  // From the handler store: all functions follow (true), or these were all, and others are gone (false).
  caf::reacts_to<atom::all, bool>>;

/// Owns functions and bundles.
using handler_store_actor = caf::typed_actor<
  // A new function from its configuration and archive; fails with function_exists, invalid_argument or io_error.
  caf::replies_to<atom::create, function_config, std::string>::with<function_version>,
  // Changes (tenant, name); fails with function_not_found, conflict, invalid_argument or io_error.
  caf::replies_to<atom::change, std::string, std::string, function_change>::with<function_version>,
  // One function (tenant, name); fails with function_not_found.
  caf::replies_to<atom::get, std::string, std::string>::with<function_version>,
  // All functions of a tenant, by name.
  caf::replies_to<atom::list, std::string>::with<std::vector<function_version>>,
  // Removes (tenant, name); fails with function_not_found or io_error.
  caf::replies_to<atom::remove, std::string, std::string>::with<caf::unit_t>,
  // The archive of that digest.
  caf::replies_to<atom::bundle, digest>::with<std::string>,
  // What that archive holds from that byte on.
  caf::replies_to<atom::part, digest, uint64_t>::with<bundle_part>,
  // Makes sure that the bundle lies unpacked on this node and answers with its directory.
  caf::replies_to<atom::unpack, digest>::with<std::string>,
  // Tells the balancer of all functions, and from then on of each change before whoever made it hears of it.
  caf::replies_to<atom::follow, balancer_actor>::with<caf::unit_t>,
  // Tells the worker of all functions, of each change, and of each revision that goes.
  caf::replies_to<atom::follow, worker_actor>::with<caf::unit_t>,
  // From a worker: no sandbox of that bundle is left, so that its directory may go unless a function names it.
  caf::reacts_to<atom::release, digest>>;

/// Owns invocation and billing records.
using ledger_actor = caf::typed_actor<
  // Stores a batch; a worker does not wait for it.
  caf::reacts_to<atom::append, std::vector<usage_record>>,
  // Stores the record of a run and then answers with what came of it; fails with unavailable when it cannot be stored.
  caf::replies_to<atom::append, usage_record, outcome>::with<outcome>,
  // Answers once all that has come before is stored.
  caf::replies_to<atom::flush>::with<caf::unit_t>,
  // The records that the filter lets through, by time.
  caf::replies_to<atom::records, ledger_filter>::with<std::vector<usage_record>>,
  // The sums by function and hour.
  caf::replies_to<atom::usage, ledger_filter>::with<std::vector<usage_row>>,
  // Makes the sums anew from the records and compares.
  caf::replies_to<atom::verify>::with<verify_report>,
  // What has been counted since the node started.
  caf::replies_to<atom::metrics>::with<std::vector<function_metrics>>>;

} // namespace troupe

CAF_BEGIN_TYPE_ID_BLOCK(troupe_handles, caf::id_block::troupe::end)

  CAF_ADD_TYPE_ID(troupe_handles, (troupe::sandbox_actor))
  CAF_ADD_TYPE_ID(troupe_handles, (troupe::dispatcher_actor))
  CAF_ADD_TYPE_ID(troupe_handles, (troupe::worker_actor))
  CAF_ADD_TYPE_ID(troupe_handles, (troupe::balancer_actor))
  CAF_ADD_TYPE_ID(troupe_handles, (troupe::handler_store_actor))
  CAF_ADD_TYPE_ID(troupe_handles, (troupe::ledger_actor))

CAF_END_TYPE_ID_BLOCK(troupe_handles)
