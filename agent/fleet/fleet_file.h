// The fleet file: the boards that an agent may use.
//
//   keys = "keys"                     # folder of the agent's own keys, relative to this file; or ~/keys
//   listen = "tcp://0.0.0.0:7776"     # only with boards that connect to this agent: where it listens for
//                                     # them, one bitpilot at a time
//
//   [[board]]
//   name = "rpi5-a"                   # letters, digits, '-', '_', '.'
//   endpoint = "tcp://192.0.2.7:7777" # or a name, or "tcp://[2001:db8::7]:7777"
//   public_key = "..."                # the daemon's, 40 characters: `bitpilotd keygen` prints it
//   tags = ["pi5"]                    # optional: the classes that it belongs to
//   connects = true                   # instead of an endpoint: the board cannot be reached, as behind a
//                                     # NAT, and connects to `listen` (`bitpilotd serve --connect`)
//   power_cycle = "usb-power pi5-a"   # optional: a shell command that switches it off and on when it
//                                     # stays away, unless it said that it is drained;
//                                     # BITPILOT_BOARD is its name
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct Fleet {
  std::string keys_directory;
  std::string listen;                // for boards that connect; empty: there are none
  std::vector<BoardAddress> boards;  // at least one, in the file's order
};

// path: names the file in messages and anchors a relative `keys`.
//
// Errors:
//   kInvalidArgument  not TOML, an unknown, missing or wrong entry, a name, endpoint or key twice, no
//                     boards; the message names file, line and key.
Result<Fleet> ParseFleetFile(std::string_view text, const std::string& path);

// The same of a file to which boards are to be added: there may be none yet.
Result<Fleet> ParseBegunFleetFile(std::string_view text, const std::string& path);

// Looks up the host of a board, so that a name that nobody knows is said before anything is done
// for that board; one that connects to this agent has none. Other boards of the file may be switched off, and their names unknown meanwhile.
//
// Errors: kNotFound, kUnavailable as ResolveEndpoint(); names file, line and board.
Status CheckHost(const BoardAddress& board);

// Errors: kDataCorrupt for what ParseFleetFile() refuses; kNotFound / kPermissionDenied if the file cannot be read.
Result<Fleet> ReadFleetFile(const std::string& path);

}  // namespace bitpilot
