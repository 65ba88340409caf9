// Quarantine as an operator orders it (`bitpilot fleet quarantine`): a state of the board, for every
// agent, which outlives restarts of its daemon. On the wire it is a drain whose reason begins with
// kQuarantinePrefix, so agents and daemons that know drains alone respect it, too: the board finishes
// what it accepted, and takes no new lease and no new job until it is released.
//
// A search quarantines a board for itself alone (agent/fleet/fleet_core.h, Quarantine), from what its
// own jobs saw there; that ends with a passed health check or the search, and is not told to others.
#pragma once

#include <string>
#include <string_view>

#include "proto/bitpilot.pb.h"

namespace bitpilot {

inline constexpr std::string_view kQuarantinePrefix = "quarantined: ";

// The reason of the drain that quarantines a board.
std::string QuarantineReason(const std::string& why);

// The same of a board that is as `board` says. Releasing it gives it work again, so whoever does that must
// read why it was drained before, also of one that is quarantined for one reason after another. Cut, with
// "..." at its end, where both are longer than a board takes.
//
// REQUIRES: QuarantineReason(why) is not.
std::string QuarantineReason(const std::string& why, const v1::BoardStatus& board);

bool IsQuarantineReason(std::string_view reason);
bool IsQuarantined(const v1::BoardStatus& board);

// What a drain for this reason is, for people: "drained: new fan", "quarantined: slow".
std::string DescribeDrain(const std::string& reason);

}  // namespace bitpilot
