// A study's episodes as `bitpilot replay` prints them: one line a decision.
//
// With --json one object a decision,
//
//   {"type":"decision","kind":"trial"|"advance"|"probe"|"stop","episode":N,"step":N|null,"ticket":N,
//    "from":N,"choice":[BITS...],"changes":[{"kind":"weights"|"activations","name":NAME,"from":BITS,
//    "to":BITS}...],"batches":N,"rate":[BEGIN,END],"board":[CLASS...],"origin":TEXT,"reason":TEXT,
//    "expected":EXPECTED|null,"outcome":OUTCOME|null,"place":BOOL}
//
//   EXPECTED  {"loss":N,"loss_error":N,"value":N,"value_of_staying":N,"value_of_stopping":N}: what a
//             policy that plans predicted; errors are standard deviations, values in its own unit
//   OUTCOME   {"status":TEXT,"diverged":BOOL,"depth":N|null,"spent":N|null,"train_loss":N|null,
//             "loss":N|null,"excess_loss":N|null,"excess_loss_error":N|null,"accuracy":N|null,
//             "latency_ratio":N|null,"latency_ratio_ci":[N,N]|null,"energy_ratio":N|null,
//             "classes":[{"on":CLASS,"status":TEXT,...}...],"reward":N|null,"front":BOOL,
//             "divergence":[N|null...]}
//   place     a later decision starts from it; front: nothing measured before dominated it
//
// and then {"type":"result","study":FILE,"decisions":N,"episodes":N}.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/study/episodes.h"

namespace bitpilot {

// One line for people, without its end.
std::string DescribeDecision(const Decision& decision);

nlohmann::json DecisionLine(const Decision& decision);

// All of them on standard output, by episode.
void PrintEpisodes(const std::string& study, const Episodes& episodes, bool json);

}  // namespace bitpilot
