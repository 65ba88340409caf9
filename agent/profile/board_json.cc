#include "agent/profile/board_json.h"

#include <nlohmann/json.hpp>

namespace bitpilot {

nlohmann::json BoardToJson(const BoardInfo& board) {
  return {{"name", board.name},
          {"cpu_model", board.cpu_model},
          {"cpu_count", board.cpu_count},
          {"isa", board.isa},
          {"architecture", board.architecture},
          {"os", board.os},
          {"governor", board.governor},
          {"core", board.core},
          {"backend", board.backend},
          {"model_source", board.model_source},
          {"daemon_build", board.daemon_build},
          {"kernel_build", board.kernel_build},
          {"shares_agent_host", board.shares_agent_host}};
}

BoardInfo BoardFromJson(const nlohmann::json& json) {
  BoardInfo board;
  json.at("name").get_to(board.name);
  json.at("cpu_model").get_to(board.cpu_model);
  json.at("cpu_count").get_to(board.cpu_count);
  json.at("isa").get_to(board.isa);
  json.at("architecture").get_to(board.architecture);
  json.at("os").get_to(board.os);
  json.at("governor").get_to(board.governor);
  board.core = json.value("core", "");  // not in tables of an older bitpilot
  json.at("backend").get_to(board.backend);
  json.at("model_source").get_to(board.model_source);
  json.at("daemon_build").get_to(board.daemon_build);
  json.at("kernel_build").get_to(board.kernel_build);
  json.at("shares_agent_host").get_to(board.shares_agent_host);
  return board;
}

}  // namespace bitpilot
