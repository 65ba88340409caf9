#include "agent/session/fleet_classes.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/class_name.h"
#include "agent/fleet/fleet_file.h"
#include "agent/fleet/keys.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"
#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

Status CheckHasBoards(const Fleet& fleet, const std::string& path, const std::string& tag) {
  std::set<std::string> tags;
  for (const BoardAddress& board : fleet.boards) tags.insert(board.tags.begin(), board.tags.end());
  if (tags.contains(tag)) return Status();
  return InvalidArgument("--class " + Quoted(tag) + ": " + path + " lists no board with that tag" +
                         (tags.empty() ? "; give its boards some, like tags = [" + Quoted(tag) + "]"
                                       : ", only: " + Joined(tags)));
}

Status CheckFleetFlags(const SearchConfig& config) {
  if (config.fast) return InvalidArgument("--fast is for --device model:TABLE, not for --fleet");
  if (config.cpu.empty()) return Status();
  return InvalidArgument(
      "--cpu is for --device local; a board of a fleet has its own (bitpilotd serve --cpu)");
}

}  // namespace

std::string DescribeClass(const FleetClasses& fleet, const ClassId& on, const BoardInfo& like) {
  std::vector<std::string> names;
  for (const BoardAddress& board : fleet.boards) {
    if (std::find(board.tags.begin(), board.tags.end(), on) != board.tags.end()) {
      names.push_back(board.name);
    }
  }
  return ClassLabel(on) + ": " + Joined(names) + " (" +
         (like.is_model() ? "MODEL: the table " + like.backend + " answers, nothing is measured"
                          : like.cpu_model + ", " + like.isa) +
         ")";
}

Result<std::optional<FleetClasses>> FleetClassesOf(const SearchConfig& config) {
  const std::optional<FleetClasses> one_board;
  if (config.fleet.empty() || !config.board.empty()) return one_board;
  // Of a file that can be read only once, as a pipe, it is left to whoever connects.
  if (config.classes.empty() && IsReadOnce(config.fleet)) return one_board;
  BITPILOT_RETURN_IF_ERROR(CheckFleetFlags(config));
  Result<Fleet> fleet = ReadFleetFile(config.fleet);
  if (!fleet.ok()) return fleet.status();
  if (config.classes.empty() && fleet->boards.size() == 1) return one_board;
  for (const std::string& tag : config.classes) {
    BITPILOT_RETURN_IF_ERROR(CheckHasBoards(*fleet, config.fleet, tag));
  }
  FleetClasses classes;
  for (BoardAddress& board : fleet->boards) {
    if (config.classes.empty()) {
      board.tags = ClassesOf(config);
    } else {
      std::erase_if(board.tags, [&](const std::string& tag) {
        return std::find(config.classes.begin(), config.classes.end(), tag) == config.classes.end();
      });
    }
    if (!board.tags.empty()) classes.boards.push_back(std::move(board));
  }
  Result<AgentKeys> keys = ReadAgentKeys(fleet->keys_directory);
  if (!keys.ok()) return keys.status().AsCorruptInput();
  classes.keys = std::move(*keys);
  return std::optional(std::move(classes));
}

}  // namespace bitpilot
