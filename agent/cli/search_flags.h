// The flags that define a search, from the list of its configuration's fields
// (agent/study/config_fields.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/cli/command.h"
#include "agent/session/moved_parts.h"
#include "agent/study/search_config.h"

namespace bitpilot {

// Where the flags write to. The object must outlive the command.
struct SearchFlagValues {
  SearchConfig config;
  std::vector<int> widths;  // of --widths: for weights and activations
};

// All flags of `bitpilot search`.
struct SearchFlags {
  SearchFlagValues values;
  std::string study;
  bool resume = false;
  bool allow_class_change = false;
  bool audit = false;
  std::string metrics;               // a file, or empty
  std::optional<double> max_wait_s;  // SearchOptions::max_wait
  std::optional<LeaseTerms> lease;   // SearchOptions'
  std::string on_missing = "wait";   // or "surrogate": SearchOptions::predicts_missing
  bool json = false;
};

// Registers the command with its flags, which `flags` takes and must outlive. It has no callback.
CLI::App* AddSearchCommandFlags(CLI::App& app, SearchFlags& flags);

// Whether the study is as the flags want it. `command` has the flags that were given.
//
// Errors: CheckResumeFlags()'s; kInvalidArgument if a new search's study exists; kNotFound if a
// resumed one's does not; ReadFleetFile()'s.
Status CheckSearchStudy(const CLI::App& command, const SearchFlags& flags);

// All that can be known of the flags, the small files that they name and the places of large ones,
// before LibTorch or images load.
//
// Errors: CheckSearchStudy()'s, and of a new search CheckNewSearch()'s
// (agent/session/check_before_search.h), which StartSearch() calls, too.
Status CheckSearch(const CLI::App& command, const SearchFlags& flags);

// Registers every field that has a flag, and --widths.
void AddSearchFlags(CLI::App& command, SearchFlagValues& values);

// The configuration of a new search.
SearchConfig ConfigOf(const SearchFlagValues& values);

// Of a resume, which goes on with what the study says: refuses flags that define a search, but for
// those that name where something is now, and --measurements, which extends it.
//
// Errors: kInvalidArgument names the flag.
Status CheckResumeFlags(const CLI::App& command);

// What a resume was told to find elsewhere.
MovedParts MovedPartsOf(const CLI::App& command, const SearchFlagValues& values);

}  // namespace bitpilot
