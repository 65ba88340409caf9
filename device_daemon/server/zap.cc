#include "device_daemon/server/zap.h"

#include <cstddef>

namespace bitpilot {
namespace {

// Frames of a CURVE request.
enum Frame : std::size_t { kVersion, kRequestId, kDomain, kAddress, kIdentity, kMechanism, kKey };
constexpr std::size_t kCurveFrames = 7;
constexpr std::size_t kRawKeyBytes = 32;

std::string WhyRefused(const std::vector<std::string>& request, const AuthorizedAgents& agents,
                       std::optional<Day> today) {
  if (request.size() != kCurveFrames || request[kVersion] != "1.0") return "malformed request";
  if (request[kDomain] != "bitpilot") return "another domain";
  if (request[kMechanism] != "CURVE" || request[kKey].size() != kRawKeyBytes) return "no CURVE key";
  const auto agent = agents.find(EncodeZ85(request[kKey]));
  return agent == agents.end() ? "its key is not authorized" : WhyNotToday(agent->second, today);
}

}  // namespace

ZapDecision DecideZap(const std::vector<std::string>& request, const AuthorizedAgents& agents,
                      std::optional<Day> today) {
  ZapDecision decision;
  decision.reason = WhyRefused(request, agents, today);
  decision.accepted = decision.reason.empty();
  if (request.size() > kAddress) decision.peer_address = request[kAddress];
  if (request.size() == kCurveFrames && request[kKey].size() == kRawKeyBytes) {
    decision.public_key = EncodeZ85(request[kKey]);
  }
  const std::string request_id = request.size() > kRequestId ? request[kRequestId] : "";
  decision.reply = {"1.0",
                    request_id,
                    decision.accepted ? "200" : "400",
                    decision.accepted ? "OK" : decision.reason,
                    decision.accepted ? decision.public_key : "",
                    ""};
  return decision;
}

}  // namespace bitpilot
