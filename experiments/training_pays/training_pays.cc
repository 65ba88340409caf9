// What four ways to spend the same measurements and mini-batches come to. See README.md beside this file.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/window_statistics.h"
#include "policies/pareto.h"

namespace bitpilot {
namespace {

// What one study came to.
struct Search {
  double hypervolume = 0.0;  // validation error after the final training, and latency
  int networks = 0;          // in the final table
  std::int64_t mini_batches = 0;
  std::vector<Choice> path;  // what was tried, in order
};

struct Arm {
  const char* name;
  const char* what;
};
constexpr Arm kArms[] = {{"amed", "plans with the state of the weights"},
                         {"amed-blind", "without state and lookahead"},
                         {"two-stage", "trains the finalists only"},
                         {"ladder", "the integer program's answers, trained at the end only"}};

template <typename T>
Result<T> Parse(const Event& event) {
  return ParseEvent<T>(event.payload);
}

Result<Search> ReadSearch(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  Search search;
  bool has_ended = false;
  for (const Event& event : *events) {
    if (event.kind == ProposalEvent::kKind) {
      const auto proposal = Parse<ProposalEvent>(event);
      if (!proposal.ok()) return proposal.status();
      search.path.push_back(proposal->choice);
      search.mini_batches += proposal->pace.batches;
    } else if (event.kind == AdvanceEvent::kKind) {
      const auto advance = Parse<AdvanceEvent>(event);
      if (!advance.ok()) return advance.status();
      search.mini_batches += advance->pace.batches;
    } else if (event.kind == FinalEvent::kKind) {
      const auto final = Parse<FinalEvent>(event);
      if (!final.ok()) return final.status();
      has_ended = true;
      std::vector<Objectives> points;
      for (const FinalRow& row : final->rows) {
        search.mini_batches += row.final_batches.value_or(0);
        if (row.ratio && row.validation_accuracy) {
          points.push_back({1.0 - *row.validation_accuracy, *row.ratio});
        }
      }
      search.networks = static_cast<int>(final->rows.size());
      search.hypervolume = Hypervolume(points);
    }
  }
  if (has_ended) return search;
  return Status(StatusCode::kNotFound, path + ": the search has not ended");
}

double Mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Half-width of the 95 % interval of the mean, by Student's t.
double HalfWidth(const std::vector<double>& values) {
  double squares = 0.0;
  for (const double value : values) squares += std::pow(value - Mean(values), 2);
  const auto count = static_cast<double>(values.size());
  return StudentT95(static_cast<int>(values.size()) - 1) *
         std::sqrt(squares / (count - 1.0) / count);
}

// By arm, in the order of the seeds.
using Searches = std::map<std::string, std::vector<Search>>;

void PrintArms(const Searches& searches) {
  std::printf(
      "| way | hypervolume, mean | least | most | mini-batches, mean | networks |\n"
      "|---|---|---|---|---|---|\n");
  for (const Arm& arm : kArms) {
    std::vector<double> volumes, batches, networks;
    for (const Search& search : searches.at(arm.name)) {
      volumes.push_back(search.hypervolume);
      batches.push_back(static_cast<double>(search.mini_batches));
      networks.push_back(search.networks);
    }
    std::printf("| %s: %s | %.4f | %.4f | %.4f | %.0f | %.1f |\n", arm.name, arm.what,
                Mean(volumes), *std::min_element(volumes.begin(), volumes.end()),
                *std::max_element(volumes.begin(), volumes.end()), Mean(batches), Mean(networks));
  }
}

void PrintDifferences(const Searches& searches) {
  const std::vector<Search>& first = searches.at(kArms[0].name);
  for (const Arm& arm : kArms) {
    if (arm.name == kArms[0].name) continue;
    const std::vector<Search>& other = searches.at(arm.name);
    std::vector<double> differences;
    int paths = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      differences.push_back(first[i].hypervolume - other[i].hypervolume);
      paths += first[i].path != other[i].path ? 1 : 0;
    }
    std::printf("%s less %s: %+.4f +- %.4f; %zu seeds, on %d of them other candidates\n",
                kArms[0].name, arm.name, Mean(differences), HalfWidth(differences),
                differences.size(), paths);
  }
}

// runs/training_pays/amed-blind-3.db: amed-blind.
std::string ArmOf(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.substr(0, name.rfind('-'));
}

Status Print(const std::vector<std::string>& paths) {
  Searches searches;
  for (const Arm& arm : kArms) searches[arm.name];
  for (const std::string& path : paths) {
    Result<Search> search = ReadSearch(path);
    if (!search.ok()) return search.status().WithContext(path);
    const auto arm = searches.find(ArmOf(path));
    if (arm == searches.end()) return InvalidArgument(path + ": no study of these arms");
    arm->second.push_back(std::move(*search));
  }
  for (const auto& [name, of_arm] : searches) {
    if (of_arm.size() < 2 || of_arm.size() != searches.begin()->second.size()) {
      return InvalidArgument("expected the same seeds, two or more, of every arm");
    }
  }
  PrintArms(searches);
  PrintDifferences(searches);
  return Status();
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: training_pays ARM-SEED.db...\n");
    return 2;
  }
  const bitpilot::Status status = bitpilot::Print({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "training_pays: %s\n", status.message().c_str());
  return 1;
}
