// `troupe cluster`: the nodes of a cluster.
#include "config/limits.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/lambda_api.hpp"
#include "tools/render.hpp"

#include <fmt/core.h>

#include <memory>

namespace troupe::tools {

namespace {

namespace json = boost::json;

struct status_arguments {
  explicit status_arguments(CLI::App& command) : endpoint{command}, format{command} {}

  endpoint_option endpoint;
  format_option format;
};

/// Asks the node that the endpoint names.
caf::expected<json::object> ask(const endpoint_option& endpoint, const http_call& call) {
  const auto client = endpoint.client();
  if (!client)
    return client.error();
  return object_of(client->send(call));
}

void add_member(table& to, const json::object& of) {
  static const json::object none;
  const auto* counts = of.if_contains("sandboxes");
  const auto& sandboxes = counts != nullptr && counts->is_object() ? counts->get_object() : none;
  to.add({text_at(of, "name"), text_at(of, "roles"), text_at(of, "state"), std::to_string(number_at(sandboxes, "busy")),
          std::to_string(number_at(sandboxes, "idle")), std::to_string(number_at(of, "waiting")),
          std::to_string(number_at(of, "memory_used_bytes") / static_cast<int64_t>(limits::mib)),
          text_at(of, "address"), text_at(of, "version"), text_at(of, "since")});
}

int status(const status_arguments& given) {
  const auto answer = ask(given.endpoint, {"GET", "/v1/cluster", {}, {}, limits::answer_time_max});
  if (!answer)
    return fail(answer.error());
  static const json::array none;
  const auto* members = answer->if_contains("members");
  const auto& rows_of = members != nullptr && members->is_array() ? members->get_array() : none;
  if (given.format.value() == output_format::json) {
    json_list list;
    for (const auto& who : rows_of)
      if (who.is_object())
        list.add(who.get_object());
    list.end();
    return 0;
  }
  if (rows_of.empty()) {
    fmt::print("the node is on its own: cluster.port makes it one of a cluster\n");
    return 0;
  }
  table rows{{{"NODE"},
              {"ROLES"},
              {"STATE"},
              {"BUSY", align::right},
              {"IDLE", align::right},
              {"WAITING", align::right},
              {"MEMORY MB", align::right},
              {"ADDRESS"},
              {"VERSION"},
              {"SINCE"}}};
  for (const auto& who : rows_of)
    if (who.is_object())
      add_member(rows, who.get_object());
  rows.print();
  return 0;
}

struct drain_arguments {
  explicit drain_arguments(CLI::App& command) : endpoint{command} {}

  endpoint_option endpoint;
  std::string name;
};

int drain(const drain_arguments& given) {
  const auto answer = ask(given.endpoint, {"POST",
                                           "/v1/cluster/" + percent_encoded(given.name) + "/drain",
                                           {},
                                           {},
                                           limits::drain_time_max + limits::answer_time_max});
  if (!answer)
    return fail(answer.error());
  fmt::print("{} has finished what ran there, and has left\n", printable(given.name));
  return 0;
}

} // namespace

void add_cluster(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("cluster", "The nodes of a cluster: which there are, and what they do.");
  command->require_subcommand(1);
  command->footer("Examples:\n"
                  "  troupe cluster status\n"
                  "  troupe cluster drain n2\n"
                  "  troupe cluster certs --directory tls n1 n2");

  auto* asked = command->add_subcommand("status", "List the nodes, each as it describes itself.");
  auto wanted = std::make_shared<status_arguments>(*asked);
  asked->footer("Examples:\n  troupe cluster status\n  troupe cluster status --format json");
  asked->callback([wanted, &chosen] { chosen = [wanted] { return status(*wanted); }; });

  auto* leaving = command->add_subcommand("drain", "Have a node leave: it gets nothing new, finishes, and stops.");
  auto given = std::make_shared<drain_arguments>(*leaving);
  leaving->add_option("NODE", given->name, "The node's name.")->required();
  leaving->footer("Example:\n  troupe cluster drain n2");
  leaving->callback([given, &chosen] { chosen = [given] { return drain(*given); }; });

  add_cluster_certs(*command, chosen);
}

} // namespace troupe::tools
