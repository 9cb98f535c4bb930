#pragma once

#include "storage/records.hpp"

/// Which members of a record are stored and under which key: the one declaration from which values.cpp makes both
/// encoding and decoding. A key's meaning never changes; new members get new keys, and keys are never used again.
namespace troupe::storage {

template <class Visitor, class Function>
void function_fields(Visitor&& field, Function& x) {
  field("runtime", x.config.runtime);
  field("handler", x.config.handler);
  field("about", x.config.description);
  field("role", x.config.role);
  field("mb", x.config.memory_mb);
  field("timeout", x.config.timeout_s);
  field("env", x.config.environment);
  field("tmp", x.config.ephemeral_storage_mb);
  field("most", x.config.concurrency_max);
  field("kept", x.config.concurrency_reserved);
  field("net", x.config.network);
  field("idem", x.config.idempotent);
  field("version", x.version);
  field("rev", x.revision);
  field("bundle", x.bundle);
  field("bytes", x.bundle_bytes);
  field("time", x.modified_ms);
}

template <class Visitor, class Record>
void record_fields(Visitor&& field, Record& x) {
  field("fn", x.function);
  field("ver", x.version);
  field("node", x.node);
  field("trig", x.trigger);
  field("st", x.status);
  field("t", x.start_ns);
  field("q", x.queued_ns);
  field("init", x.init_ns);
  field("run", x.run_ns);
  field("cpu", x.cpu_ns);
  field("mb", x.memory_limit_mb);
  field("peak", x.memory_peak_bytes);
  field("in", x.bytes_in);
  field("out", x.bytes_out);
  field("ms", x.billed_ms);
  field("cost", x.cost_pico);
}

} // namespace troupe::storage
