#include "http/routes.hpp"

#include "http/cluster_routes.hpp"
#include "http/lambda_routes.hpp"
#include "http/ledger_routes.hpp"
#include "http/operations.hpp"
#include "http/run_routes.hpp"

namespace troupe::http {

task<void> answer(node_context& node, exchange& x) {
  switch (x.where.where) {
    case endpoint::run_function: return run_function(node, x);
    case endpoint::invoke_function: return invoke_function(node, x);
    case endpoint::list_functions: return list_functions(node, x);
    case endpoint::create_function: return create_function(node, x);
    case endpoint::get_function: return get_function(node, x);
    case endpoint::delete_function: return delete_function(node, x);
    case endpoint::get_configuration: return get_configuration(node, x);
    case endpoint::put_configuration: return put_configuration(node, x);
    case endpoint::put_code: return put_code(node, x);
    case endpoint::put_concurrency: return put_concurrency(node, x);
    case endpoint::get_concurrency: return get_concurrency(node, x);
    case endpoint::delete_concurrency: return delete_concurrency(node, x);
    case endpoint::get_bundle: return get_bundle(node, x);
    case endpoint::preflight: return preflight(node, x);
    case endpoint::index: return index(node, x);
    case endpoint::health: return health(node, x);
    case endpoint::readiness: return readiness(node, x);
    case endpoint::metrics: return metrics(node, x);
    case endpoint::list_invocations: return list_invocations(node, x);
    case endpoint::list_usage: return list_usage(node, x);
    case endpoint::verify_usage: return verify_usage(node, x);
    case endpoint::list_members: return list_members(node, x);
    case endpoint::drain_member: return drain_member(node, x);
  }
  throw std::logic_error("a route without an endpoint");
}

} // namespace troupe::http
