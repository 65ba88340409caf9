#include "proto/zap.h"

#include <cstddef>

namespace bitpilot {
namespace {

// Frames of a CURVE request.
enum Frame : std::size_t { kVersion, kRequestId, kDomain, kAddress, kIdentity, kMechanism, kKey };
constexpr std::size_t kCurveFrames = 7;
constexpr std::size_t kRawKeyBytes = 32;

std::string Problem(const std::vector<std::string>& frames) {
  if (frames.size() != kCurveFrames || frames[kVersion] != "1.0") return "malformed request";
  if (frames[kDomain] != kZapDomain) return "another domain";
  if (frames[kMechanism] != "CURVE" || frames[kKey].size() != kRawKeyBytes) return "no CURVE key";
  return {};
}

}  // namespace

ZapRequest ReadZapRequest(const std::vector<std::string>& frames) {
  ZapRequest request;
  request.problem = Problem(frames);
  if (frames.size() > kRequestId) request.request_id = frames[kRequestId];
  if (frames.size() > kAddress) request.peer_address = frames[kAddress];
  if (frames.size() == kCurveFrames && frames[kKey].size() == kRawKeyBytes) {
    request.raw_key = frames[kKey];
  }
  return request;
}

std::vector<std::string> ZapReply(const ZapRequest& request, const std::string& refusal,
                                  const std::string& user_id) {
  const bool is_accepted = refusal.empty();
  return {"1.0",
          request.request_id,
          is_accepted ? "200" : "400",
          is_accepted ? "OK" : refusal,
          is_accepted ? user_id : "",
          ""};
}

}  // namespace bitpilot
