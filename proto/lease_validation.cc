#include "proto/lease_validation.h"

#include <string>

#include "proto/field_checks.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

Status CheckKind(v1::LeaseRequest::Kind kind) {
  if (v1::LeaseRequest::Kind_IsValid(kind)) return {};
  return InvalidArgument("a lease is of kind RESERVATION or PER_JOB, got " +
                         std::to_string(static_cast<int>(kind)));
}

}  // namespace

Status ValidateLeaseRequest(const v1::LeaseRequest& lease) {
  if (lease.ttl_ms() < kMinLeaseTtlMs || lease.ttl_ms() > kMaxLeaseTtlMs) {
    return InvalidArgument("ttl_ms must be in [" + std::to_string(kMinLeaseTtlMs) + ", " +
                           std::to_string(kMaxLeaseTtlMs) + "], got " +
                           std::to_string(lease.ttl_ms()));
  }
  BITPILOT_RETURN_IF_ERROR(CheckKind(lease.kind()));
  if (lease.priority() < -kMaxPriority || lease.priority() > kMaxPriority) {
    return InvalidArgument("priority must be in [" + std::to_string(-kMaxPriority) + ", " +
                           std::to_string(kMaxPriority) + "], got " +
                           std::to_string(lease.priority()));
  }
  if (lease.wait() && lease.kind() == v1::LeaseRequest::PER_JOB) {
    return InvalidArgument("wait belongs to a RESERVATION: a lease PER_JOB is granted at once");
  }
  return CheckName("holder", lease.holder());
}

Status ValidateLeaseGrant(const v1::LeaseGrant& grant) {
  if (grant.epoch() == 0) return InvalidArgument("lease epoch 0 was granted");
  for (const std::string& id : grant.known_measure_ids()) {
    if (id.size() != kMeasureIdBytes) {
      return InvalidArgument("known_measure_ids have " + std::to_string(kMeasureIdBytes) +
                             " bytes, got " + std::to_string(id.size()));
    }
  }
  return CheckKind(grant.kind());
}

Status ValidateBoardStatus(const v1::BoardStatus& board) {
  if (board.queue_size() > kMaxQueueEntries) {
    return InvalidArgument("queue has at most " + std::to_string(kMaxQueueEntries) +
                           " entries, got " + std::to_string(board.queue_size()));
  }
  for (const v1::StatusCount& one : board.finished()) {
    if (one.status() == v1::MEASURE_STATUS_UNSPECIFIED ||
        !v1::MeasureStatus_IsValid(one.status())) {
      return InvalidArgument("unknown measure status " +
                             std::to_string(static_cast<int>(one.status())));
    }
  }
  const struct {
    const char* name;
    double value;
  } numbers[] = {{"temperature_celsius", board.temperature_celsius()},
                 {"clock_mhz", board.clock_mhz()},
                 {"claimed_clock_mhz", board.claimed_clock_mhz()},
                 {"canary_ns", board.canary_ns()},
                 {"canary_lease_ns", board.canary_lease_ns()}};
  for (const auto& [name, value] : numbers) {
    BITPILOT_RETURN_IF_ERROR(CheckFinite(name, value));
  }
  return {};
}

}  // namespace bitpilot
