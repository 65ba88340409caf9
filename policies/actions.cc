#include "policies/actions.h"

#include <type_traits>

namespace bitpilot {

TicketId IdOf(const Action& action) {
  return std::visit(
      [](const auto& any) -> TicketId {
        if constexpr (std::is_same_v<std::decay_t<decltype(any)>, Stop>) {
          return 0;
        } else {
          return any.id;
        }
      },
      action);
}

Place FromOf(const Action& action) {
  return std::visit(
      [](const auto& any) -> Place {
        if constexpr (std::is_same_v<std::decay_t<decltype(any)>, Stop>) {
          return any.at;
        } else {
          return any.from;
        }
      },
      action);
}

const Candidate& WhatOf(const Action& action) {
  if (const auto* trial = std::get_if<Trial>(&action)) return trial->what;
  return std::get<Advance>(action).what;
}

const Pace* PaceOf(const Action& action) {
  if (const auto* trial = std::get_if<Trial>(&action)) return &trial->train;
  if (const auto* advance = std::get_if<Advance>(&action)) return &advance->train;
  return nullptr;
}

bool Trains(const Action& action) {
  const Pace* pace = PaceOf(action);
  return pace != nullptr && pace->batches > 0;
}

bool AsksABoard(const Action& action) {
  const auto* trial = std::get_if<Trial>(&action);
  return trial != nullptr && !trial->classes.empty();
}

}  // namespace bitpilot
