#include "tests/faults/site.h"

#include <chrono>
#include <sstream>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

std::vector<std::string> Arguments(bool fast, const std::string& table) {
  std::vector<std::string> arguments{"--backend", "model:" BITPILOT_SOURCE_DIR "/" + table,
                                     "--log-format", "json"};
  if (fast) arguments.push_back("--fast");
  return arguments;
}

}  // namespace

Site::Site(bool fast, const std::string& table) : daemon(Arguments(fast, table)) {}

FleetBoard Site::AsBoard(const std::string& name) const {
  FleetBoard board;
  board.client.board_name = name;
  board.client.endpoint = proxy.endpoint();
  board.client.connect_timeout = board.client.reconnect_timeout = kForever;
  board.client.lease_wait = kForever;
  board.tags = {"model"};
  board.keys = agent_keys();
  board.address = BoardAddress{name, proxy.endpoint(), daemon.public_key(), ""};
  return board;
}

std::vector<std::string> Site::IdsOf(const std::string& event) const {
  std::vector<std::string> ids;
  std::istringstream log(daemon.Log());
  for (std::string text; std::getline(log, text);) {
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object() && line.value("event", "") == event) ids.push_back(line["measure_id"]);
  }
  return ids;
}

bool Site::WaitUntilExecuted(std::size_t count) const {
  for (int i = 0; i < 3'000; ++i) {
    if (Executed().size() >= count) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return false;
}

}  // namespace bitpilot
