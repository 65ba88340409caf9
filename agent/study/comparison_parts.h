// What a final comparison that the board took in several parts cannot tell.
#pragma once

#include <string>

#include "agent/study/final_event.h"

namespace bitpilot {

// One sentence for people, without a full stop, that names the members of each part; empty if there
// was one part.
std::string DescribeParts(const FinalEvent& final);

}  // namespace bitpilot
