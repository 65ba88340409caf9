#include "device_daemon/server/zap.h"

#include "proto/zap.h"

namespace bitpilot {
namespace {

std::string WhyRefused(const ZapRequest& request, const std::string& public_key,
                       const AuthorizedAgents& agents, std::optional<Day> today) {
  if (!request.problem.empty()) return request.problem;
  const auto agent = agents.find(public_key);
  return agent == agents.end() ? "its key is not authorized" : WhyNotToday(agent->second, today);
}

}  // namespace

ZapDecision DecideZap(const std::vector<std::string>& frames, const AuthorizedAgents& agents,
                      std::optional<Day> today) {
  const ZapRequest request = ReadZapRequest(frames);
  ZapDecision decision;
  if (!request.raw_key.empty()) decision.public_key = EncodeZ85(request.raw_key);
  decision.reason = WhyRefused(request, decision.public_key, agents, today);
  decision.accepted = decision.reason.empty();
  decision.peer_address = request.peer_address;
  decision.reply = ZapReply(request, decision.reason, decision.public_key);
  return decision;
}

}  // namespace bitpilot
