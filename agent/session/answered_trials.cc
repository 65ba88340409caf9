#include "agent/session/answered_trials.h"

#include <algorithm>
#include <set>
#include <string>

namespace bitpilot {

AnsweredTrials::AnsweredTrials(const SearchProblem& problem, const std::vector<ClassId>& classes)
    : reportable_(problem) {
  if (classes.size() <= 1) return;
  for (const ClassId& on : classes) class_trials_.emplace_back(OnClass(problem, on));
}

void AnsweredTrials::Take(ProposalEvent proposal, TransitionEvent transition) {
  with_network_.push_back(static_cast<int>(transitions_.size()));
  proposals_.push_back(std::move(proposal));
  transitions_.push_back(std::move(transition));
  reportable_.Take(proposals_, transitions_);
  for (ClassTrials& each : class_trials_) {
    each.transitions.push_back(OnClass(each.problem, transitions_.back()));
    each.reportable.Take(proposals_, each.transitions);
  }
}

std::vector<int> AnsweredTrials::ReportablePositions() const {
  std::set<int> positions;
  const auto add = [&](const std::vector<int>& more) {
    positions.insert(more.begin(), more.end());
  };
  add(reportable_.positions());
  for (const ClassTrials& each : class_trials_) add(each.reportable.positions());
  return {positions.begin(), positions.end()};
}

StoredFile AnsweredTrials::NetworkOf(int position) const {
  return NetworkFile(transitions_[static_cast<std::size_t>(position)].network_sha256, {});
}

void AnsweredTrials::DropNetworks(const std::vector<StoredFile>& needed, const StudyFiles& files) {
  const std::vector<int> positions = ReportablePositions();
  std::set<std::string> kept;
  for (const int position : positions) kept.insert(NetworkOf(position).file);
  for (const StoredFile& other : needed) kept.insert(other.file);
  std::erase_if(with_network_, [&](int position) {
    if (std::binary_search(positions.begin(), positions.end(), position)) return false;
    const StoredFile file = NetworkOf(position);
    // Equal networks share one file.
    if (!file.sha256.empty() && !kept.contains(file.file)) files.Remove(file);
    return true;
  });
}

}  // namespace bitpilot
