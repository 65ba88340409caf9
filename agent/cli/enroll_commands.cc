#include "agent/cli/enroll_commands.h"

#include "agent/cli/fleet_lines.h"
#include "kernels/base/host_name.h"
#include "kernels/base/shell_word.h"
#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {
namespace {

// How the board serves: where agents reach it, or where it reaches this one.
std::string ServeCommand(const EnrollBoard& board) {
  const Result<Endpoint> endpoint = board.connects
                                        ? ParseEndpoint(board.listen, EndpointUse::kListen)
                                        : ParseEndpoint(board.endpoint, EndpointUse::kConnect);
  const std::string port = std::to_string(endpoint.ok() ? endpoint->port : 7777);
  if (board.connects) {
    return "bitpilotd serve --connect " + ShellWord(HostName() + ":" + port) + " --keys board-keys";
  }
  return "bitpilotd serve --listen 'tcp://0.0.0.0:" + port + "' --keys board-keys";
}

std::string Step(const std::string& what, const std::string& command) {
  return what + ":\n\n     " + command + "\n";
}

}  // namespace

EnrollCommands EnrollCommandsOf(const EnrollBoard& board, const AgentKeys& keys,
                                const std::string& flags_here) {
  std::string here = "bitpilot fleet add " + ShellWord(board.name);
  here += board.connects ? " --connects" : " --endpoint " + ShellWord(board.endpoint);
  for (const std::string& tag : board.tags) here += " --tag " + ShellWord(tag);
  return {"bitpilotd keygen --keys board-keys && " + AuthorizeCommand(keys), ServeCommand(board),
          here + flags_here + " --public-key='BOARD_PUBLIC_KEY'"};
}

std::string DescribeEnroll(const EnrollCommands& commands) {
  return Step(
             "1. On the board, make its keys and let this agent in. It prints the board's public "
             "key.\n   (A board that has keys: only what stands behind &&)",
             commands.on_board_keys) +
         "\n" + Step("2. On the board, serve", commands.on_board_serve) + "\n" +
         Step("3. Here, list the board in the fleet file, with that key for BOARD_PUBLIC_KEY",
              commands.here);
}

}  // namespace bitpilot
