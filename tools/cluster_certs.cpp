// `troupe cluster certs`: certificates for trying out a cluster whose nodes speak TLS.
#include "config/errc.hpp"
#include "config/limits.hpp"
#include "config/names.hpp"
#include "http/time_text.hpp"
#include "tools/certificate_directory.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/render.hpp"

#include <fmt/core.h>

#include <memory>
#include <set>

namespace troupe::tools {

namespace {

using std::chrono::sys_seconds;
using present = certificate_directory::present;

/// The authority's files are ca.pem and ca.key.
constexpr std::string_view authority_name = "ca";

struct certs_arguments {
  explicit certs_arguments(CLI::App& command) : format{command} {
    command.add_option("--directory", directory, "Where the files are; it is made when it is not there.")
      ->type_name("DIR")
      ->required();
    command.add_option("--days", days, "How long new certificates hold.")
      ->check(CLI::Range(1U, limits::certificate_days_max))
      ->option_text(fmt::format("1-{} [{}]", limits::certificate_days_max, limits::certificate_days_default));
    command.add_flag("--renew", renew, "Make new certificates and keys in place of those that are there.");
    command.add_option("NODE", nodes, "The nodes' names, as node.name has them.")->required();
  }

  format_option format;
  std::string directory;
  uint32_t days = limits::certificate_days_default;
  bool renew = false;
  std::vector<std::string> nodes;
};

/// What was done for a name, and until when its certificate holds.
struct deed {
  std::string name;
  std::string_view done;
  sys_seconds until;
};

sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

period days_from(sys_seconds moment, uint32_t days) {
  return {moment - limits::certificate_leeway, moment + std::chrono::days{days}};
}

caf::error check_names(const std::vector<std::string>& nodes) {
  const auto wrong = [](std::string what) { return make_error(errc::invalid_argument, std::move(what)); };
  if (nodes.size() > limits::members_max)
    return wrong(fmt::format("a cluster has at most {} nodes", limits::members_max));
  std::set<std::string_view> seen;
  for (const auto& name : nodes) {
    if (!is_label(name))
      return wrong(fmt::format("\"{}\" is no name of a node, which is {}", name, label_rule));
    if (name == authority_name)
      return wrong("a node of the name ca would have the files of the authority, ca.pem and ca.key: name it otherwise");
    if (!seen.insert(name).second)
      return wrong(fmt::format("{} is named twice", name));
  }
  return {};
}

/// Makes what is not there. Everything that is there is looked at before the first file is written.
class certificate_maker {
public:
  certificate_maker(const certs_arguments& given, const certificate_directory& directory, sys_seconds moment)
    : given_{given}, directory_{directory}, now_{moment} {}

  caf::expected<std::vector<deed>> run() {
    const std::string ca{authority_name};
    const auto there = directory_.read(ca);
    if (!there)
      return there.error();
    const auto signer =
      *there ? load(**there) : authority::make("Troupe CA", days_from(now_, limits::certificate_days_max));
    if (!signer)
      return signer.error();
    for (const auto& node : given_.nodes)
      if (auto problem = plan(*signer, node))
        return problem;
    if (!*there)
      if (auto problem = directory_.write(ca, signer->own(), present::kept))
        return problem;
    for (const auto& deed : deeds_)
      if (auto problem = carry_out(*signer, deed))
        return problem;
    deeds_.insert(deeds_.begin(), deed{ca, *there ? kept : made, signer->until()});
    return std::move(deeds_);
  }

private:
  static constexpr std::string_view made = "made";
  static constexpr std::string_view kept = "kept";
  static constexpr std::string_view renewed = "renewed";

  caf::expected<authority> load(const identity& from) const {
    auto loaded = authority::load(from, now_);
    if (!loaded)
      return make_error(errc::invalid_argument,
                        fmt::format("the authority in {}: {}; with ca.pem and ca.key out of the way a new one is made",
                                    given_.directory, what_of(loaded.error())));
    return loaded;
  }

  caf::error plan(const authority& signer, const std::string& node) {
    const auto until = std::min(days_from(now_, given_.days).until, signer.until());
    const auto there = directory_.read(node);
    if (given_.renew || (there && !*there)) {
      deeds_.push_back({node, there && !*there ? made : renewed, until});
      return {};
    }
    if (!there)
      return make_error(code_of(there.error()), what_of(there.error()) + "; --renew makes both anew");
    const auto checked = signer.check(**there, node, now_);
    if (!checked)
      return make_error(errc::invalid_argument, fmt::format("what is there for {} in {}: {}; --renew makes another",
                                                            node, given_.directory, what_of(checked.error())));
    deeds_.push_back({node, kept, *checked});
    return {};
  }

  caf::error carry_out(const authority& signer, const deed& planned) const {
    if (planned.done == kept)
      return {};
    const auto issued = signer.issue({planned.name, planned.name}, days_from(now_, given_.days));
    if (!issued)
      return issued.error();
    return directory_.write(planned.name, *issued, planned.done == renewed ? present::replaced : present::kept);
  }

  const certs_arguments& given_;
  const certificate_directory& directory_;
  sys_seconds now_;
  std::vector<deed> deeds_;
};

/// What belongs into a node's configuration. Text as JSON writes it is text as TOML reads it.
void print_hint(const certificate_directory& at, const std::string& node) {
  const auto quoted = [](const std::string& text) { return boost::json::serialize(boost::json::string{text}); };
  fmt::print("\nA node needs its own two files and ca.pem; ca.key stays here. In the configuration of {}:\n\n"
             "  [cluster]\n  tls-certificate = {}\n  tls-key = {}\n  tls-ca = {}\n",
             node, quoted(at.certificate_path(node)), quoted(at.key_path(node)),
             quoted(at.certificate_path(std::string{authority_name})));
}

void print(const certificate_directory& at, const std::vector<deed>& deeds, output_format format) {
  table rows{{{"NAME"}, {"DONE"}, {"CERTIFICATE"}, {"KEY"}, {"VALID UNTIL"}}};
  json_list list;
  for (const auto& [name, done, until] : deeds) {
    const auto end = http::rfc3339(until.time_since_epoch());
    const auto certificate = at.certificate_path(name);
    const auto key = at.key_path(name);
    if (format == output_format::table)
      rows.add({name, std::string{done}, certificate, key, end});
    else
      list.add({{"name", name}, {"done", done}, {"certificate", certificate}, {"key", key}, {"valid_until", end}});
  }
  if (format == output_format::json)
    return list.end();
  rows.print();
  print_hint(at, deeds.back().name);
}

int certs(const certs_arguments& given) {
  if (const auto problem = check_names(given.nodes))
    return fail(problem);
  const auto directory = certificate_directory::open(given.directory);
  if (!directory)
    return fail(directory.error());
  const auto deeds = certificate_maker{given, *directory, now()}.run();
  if (!deeds)
    return fail(deeds.error());
  print(*directory, *deeds, given.format.value());
  return 0;
}

} // namespace

void add_cluster_certs(CLI::App& cluster, action& chosen) {
  auto* command =
    cluster.add_subcommand("certs", "Make certificates with which nodes know each other, to try out TLS.");
  auto given = std::make_shared<certs_arguments>(*command);
  command->footer(
    "The directory gets an authority of its own, ca.pem and ca.key, or keeps the one that is there; and for each node\n"
    "NODE.pem and NODE.key, where they are not there yet. Nodes with certificates of one authority believe each "
    "other,\n"
    "so whoever has its ca.key can join the cluster: keep it from the nodes.\n\n"
    "Examples:\n"
    "  troupe cluster certs --directory tls store worker-1\n"
    "  troupe cluster certs --directory tls worker-2                  # another node, later\n"
    "  troupe cluster certs --directory tls --renew --days 90 store   # a new key and a new certificate\n\n"
    "  troupe serve --node.name store --cluster.port 7400 --cluster.tls-ca tls/ca.pem \\\n"
    "    --cluster.tls-certificate tls/store.pem --cluster.tls-key tls/store.key");
  command->callback([given, &chosen] { chosen = [given] { return certs(*given); }; });
}

} // namespace troupe::tools
