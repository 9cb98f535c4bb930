#include "handlers/python/handler_loop.hpp"

#include <cstdio>

#include <unistd.h>

#include "config/limits.hpp"
#include "handlers/python/host_module.hpp"

namespace troupe::python {

namespace {

using wire::frame_kind;
using wire::reply_flag;

constexpr wire::reply_header answered{frame_kind::result, reply_flag::none};
constexpr wire::reply_header raised{frame_kind::result, reply_flag::raised};

/// The document when describing an error fails, too: no memory left, or an exception class that fights back.
constexpr std::string_view last_resort_document =
  R"({"errorMessage": "the error could not be described", "errorType": "Runtime.UnknownReason", "requestId": "", )"
  R"("stackTrace": []})";

ref to_python(std::string_view text) {
  return ref::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
}

ref to_python(const std::map<std::string, std::string>& texts) {
  auto result = ref::steal(PyDict_New());
  for (const auto& [name, value] : texts) {
    const auto key = to_python(name);
    const auto object = to_python(value);
    if (!result || !key || !object || PyDict_SetItem(result.get(), key.get(), object.get()) < 0)
      return {};
  }
  return result;
}

template <class... Refs>
ref call(const ref& function, const Refs&... arguments) {
  return ref::steal(PyObject_CallFunctionObjArgs(function.get(), arguments.get()..., nullptr));
}

/// SystemExit ends the process as in any Python program, with atexit functions and the exit code; others stay.
void exit_if_asked() {
  if (PyErr_ExceptionMatches(PyExc_SystemExit) != 0)
    PyErr_Print();
}

void flush(PyObject* stream) {
  if (stream == nullptr || stream == Py_None)
    return;
  const auto kept = ref::share(stream);
  static PyObject* const name = PyUnicode_InternFromString("flush");
  if (!ref::steal(PyObject_CallMethodNoArgs(kept.get(), name)))
    PyErr_Clear(); // a closed or foreign stream: its text is lost, the answer is not
}

} // namespace

handler_loop::handler_loop(runtime& python, channel_fds channel) : python_{python}, channel_{channel} {
  std::setvbuf(stdout, nullptr, _IOLBF, 0); // what C libraries print, line by line like Python's own
}

bool handler_loop::load(const handler_spec& spec, const std::string& task_root, purpose what) {
  const auto handler = to_python(spec.handler);
  const auto root = to_python(task_root);
  const auto memory_mb = ref::steal(PyLong_FromUnsignedLong(spec.memory_mb));
  const auto variables = to_python(spec.environment);
  ref loaded;
  if (variables
      && call(python_.prepare_process, handler, to_python(spec.function_name), to_python(spec.function_version),
              memory_mb, root, variables))
    loaded = call(python_.load, handler, root);
  if (loaded && PyTuple_Check(loaded.get())) {
    handler_ = ref::share(PyTuple_GET_ITEM(loaded.get(), 0));
    takes_context_ = PyTuple_GET_ITEM(loaded.get(), 1) == Py_True;
    if (what == purpose::to_copy)
      loaded = call(python_.before_snapshot);
  }
  return say_ready_or_failed(loaded);
}

bool handler_loop::restore(channel_fds channel) {
  channel_.reopen(channel);
  return say_ready_or_failed(call(python_.after_restore));
}

/// `done` is empty when something was raised, and an error document when it is a string.
bool handler_loop::say_ready_or_failed(const ref& done) {
  constexpr wire::reply_header failed{frame_kind::failed, reply_flag::none};
  if (!done) {
    exit_if_asked();
    reply_text(failed, call(python_.document, take_exception(), to_python("")));
    return false;
  }
  if (PyUnicode_Check(done.get())) {
    reply_text(failed, done);
    return false;
  }
  reply({frame_kind::ready, reply_flag::none}, {});
  return true;
}

void handler_loop::run() {
  while (const auto frame = channel_.receive())
    answer(*frame);
}

void handler_loop::answer(const invoke_frame& frame) {
  set_request_id(frame.header.request_id);
  const auto event = python_.codec.decode(frame.event);
  if (!event)
    return reply_invalid_event();
  ref context;
  if (takes_context_) {
    const auto deadline_ms = ref::steal(PyLong_FromLongLong(frame.header.deadline_ms));
    context = call(python_.make_context, to_python(request_id()), deadline_ms, to_python(frame.header.client_context));
    if (!context)
      return reply_exception_as("Runtime.LambdaContextUnmarshalError", "Unable to parse Client Context JSON: ");
  }
  channel_.discard();
  const auto result = call_handler(event, context);
  if (result)
    reply_answer(result);
  else
    reply_exception();
}

ref handler_loop::call_handler(const ref& event, const ref& context) {
  PyObject* slots[] = {nullptr, event.get(), context.get()};
  const size_t count = (context ? 2 : 1) | PY_VECTORCALL_ARGUMENTS_OFFSET;
  auto result = ref::steal(PyObject_Vectorcall(handler_.get(), slots + 1, count, nullptr));
  if (result && PyCoro_CheckExact(result.get()))
    return call(python_.run_coroutine, result);
  return result;
}

void handler_loop::reply_answer(const ref& result) {
  const auto text = python_.codec.encode(result.get());
  if (!text)
    return reply_exception_as("Runtime.MarshalError", "Unable to marshal response: ");
  const auto size = static_cast<size_t>(PyUnicode_GET_LENGTH(text.get())); // ASCII
  if (size <= limits::frame_payload_bytes_max)
    return reply_text(answered, text);
  char message[128];
  std::snprintf(message, sizeof(message),
                "Response payload size (%zu bytes) exceeded maximum allowed payload size (%zu bytes).", size,
                limits::frame_payload_bytes_max);
  reply_text(raised, call(python_.make_document, to_python("Function.ResponseSizeTooLarge"), to_python(message),
                          to_python(request_id())));
}

void handler_loop::reply_exception() {
  exit_if_asked();
  reply_text(raised, call(python_.document, take_exception(), to_python(request_id())));
}

void handler_loop::reply_exception_as(const char* type, const char* prefix) {
  exit_if_asked();
  channel_.discard();
  reply_text(raised,
             call(python_.document_as, to_python(type), to_python(prefix), take_exception(), to_python(request_id())));
}

void handler_loop::reply_invalid_event() {
  channel_.discard();
  if (PyErr_ExceptionMatches(PyExc_MemoryError) != 0)
    return reply_exception();
  reply_text({frame_kind::result, reply_flag::invalid_event}, call(python_.reason, take_exception()));
}

void handler_loop::reply_text(wire::reply_header header, const ref& text) {
  Py_ssize_t size = 0;
  const char* data = text && PyUnicode_Check(text.get()) ? PyUnicode_AsUTF8AndSize(text.get(), &size) : nullptr;
  if (data != nullptr)
    return reply(header, {data, static_cast<size_t>(size)});
  PyErr_Clear();
  reply(header.kind == frame_kind::failed ? header : raised, last_resort_document);
}

void handler_loop::reply(wire::reply_header header, std::string_view payload) {
  flush_log();
  if (in_forked_copy()) // checked last: encoding, describing and flushing run code of the handler, too
    ::_exit(header.kind != frame_kind::failed && header.flag == reply_flag::none ? 0 : 1);
  if (!channel_.send(header, payload))
    ::_exit(0); // the node is gone, or the handler closed the channel: nobody is left to answer
}

/// The node takes what is in the pipe when the answer comes as this invocation's log.
void handler_loop::flush_log() {
  std::fflush(stdout);
  for (const auto& [name, own] : {std::pair{"stdout", python_.out.get()}, std::pair{"stderr", python_.err.get()}}) {
    PyObject* present = PySys_GetObject(name); // borrowed
    if (present != own)
      flush(present);
    flush(own);
  }
}

ref handler_loop::take_exception() {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace != nullptr)
    PyException_SetTraceback(value, trace);
  Py_XDECREF(type);
  Py_XDECREF(trace);
  return ref::steal(value);
}

} // namespace troupe::python
