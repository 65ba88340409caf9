// A study that goes on elsewhere: other paths, another address of the board, the same search.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/study/search_config.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Where a resumed search finds what its study names, if not where that was; empty: there. As
// SearchConfig's members.
struct MovedParts {
  std::string weights;
  std::string data;
  std::string device;
  std::string fleet;
  std::string board;
  std::string cpu;
  std::string meter;
  std::string teacher;

  bool empty() const;
};

// `config` with what `moved` names. A fleet takes the place of a device, and the other way round;
// what is named anew comes without the CPU of the one before.
//
// Errors:
//   kVersionMismatch  that would be another search: only one on "local:ISA" ends with a comparison
//                     on the whole machine.
//   Also those of ValidateSearchConfig().
Result<SearchConfig> Move(SearchConfig config, const MovedParts& moved);

// The keys of ToJson(config) that a move may change: what a resume notes once everything fits.
nlohmann::json PlacesOf(const SearchConfig& config);

// The configuration of `study`, with the places that earlier resumes noted.
//
// Errors: kDataCorrupt, kInvalidArgument; names the study.
Result<SearchConfig> PlacedConfig(const Study& study);

}  // namespace bitpilot
