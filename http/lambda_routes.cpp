#include "http/lambda_routes.hpp"

#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"
#include "http/lambda_input.hpp"
#include "http/lambda_json.hpp"
#include "http/lambda_names.hpp"
#include "http/query.hpp"
#include "http/run_routes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace troupe::http {

namespace {

namespace json = boost::json;

void fail(exchange& x, const caf::error& error) {
  set_error(x.out, dialect::lambda, error);
}

/// The function that the path and the Qualifier name.
caf::expected<function_ref> ref_of(const exchange& x) {
  auto parameters = query::parse(x.where.query);
  if (!parameters)
    return std::move(parameters.error());
  return parse_function_ref(x.where.name, parameters->text("Qualifier"));
}

/// Runs a parser over the request's body: here when it is small, beside the io thread when it is large.
template <class Parser>
task<std::invoke_result_t<Parser, std::string_view>> parsed(node_context& node, exchange& x, Parser parser) {
  const std::string_view body = x.in.body;
  if (body.size() <= limits::inline_parse_bytes_max)
    co_return parser(body);
  co_return co_await node.helper.run([body, parser] { return parser(body); });
}

task<caf::expected<function_version>> fetch(node_context& node, const exchange& x, std::string name) {
  return node.actors.ask<function_version>(node.actors.actors().store, limits::query_time_max, atom::get{}, x.tenant,
                                           std::move(name));
}

task<caf::expected<function_version>> change(node_context& node, const exchange& x, std::string name,
                                             function_change what) {
  return node.actors.ask<function_version>(node.actors.actors().store, limits::deploy_time_max, atom::change{},
                                           x.tenant, std::move(name), std::move(what));
}

void show(exchange& x, const caf::expected<function_version>& function) {
  if (!function)
    fail(x, function.error());
  else
    x.out.body = json::serialize(function_configuration(*function));
}

void show_concurrency(exchange& x, const caf::expected<function_version>& function) {
  if (!function)
    fail(x, function.error());
  else
    x.out.body = json::serialize(function_concurrency(*function));
}

/// What an invocation's header fields ask for.
struct invoke_options {
  bool dry_run = false;
  bool wants_log = false;
  std::string client_context;
};

caf::expected<invoke_options> options_of(const request& in) {
  invoke_options options;
  options.dry_run = in.invocation_type == "DryRun";
  if (in.invocation_type == "Event")
    return make_error(errc::invalid_argument, "InvocationType Event is not supported yet");
  if (!options.dry_run && !in.invocation_type.empty() && in.invocation_type != "RequestResponse")
    return make_error(errc::invalid_argument, "InvocationType must be RequestResponse or DryRun");
  options.wants_log = in.log_type == "Tail";
  if (!options.wants_log && !in.log_type.empty() && in.log_type != "None")
    return make_error(errc::invalid_argument, "LogType must be None or Tail");
  if (!in.client_context.empty()) {
    auto context = parse_client_context(in.client_context);
    if (!context)
      return std::move(context.error());
    options.client_context = std::move(*context);
  }
  return options;
}

/// What the change of the code would make of the function.
task<caf::expected<function_version>> preview(node_context& node, const exchange& x, std::string name,
                                              function_change what) {
  auto function = co_await fetch(node, x, std::move(name));
  if (!function)
    co_return function;
  if (what.expected_revision && *what.expected_revision != function->revision)
    co_return make_error(errc::conflict);
  const std::string& zip = *what.zip;
  const auto bundle = co_await node.helper.run([&zip]() -> caf::expected<digest> {
    const auto files = handlers::list(zip);
    return files ? caf::expected<digest>{digest::of(zip)} : files.error();
  });
  if (!bundle)
    co_return bundle.error();
  function->bundle = *bundle;
  function->bundle_bytes = zip.size();
  co_return function;
}

} // namespace

task<void> invoke_function(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  auto options = options_of(x.in);
  if (!options)
    co_return fail(x, options.error());
  if (options->dry_run) {
    const auto function = co_await fetch(node, x, std::move(ref->name));
    if (!function)
      co_return fail(x, function.error());
    x.out.status = 204;
    x.out.content_type = {};
    co_return;
  }
  auto call = make_invocation(x, std::move(ref->name), trigger_kind::api);
  call.wants_log = options->wants_log;
  call.client_context = std::move(options->client_context);
  const auto id = call.id.to_string();
  auto result = co_await invoke(node, std::move(call));
  if (!result)
    fail(x, result.error());
  else if (result->status == invocation_status::throttled)
    fail(x, make_error(errc::too_many_requests));
  x.out.add_field("X-Amzn-RequestId", id);
  if (x.out.status != 200)
    co_return;
  x.out.body = std::move(result->payload);
  x.out.add_field("X-Amz-Executed-Version", result->version.empty() ? latest : result->version);
  if (result->status != invocation_status::ok)
    x.out.add_field("X-Amz-Function-Error", "Unhandled");
  if (options->wants_log)
    x.out.add_field("X-Amz-Log-Result", base64_encode(result->log_tail));
}

task<void> list_functions(node_context& node, exchange& x) {
  auto parameters = query::parse(x.where.query);
  if (!parameters)
    co_return fail(x, parameters.error());
  const auto marker = parameters->text("Marker");
  const auto asked = parameters->number("MaxItems", limits::list_items_max, 1, 10'000);
  if (!asked)
    co_return fail(x, asked.error());
  const auto page = std::min(static_cast<size_t>(*asked), limits::list_items_max);
  auto functions = co_await node.actors.ask<std::vector<function_version>>(
    node.actors.actors().store, limits::query_time_max, atom::list{}, x.tenant);
  if (!functions)
    co_return fail(x, functions.error());
  // Names are unique, so the last one of a page says where the next begins, whatever was deployed meanwhile.
  auto at = std::find_if(functions->begin(), functions->end(),
                         [&marker](const function_version& f) { return f.config.name > marker; });
  json::array shown;
  for (; at != functions->end() && shown.size() < page; ++at)
    shown.push_back(function_configuration(*at));
  json::object document;
  if (at != functions->end())
    document["NextMarker"] = (at - 1)->config.name;
  document["Functions"] = std::move(shown);
  x.out.body = json::serialize(document);
}

task<void> create_function(node_context& node, exchange& x) {
  auto input = co_await parsed(node, x, parse_create);
  if (!input)
    co_return fail(x, input.error());
  input->config.tenant = x.tenant;
  const auto made =
    co_await node.actors.ask<function_version>(node.actors.actors().store, limits::deploy_time_max, atom::create{},
                                               std::move(input->config), std::move(input->zip));
  x.out.status = 201;
  show(x, made);
}

task<void> get_function(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  const auto function = co_await fetch(node, x, std::move(ref->name));
  if (!function)
    co_return fail(x, function.error());
  x.out.body = json::serialize(function_document(*function, node.origin + "/v1/bundles/" + function->bundle.hex()));
}

task<void> get_configuration(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  show(x, co_await fetch(node, x, std::move(ref->name)));
}

task<void> put_configuration(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  auto input = parse_configuration(x.in.body);
  if (!input)
    co_return fail(x, input.error());
  show(x, co_await change(node, x, std::move(ref->name), std::move(*input)));
}

task<void> put_concurrency(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  auto input = parse_concurrency(x.in.body);
  if (!input)
    co_return fail(x, input.error());
  show_concurrency(x, co_await change(node, x, std::move(ref->name), std::move(*input)));
}

task<void> get_concurrency(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  show_concurrency(x, co_await fetch(node, x, std::move(ref->name)));
}

task<void> delete_concurrency(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  function_change nothing_set;
  nothing_set.concurrency_max = storage::concurrency_unset;
  nothing_set.concurrency_reserved = 0U;
  const auto done = co_await change(node, x, std::move(ref->name), std::move(nothing_set));
  if (!done)
    co_return fail(x, done.error());
  x.out.status = 204;
  x.out.content_type = {};
}

task<void> put_code(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  auto input = co_await parsed(node, x, parse_code);
  if (!input)
    co_return fail(x, input.error());
  if (input->dry_run)
    show(x, co_await preview(node, x, std::move(ref->name), std::move(input->change)));
  else
    show(x, co_await change(node, x, std::move(ref->name), std::move(input->change)));
}

task<void> delete_function(node_context& node, exchange& x) {
  auto ref = ref_of(x);
  if (!ref)
    co_return fail(x, ref.error());
  const auto done = co_await node.actors.ask<caf::unit_t>(node.actors.actors().store, limits::deploy_time_max,
                                                          atom::remove{}, x.tenant, std::move(ref->name));
  if (!done)
    co_return fail(x, done.error());
  x.out.status = 204;
  x.out.content_type = {};
}

task<void> get_bundle(node_context& node, exchange& x) {
  const auto id = digest::parse(x.where.name);
  if (!id) {
    set_error(x.out, dialect::plain, make_error(errc::invalid_argument, "a bundle has 64 hexadecimal digits"));
    co_return;
  }
  auto zip =
    co_await node.actors.ask<std::string>(node.actors.actors().store, limits::query_time_max, atom::bundle{}, *id);
  if (!zip) {
    set_error(x.out, dialect::plain, zip.error());
    co_return;
  }
  x.out.content_type = "application/zip";
  x.out.body = std::move(*zip);
}

} // namespace troupe::http
