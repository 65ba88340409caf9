// A study as a search writes it, with numbers of a plausible size from a fixed stream: for tests of
// whoever reads studies.
#pragma once

#include <string>

#include "agent/study/events.h"

namespace bitpilot {

struct SampleStudyOptions {
  std::string model = "resnet8";  // a standard network
  int steps = 24;
  bool finished = true;  // with the final comparison and an end; else as a killed search leaves it
  bool from_model = false;      // latencies say MODEL
  bool two_models = false;      // of which the other one gives the final comparison
  bool channel_groups = false;  // some layers have two widths
  bool energy = false;          // final candidates have energies: of a meter or, from a model, its
  bool older = false;           // of log version 2: no places, no anchor, rows not trained alike
  int log_version = kLogVersion;  // unless `older`
  std::string board_name = "bench-1";
  std::string max_latency = "0.75";  // the budget; "null": none was given
  int repeated = 0;  // so many of the first steps were measured again because they were NOISY
  int doubled_windows = 99;  // of these, so many in windows twice as long
  int powersave_from = -1;   // the step at which the board's governor changes; -1: it never does
};

// Writes the study to the new file `path`.
void WriteSampleStudy(const std::string& path, const SampleStudyOptions& options = {});

}  // namespace bitpilot
