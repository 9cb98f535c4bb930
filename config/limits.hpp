#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of the system, in one place. What comes from outside is checked against these and nothing else;
/// what a user may choose within them stands in config/settings.hpp.
namespace troupe::limits {

using namespace std::chrono_literals;

inline constexpr size_t kib = 1024;
inline constexpr size_t mib = 1024 * kib;
inline constexpr size_t gib = 1024 * mib;

// HTTP
inline constexpr size_t payload_bytes_max = 6 * mib;        ///< an event, and an answer (AWS: 6 MB)
inline constexpr size_t deploy_body_bytes_max = 72 * mib;   ///< CreateFunction: a 50 MiB archive in base64, and fields
inline constexpr size_t header_bytes_max = 16 * kib;        ///< request line and header fields together
inline constexpr size_t client_context_bytes_max = 3583;    ///< X-Amz-Client-Context
inline constexpr size_t log_tail_bytes = 4 * kib;           ///< kept of an invocation's log for X-Amz-Log-Result
inline constexpr size_t list_items_max = 50;                ///< ListFunctions, a page
inline constexpr size_t query_items_max = 10'000;           ///< /v1/invocations, a page
inline constexpr size_t query_items_default = 1000;         ///< the same, when the caller names no limit
inline constexpr size_t small_body_bytes_max = 64 * kib;    ///< of every request that brings no event and no archive
inline constexpr size_t held_body_bytes_max = 512 * mib;    ///< bodies that all connections hold at one time
inline constexpr size_t kept_buffer_bytes_max = 64 * kib;   ///< what a connection keeps of a buffer between requests
inline constexpr size_t read_bytes_max = 64 * kib;          ///< taken from a socket at a time while a body arrives
inline constexpr size_t inline_parse_bytes_max = 256 * kib; ///< larger documents are parsed beside the io thread
inline constexpr auto request_time_max = 300s;              ///< from a request's first byte to its last
inline constexpr auto linger_time_max = 5s;                 ///< reading on after an early answer, so that it arrives
inline constexpr auto query_time_max = 30s;                 ///< how long actors may take: to answer a question,
inline constexpr auto report_time_max = 120s;               ///< to read many records,
inline constexpr auto deploy_time_max = 120s;               ///< to store and unpack an archive,
inline constexpr auto invoke_time_max = 1200s;              ///< to run a function: queue, start and timeout_s_max

// Functions
inline constexpr size_t function_name_bytes_max = 64;
inline constexpr size_t handler_bytes_max = 128;
inline constexpr size_t description_bytes_max = 256;
inline constexpr size_t environment_bytes_max = 4 * kib; ///< all names and values of a function together
inline constexpr uint32_t memory_mb_min = 128;           ///< the platform's API speaks of MB and means MiB
inline constexpr uint32_t memory_mb_max = 10'240;
inline constexpr uint32_t memory_mb_default = 128;
inline constexpr uint32_t timeout_s_min = 1;
inline constexpr uint32_t timeout_s_max = 900;
inline constexpr uint32_t timeout_s_default = 3;
inline constexpr uint32_t ephemeral_storage_mb_min = 512; ///< /tmp of a sandbox; MB means MiB here, too
inline constexpr uint32_t ephemeral_storage_mb_max = 10'240;
inline constexpr uint32_t ephemeral_storage_mb_default = 512;
inline constexpr uint32_t concurrency_max = 100'000; ///< that a function or a tenant can be given
inline constexpr size_t functions_max = 10'000;      ///< a node

// Archives
inline constexpr size_t archive_bytes_max = 50 * mib;   ///< as sent
inline constexpr size_t unpacked_bytes_max = 250 * mib; ///< all files together
inline constexpr size_t archive_entries_max = 20'000;
inline constexpr size_t archive_ratio_max = 200; ///< unpacked to packed, from 1 MiB unpacked on
inline constexpr size_t archive_path_bytes_max = 1024;

// Sandboxes
inline constexpr size_t frame_header_bytes_max = 64 * kib;
inline constexpr size_t frame_payload_bytes_max = payload_bytes_max;
/// What a pipe between node and handler process holds, so that most events and answers pass in one piece.
inline constexpr size_t channel_pipe_bytes = 256 * kib;
inline constexpr size_t reason_bytes_max = 1 * kib;      ///< of a handler process: why an event is no JSON
inline constexpr size_t error_text_chars_max = 32 * kib; ///< errorMessage of a handler's error document
inline constexpr size_t stack_frames_max = 64;           ///< of a handler's stackTrace; those in the middle go
inline constexpr size_t stack_line_chars_max = 2 * kib;  ///< an entry of a stackTrace, and an errorType
inline constexpr size_t sandboxes_max = 1000;            ///< a node
inline constexpr size_t launches_in_flight_max = 24;     ///< sandboxes that may be starting at one time
inline constexpr size_t blank_sandboxes_max = 256;       ///< sandboxes kept ready
inline constexpr uint64_t blank_sandbox_bytes = 4 * mib; ///< what one counts in the memory budget
inline constexpr uint64_t family_extra_bytes = 16 * mib; ///< of a template and its copies, besides what each may use
inline constexpr auto template_unfit_time_max = 1s;      ///< with more than it was found fit with, after a copy
inline constexpr size_t template_shells_ready = 4;       ///< for the next copies of each template
/// Those that are ending included, whose places are free again for the worker but not yet for the machine.
inline constexpr size_t sandbox_cells_max = sandboxes_max + blank_sandboxes_max + launches_in_flight_max;
inline constexpr uint32_t processes_max = 256;         ///< a sandbox (pids cgroup)
inline constexpr uint32_t node_processes_max = 32'768; ///< all sandboxes together
inline constexpr uint32_t memory_mb_a_core = 1769; ///< a function's CPU grows with its memory; here it is a whole core
inline constexpr uint64_t tcp_buffer_bytes_max = 32 * mib; ///< of a sandbox's sockets, where they are counted apart
inline constexpr uint64_t tmp_inodes_max = 65'536;
inline constexpr uint64_t open_files_max = 1024;     ///< a process inside a sandbox
inline constexpr uint64_t pending_signals_max = 128; ///< a sandbox; timers count as such, and for the node's user, too
inline constexpr uint32_t sandbox_ids = 65'536;      ///< user and group ids of a sandbox's own range
inline constexpr auto init_time_max = 10s;           ///< a handler's module-level code (AWS: 10 s)
inline constexpr auto kill_time_max = 5s;            ///< from SIGKILL until the process has to be gone
inline constexpr auto zygote_start_max = 30s;        ///< from its start until it can launch
inline constexpr auto zygote_reply_max = 5s;         ///< each answer of it, and a child's set-up

// Zygotes with packages
inline constexpr size_t packages_max = 256; ///< that the configuration may name
inline constexpr size_t layers_max = 8;     ///< each is a mount that is copied for every sandbox
inline constexpr size_t layer_packages_max = 2000;
inline constexpr size_t module_name_bytes_max = 100; ///< without dots
inline constexpr size_t import_files_max = 64;       ///< files of a bundle that are read for what they import
inline constexpr size_t import_bytes_max = 1 * mib;  ///< the same, all together
inline constexpr size_t import_names_max = 1000;     ///< what a bundle may import of others
inline constexpr size_t carried_names_max = 4000;    ///< modules in a bundle; with more nothing is loaded ahead for it
inline constexpr size_t known_names_max = 100'000;   ///< both, of all bundles that are remembered
inline constexpr size_t package_sets_max = 64;       ///< sets of packages that uses are counted for
inline constexpr size_t package_zygotes_max = 32;    ///< that live at one time
inline constexpr size_t package_zygote_parts = 4;    ///< network namespaces and /tmp mounts kept ready in each
inline constexpr size_t growth_report_bytes_max = 64 * kib;
inline constexpr uint32_t package_misses_min = 2; ///< launches that would have gained from a zygote, before it is made
inline constexpr uint32_t package_deaths_max = 3; ///< of zygotes with one set, before it is given up
inline constexpr auto package_gain_min = 5ms;     ///< about what a sandbox costs that is not taken from the blank ones
inline constexpr auto package_import_max = 30s;   ///< of all packages of a zygote
inline constexpr int package_rest_factor = 4;     ///< after each they rest for so much longer than it took
inline constexpr uint64_t zygote_memory_bytes_min = 16 * mib;
inline constexpr uint64_t zygote_memory_share = 8; ///< zygotes have no more than this part of the sandboxes' memory

// Ledger
inline constexpr size_t ledger_batch_max = 256;       ///< records between two writes
inline constexpr auto ledger_skew_max = 60s;          ///< between the time in an invocation's id and its start
inline constexpr size_t ledger_faults_max = 1000;     ///< lines of what `verify` found
inline constexpr size_t metered_functions_max = 2000; ///< with metrics of their own: those invoked last
inline constexpr size_t ledger_part_items = 1000; ///< records asked of a node at a time, when a page is made of many
inline constexpr auto ledger_reach_time_max = 3s; ///< for another node to say that it is there, before it is read

// Network of sandboxes that may reach out
inline constexpr unsigned egress_prefix_min = 8;  ///< of the range that their addresses come from
inline constexpr unsigned egress_prefix_max = 20; ///< three addresses for each sandbox that there can be
inline constexpr size_t egress_denied_max = 64;   ///< further ranges that an operator keeps from them
/// Connections of a sandbox that the machine follows at one time: its table of them is everybody's.
inline constexpr uint32_t egress_connections_max = 1024;
inline constexpr size_t egress_ready = 4;     ///< blank sandboxes with a way out, once a function has asked for one
inline constexpr size_t name_servers_max = 3; ///< as many as the C library asks
inline constexpr auto netlink_time_max = 5s;  ///< each answer of the kernel
inline constexpr auto nft_time_max = 10s;     ///< a run of the program nft
inline constexpr auto egress_retry_min = 5s;  ///< before a set-up that has failed is tried again

// Cluster
inline constexpr size_t seeds_max = 64;
inline constexpr size_t members_max = 1024;              ///< nodes, and addresses that one tries to reach
inline constexpr uint32_t dials_max = 100;               ///< in a row without an answer, before an address is forgotten
inline constexpr size_t bundle_part_bytes = 256 * kib;   ///< heartbeats wait behind no more than this
inline constexpr size_t idempotency_key_bytes_max = 255; ///< that the program sends
inline constexpr auto answer_grace = 90s;          ///< beside its timeout: the time that an invocation waits and loads
inline constexpr uint32_t workers_asked_max = 3;   ///< one after another, when those before take nothing new
inline constexpr size_t hello_bytes_max = 1 * kib; ///< of what two nodes tell each other before anything else
inline constexpr size_t refusal_bytes_max = 512;   ///< of a line that says why a node is turned away
inline constexpr size_t host_bytes_max = 253;      ///< where a node is reached: an address, or a DNS name
inline constexpr size_t version_text_bytes_max = 32;  ///< of the program
inline constexpr size_t handshakes_max = 64;          ///< nodes that are coming in at one time,
inline constexpr size_t handshakes_address_max = 8;   ///< and those of one address
inline constexpr size_t link_buffer_bytes = 64 * kib; ///< held for each direction of an encrypted link
inline constexpr auto handshake_time_max = 2s;        ///< from the connection until both nodes have agreed
inline constexpr auto link_stall_time_max = 5s;       ///< in which a link has to take something of what is written
inline constexpr auto heartbeat_min = 50ms;
inline constexpr auto heartbeat_max = 1min;
inline constexpr auto death_after_max = 10min;
inline constexpr uint32_t certificate_days_default = 365; ///< of those that the program makes for nodes
inline constexpr uint32_t certificate_days_max = 3650;    ///< the same, and how long their authority lasts
inline constexpr auto certificate_leeway = 1h;            ///< they hold so much earlier: other clocks may be behind
inline constexpr size_t pem_bytes_max = 64 * kib;         ///< of a certificate or a key that the program reads again

// Settings: how far a user may go in config/options.cpp
inline constexpr size_t config_file_bytes_max = 1 * mib;
inline constexpr size_t label_bytes_max = 63; ///< names of nodes and tenants: a DNS label
inline constexpr size_t address_list_bytes_max = 2 * kib;
inline constexpr size_t path_bytes_max = 1024; ///< data directory; leaves room for names below it
inline constexpr uint32_t connections_max = 65'536;
inline constexpr auto client_timeout_min = 100ms; ///< each of the HTTP timeouts
inline constexpr auto client_timeout_max = 1h;
inline constexpr uint64_t worker_memory_bytes_min = memory_mb_min * mib; ///< one sandbox has to fit
inline constexpr uint64_t worker_memory_bytes_max = 64 * 1024 * gib;
inline constexpr auto sandbox_idle_min = 10ms;
inline constexpr auto sandbox_idle_max = 24h;
inline constexpr auto template_after_max = 1min;
inline constexpr uint32_t queue_max = 100'000;
inline constexpr auto drain_time_max = 20min; ///< the longest timeout of a function, and some more
inline constexpr auto flush_interval_max = 10s;
inline constexpr auto granularity_min = 1ms;
inline constexpr auto granularity_max = 1min;
inline constexpr size_t tenants_max = 1000;            ///< that the file may name
inline constexpr uint32_t tenant_rate_max = 1'000'000; ///< requests a second
inline constexpr uint32_t tenant_weight_max = 1000;
inline constexpr uint64_t price_pico_max = 1'000'000'000'000'000; ///< 1,000 units of the currency

// The command-line program
inline constexpr auto connect_time_max = 5s;
inline constexpr auto answer_time_max = 60s;          ///< of everything but an invocation
inline constexpr auto ledger_answer_time_max = 10min; ///< of a billing question: it may read every record
inline constexpr size_t answer_bytes_max = 128 * mib;

// Balancing
inline constexpr size_t workers_max = 1000; ///< that a balancer knows
/// Revisions of which a balancer remembers idle sandboxes on a worker: no more than it can have sandboxes.
inline constexpr size_t warm_revisions_max = sandboxes_max;
inline constexpr uint64_t newcomer_sends = 10'000; ///< invocations, until a worker that has joined is like the others
inline constexpr uint32_t ring_points_a_core = 32; ///< of a worker, on the ring of consistent hashing
inline constexpr uint32_t ring_points_max = 1024;  ///< of a worker

} // namespace troupe::limits
