#include "agent/fleet/fleet_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>

#include "kernels/base/home_folder.h"
#include "kernels/base/joined.h"
#include "kernels/base/text_file.h"
#include "proto/endpoint.h"

namespace bitpilot {
namespace {

constexpr std::size_t kKeyLength = 40;

// Makes messages that begin with the place: "fleet.toml:7: ".
class FleetParser {
 public:
  explicit FleetParser(std::string path) : path_(std::move(path)) {}

  Result<Fleet> Parse(const toml::table& root);
  // Empty if there is no such entry.
  Result<std::string> Listen(const toml::table& root) const;

 private:
  Status Error(const toml::source_region& where, const std::string& message) const {
    return InvalidArgument(path_ + ":" + std::to_string(where.begin.line) + ": " + message);
  }
  Status CheckKeys(const toml::table& table, std::initializer_list<std::string_view> known) const;
  Result<std::string> Text(const toml::table& table, std::string_view key) const;
  // Of an entry that may be missing.
  Result<std::vector<std::string>> Tags(const toml::table& table) const;
  // listen: where boards that connect to this agent do so; empty: nowhere.
  Result<BoardAddress> ParseBoard(const toml::table& table, const std::string& listen) const;
  // The endpoint of a board, of which all else is known, and whether it connects.
  Status ParseWay(const toml::table& table, const std::string& listen, BoardAddress& board) const;
  // where: of `board`.
  Status CheckDiffer(const BoardAddress& earlier, const BoardAddress& board,
                     const toml::source_region& where) const;

  std::string path_;
};

Status FleetParser::CheckKeys(const toml::table& table,
                              std::initializer_list<std::string_view> known) const {
  for (const auto& [key, value] : table) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    return Error(key.source(),
                 "unknown key '" + std::string(key.str()) + "'; expected one of " + Joined(known) +
                     (key.str() == "keys" || key.str() == "listen"
                          ? ": '" + std::string(key.str()) + "' stands before the first [[board]]"
                          : ""));
  }
  return {};
}

Result<std::string> FleetParser::Text(const toml::table& table, std::string_view key) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) {
    const char* const what = key == "keys" ? ": the folder of `bitpilot fleet keygen`"
                             : key == "endpoint"
                                 ? ": where the board listens, tcp://HOST:7777; of one that "
                                   "connects to this agent write connects = true"
                             : key == "name" ? ": what --board calls it"
                                             : ": what `bitpilotd keygen` printed on the board";
    return Error(table.source(), "'" + std::string(key) + "' is missing" + what);
  }
  const toml::value<std::string>* text = node->as_string();
  if (text == nullptr || text->get().empty()) {
    return Error(node->source(), "'" + std::string(key) + "' must be a text that is not empty");
  }
  return text->get();
}

bool IsName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<std::vector<std::string>> FleetParser::Tags(const toml::table& table) const {
  std::vector<std::string> tags;
  const toml::node* node = table.get("tags");
  if (node == nullptr) return tags;
  const toml::array* list = node->as_array();
  const char* const expected = "'tags' is a list of names, like [\"pi5\", \"lab\"]";
  if (list == nullptr) return Error(node->source(), expected);
  for (const toml::node& one : *list) {
    const toml::value<std::string>* tag = one.as_string();
    if (tag == nullptr || tag->get().empty() || !IsName(tag->get())) {
      return Error(one.source(),
                   std::string(expected) + "; a name has letters, digits, '-', '_' and '.'");
    }
    if (std::find(tags.begin(), tags.end(), tag->get()) == tags.end()) tags.push_back(tag->get());
  }
  return tags;
}

Result<std::string> FleetParser::Listen(const toml::table& root) const {
  if (!root.contains("listen")) return std::string();
  Result<std::string> text = Text(root, "listen");
  if (!text.ok()) return text.status();
  const toml::source_region& where = root.get("listen")->source();
  const Result<Endpoint> endpoint = ParseEndpoint(*text, EndpointUse::kListen);
  if (!endpoint.ok()) return Error(where, "'listen': " + endpoint.status().message());
  if (endpoint->port == 0) {
    return Error(where, "'listen' needs a port above 0: boards connect to it");
  }
  return text;
}

Status FleetParser::ParseWay(const toml::table& table, const std::string& listen,
                             BoardAddress& board) const {
  const toml::node* connects = table.get("connects");
  if (connects != nullptr) {
    const toml::value<bool>* given = connects->as_boolean();
    if (given == nullptr) return Error(connects->source(), "'connects' is true or false");
    board.connects = given->get();
  }
  if (!board.connects) {
    Result<std::string> text = Text(table, "endpoint");
    if (!text.ok()) return text.status();
    board.endpoint = std::move(*text);
    const toml::source_region& where = table.get("endpoint")->source();
    board.listed_at = path_ + ":" + std::to_string(where.begin.line);
    const Result<Endpoint> endpoint = ParseEndpoint(board.endpoint, EndpointUse::kConnect);
    if (endpoint.ok()) return {};
    return Error(where, "'endpoint' of board '" + board.name + "': " + endpoint.status().message());
  }
  board.listed_at = path_ + ":" + std::to_string(connects->source().begin.line);
  if (table.contains("endpoint")) {
    return Error(table.get("endpoint")->source(),
                 "board '" + board.name + "' connects to this agent, so it has no 'endpoint'");
  }
  if (listen.empty()) {
    return Error(connects->source(), "board '" + board.name +
                                         "' connects to this agent: say where that listens, "
                                         "listen = \"tcp://0.0.0.0:7776\" before the first "
                                         "[[board]]");
  }
  board.endpoint = listen;
  return {};
}

Result<BoardAddress> FleetParser::ParseBoard(const toml::table& table,
                                             const std::string& listen) const {
  BITPILOT_RETURN_IF_ERROR(
      CheckKeys(table, {"name", "endpoint", "connects", "public_key", "tags", "power_cycle"}));
  BoardAddress board;
  Result<std::string> name = Text(table, "name");
  if (!name.ok()) return name.status();
  board.name = std::move(*name);
  if (!IsName(board.name)) {
    return Error(table.get("name")->source(),
                 "'name' has letters, digits, '-', '_' and '.', got '" + board.name + "'");
  }
  BITPILOT_RETURN_IF_ERROR(ParseWay(table, listen, board));
  Result<std::string> public_key = Text(table, "public_key");
  if (!public_key.ok()) return public_key.status();
  board.public_key = std::move(*public_key);
  Result<std::vector<std::string>> tags = Tags(table);
  if (!tags.ok()) return tags.status();
  board.tags = std::move(tags).value();
  if (table.contains("power_cycle")) {
    Result<std::string> command = Text(table, "power_cycle");
    if (!command.ok()) return command.status();
    board.power_cycle = std::move(command).value();
  }
  if (board.public_key.size() != kKeyLength) {
    return Error(table.get("public_key")->source(),
                 "'public_key' has 40 characters, as `bitpilotd keygen` printed it, got " +
                     std::to_string(board.public_key.size()));
  }
  return board;
}

Status FleetParser::CheckDiffer(const BoardAddress& earlier, const BoardAddress& board,
                                const toml::source_region& where) const {
  const std::string same_key = earlier.public_key == board.public_key
                                   ? "they have one public_key, so remove one of the two"
                                   : "if they are one board with new keys, remove the earlier one";
  if (earlier.connects && board.connects && earlier.public_key == board.public_key) {
    return Error(where, "board '" + board.name + "' has the public_key of '" + earlier.name +
                            "' (" + earlier.listed_at +
                            "): boards that connect are told apart by their keys");
  }
  if (earlier.endpoint == board.endpoint && !(earlier.connects && board.connects)) {
    return Error(where, "board '" + board.name + "' has the endpoint of '" + earlier.name + "', " +
                            board.endpoint + " (" + earlier.listed_at + "): " + same_key +
                            "; of two boards whose systems have one name, write the address at "
                            "which each is reached, like tcp://192.0.2.7:7777");
  }
  if (earlier.name == board.name) {
    return Error(where, "board '" + board.name + "' has the name of another (" + earlier.listed_at +
                            "): " + same_key +
                            "; of two boards write another 'name' for one, by which --board finds "
                            "it");
  }
  return {};
}

Result<Fleet> FleetParser::Parse(const toml::table& root) {
  BITPILOT_RETURN_IF_ERROR(CheckKeys(root, {"keys", "listen", "board"}));
  Fleet fleet;
  Result<std::string> listen = Listen(root);
  if (!listen.ok()) return listen.status();
  fleet.listen = std::move(*listen);
  const Result<std::string> keys = Text(root, "keys");
  const toml::node* boards = root.get("board");
  if (boards == nullptr) {
    if (!keys.ok()) return keys.status();
    return InvalidArgument(path_ + ": no [[board]]; list at least one");
  }
  const toml::array* list = boards->as_array();
  if (list == nullptr || list->empty() || !list->is_homogeneous(toml::node_type::table)) {
    return Error(boards->source(), "boards are written as [[board]] sections");
  }
  for (const toml::node& node : *list) {
    Result<BoardAddress> board = ParseBoard(*node.as_table(), fleet.listen);
    if (!board.ok()) return board.status();
    for (const BoardAddress& other : fleet.boards) {
      BITPILOT_RETURN_IF_ERROR(CheckDiffer(other, *board, node.source()));
    }
    fleet.boards.push_back(std::move(board).value());
  }
  // After the boards: a `keys` line below one of them is that board's, and said above.
  if (!keys.ok()) return keys.status();
  // An absolute `keys` replaces the file's folder.
  fleet.keys_directory = (std::filesystem::path(path_).parent_path() / ExpandHome(*keys)).string();
  return fleet;
}

Result<toml::table> ParseToml(std::string_view text, const std::string& path) {
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return InvalidArgument(path + ":" + std::to_string(error.source().begin.line) +
                           ": not valid TOML: " + std::string(error.description()) +
                           ". Texts stand in double quotes, one entry a line: keys = \"FOLDER\", "
                           "then for each board a line [[board]] and below it name, endpoint and "
                           "public_key; `bitpilotd keygen` prints a board's lines");
  }
}

}  // namespace

Result<Fleet> ParseFleetFile(std::string_view text, const std::string& path) {
  const Result<toml::table> root = ParseToml(text, path);
  if (!root.ok()) return root.status();
  return FleetParser(path).Parse(*root);
}

Result<std::string> ListenOf(std::string_view text, const std::string& path) {
  const Result<toml::table> root = ParseToml(text, path);
  if (!root.ok()) return root.status();
  return FleetParser(path).Listen(*root);
}

Status CheckHost(const BoardAddress& board) {
  if (board.connects) return {};
  const Result<Endpoint> endpoint = ParseEndpoint(board.endpoint, EndpointUse::kConnect);
  const Status status = endpoint.ok() ? ResolveEndpoint(*endpoint).status() : endpoint.status();
  return status.WithContext("board '" + board.name + "'").WithContext(board.listed_at);
}

Result<Fleet> ReadFleetFile(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path);
  if (text.status().code() == StatusCode::kNotFound) {
    return Status(StatusCode::kNotFound,
                  path +
                      ": no such file. A fleet file lists boards: `bitpilot fleet keygen`, then "
                      "`bitpilot fleet add NAME --endpoint tcp://HOST:7777` begins one here; "
                      "--fleet FILE names one elsewhere");
  }
  if (!text.ok()) return text.status();
  Result<Fleet> fleet = ParseFleetFile(*text, path);
  if (!fleet.ok()) return fleet.status().AsCorruptInput();
  return fleet;
}

}  // namespace bitpilot
