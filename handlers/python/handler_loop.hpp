#pragma once

#include <string>
#include <string_view>

#include "handlers/python/event_codec.hpp"
#include "handlers/python/frame_channel.hpp"
#include "handlers/python/interpreter.hpp"
#include "handlers/python/ref.hpp"

namespace troupe::python {

/// What the loop calls of the embedded Python code (runtime/*.py); looked up once, in the zygote.
struct runtime {
  event_codec codec;
  ref rehearse;
  ref reseed;
  ref load_packages;
  ref prepare_process;
  ref load;
  ref before_snapshot;
  ref after_restore;
  ref make_context;
  ref run_coroutine;
  ref document;
  ref document_as;
  ref make_document;
  ref reason;
  ref out; ///< our stdout and stderr, whatever a handler puts in their place
  ref err;
};

/// Serves one handler in one process, on its main thread, with the GIL held between the frames. No Python code of ours
/// runs for an ordinary invocation of a handler that takes only the event.
class handler_loop {
public:
  /// `python` must outlive the loop; `channel` is taken over.
  handler_loop(runtime& python, channel_fds channel);

  /// What becomes of the process once its handler is loaded.
  enum class purpose : uint8_t { to_serve, to_copy };

  /// Prepares the process and loads the handler from `task_root`; answers ready or failed. False when it failed.
  bool load(const handler_spec& spec, const std::string& task_root, purpose what = purpose::to_serve);

  /// The same in a copy of a process that has loaded its handler `to_copy`. The descriptors of that one's channel are
  /// closed already.
  bool restore(channel_fds channel);

  /// Answers frames until the channel closes.
  void run();

private:
  bool say_ready_or_failed(const ref& done);
  void answer(const invoke_frame& call);
  ref call_handler(const ref& event, const ref& context);
  void reply_answer(const ref& result);
  void reply_exception();
  void reply_exception_as(const char* type, const char* prefix);
  void reply_invalid_event();
  void reply_text(wire::reply_header header, const ref& text);
  void reply(wire::reply_header header, std::string_view payload);
  void flush_log();
  ref take_exception();

  runtime& python_;
  frame_channel channel_;
  ref handler_;
  bool takes_context_ = false;
};

} // namespace troupe::python
