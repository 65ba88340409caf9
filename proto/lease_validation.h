// What leases and the state of a board must satisfy: a part of validation.h, which is what others
// include.
#pragma once

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

Status ValidateLeaseRequest(const v1::LeaseRequest& lease);
Status ValidateLeaseGrant(const v1::LeaseGrant& grant);
Status ValidateBoardStatus(const v1::BoardStatus& board);

}  // namespace bitpilot
