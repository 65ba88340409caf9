// What actions have in common.
#pragma once

#include <variant>

#include "policies/environment.h"

namespace bitpilot {

// 0 of a Stop.
TicketId IdOf(const Action& action);

// Where it begins; of a Stop the place that it names.
Place FromOf(const Action& action);

// At which widths. REQUIRES: a Trial or an Advance.
const Candidate& WhatOf(const Action& action);

// How it trains; null of a Probe and a Stop.
const Pace* PaceOf(const Action& action);

// True if it trains at least one mini-batch.
bool Trains(const Action& action);

// True of a trial that asks a class of boards.
bool AsksABoard(const Action& action);

}  // namespace bitpilot
