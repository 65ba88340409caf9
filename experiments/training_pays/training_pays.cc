// What four ways to spend the same measurements and mini-batches come to. See README.md beside this file.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/window_statistics.h"
#include "policies/pareto.h"

namespace bitpilot {
namespace {

// A decision: from where, at which widths, how many mini-batches.
struct Step {
  TicketId from = 0;
  Choice choice;
  int batches = 0;
  friend bool operator==(const Step&, const Step&) = default;
};

// What one study came to.
struct Search {
  double hypervolume = 0.0;  // validation error after the final training, and latency
  int networks = 0;          // that trained at the end: equal widths once
  std::int64_t search_batches = 0;
  std::int64_t final_batches = 0;
  std::vector<Step> path;  // in order

  std::int64_t mini_batches() const { return search_batches + final_batches; }
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
      search.path.push_back({proposal->from, proposal->choice, proposal->pace.batches});
      search.search_batches += proposal->pace.batches;
    } else if (event.kind == AdvanceEvent::kKind) {
      const auto advance = Parse<AdvanceEvent>(event);
      if (!advance.ok()) return advance.status();
      search.path.push_back({advance->from, advance->choice, advance->pace.batches});
      search.search_batches += advance->pace.batches;
    } else if (event.kind == TrainedEvent::kKind) {
      const auto trained = Parse<TrainedEvent>(event);
      if (!trained.ok()) return trained.status();
      search.networks += trained->batches > 0 ? 1 : 0;
      search.final_batches += trained->batches;
    } else if (event.kind == FinalEvent::kKind) {
      const auto final = Parse<FinalEvent>(event);
      if (!final.ok()) return final.status();
      has_ended = true;
      std::vector<Objectives> points;
      for (const FinalRow& row : final->rows) {
        if (row.ratio && row.validation_accuracy) {
          points.push_back({1.0 - *row.validation_accuracy, *row.ratio});
        }
      }
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

// By arm, then by seed.
using Searches = std::map<std::string, std::map<int, Search>>;

void PrintArms(const Searches& searches) {
  std::printf(
      "| way | hypervolume, mean | least | most | mini-batches, mean | of them searching | "
      "networks "
      "trained at the end |\n|---|---|---|---|---|---|---|\n");
  for (const Arm& arm : kArms) {
    std::vector<double> volumes, batches, searching, networks;
    for (const auto& [seed, search] : searches.at(arm.name)) {
      volumes.push_back(search.hypervolume);
      batches.push_back(static_cast<double>(search.mini_batches()));
      searching.push_back(static_cast<double>(search.search_batches));
      networks.push_back(search.networks);
    }
    std::printf("| %s: %s | %.4f | %.4f | %.4f | %.0f | %.0f | %.1f |\n", arm.name, arm.what,
                Mean(volumes), *std::min_element(volumes.begin(), volumes.end()),
                *std::max_element(volumes.begin(), volumes.end()), Mean(batches), Mean(searching),
                Mean(networks));
  }
}

void PrintDifferences(const Searches& searches) {
  const std::map<int, Search>& first = searches.at(kArms[0].name);
  for (const Arm& arm : kArms) {
    if (&arm == &kArms[0]) continue;
    const std::map<int, Search>& other = searches.at(arm.name);
    std::vector<double> differences;
    int paths = 0;
    for (const auto& [seed, search] : first) {
      differences.push_back(search.hypervolume - other.at(seed).hypervolume);
      paths += search.path != other.at(seed).path ? 1 : 0;
    }
    std::printf("%s less %s: %+.4f +- %.4f; %zu seeds, on %d of them other decisions\n",
                kArms[0].name, arm.name, Mean(differences), HalfWidth(differences),
                differences.size(), paths);
  }
}

// runs/training_pays/amed-blind-3.db: amed-blind, 3.
struct Name {
  std::string arm;
  int seed = 0;
};
Result<Name> NameOf(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::size_t dash = name.rfind('-');
  Name result;
  if (dash != std::string::npos) {
    result.arm = name.substr(0, dash);
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + dash + 1, end, result.seed);
    if (error == std::errc() && std::string_view(rest, end) == ".db") return result;
  }
  return InvalidArgument(path + ": expected a file named ARM-SEED.db");
}

bool HaveSameSeeds(const std::map<int, Search>& a, const std::map<int, Search>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& one, const auto& other) { return one.first == other.first; });
}

// All mini-batches of one study, of search and final training.
Status PrintTotal(const std::string& path) {
  const Result<Search> search = ReadSearch(path);
  if (!search.ok()) return search.status().WithContext(path);
  std::printf("%lld\n", static_cast<long long>(search->mini_batches()));
  return Status();
}

Status Print(const std::vector<std::string>& paths) {
  Searches searches;
  for (const Arm& arm : kArms) searches[arm.name];
  for (const std::string& path : paths) {
    Result<Search> search = ReadSearch(path);
    if (!search.ok()) return search.status().WithContext(path);
    const Result<Name> name = NameOf(path);
    if (!name.ok()) return name.status();
    const auto arm = searches.find(name->arm);
    if (arm == searches.end()) return InvalidArgument(path + ": no study of these arms");
    if (!arm->second.emplace(name->seed, std::move(*search)).second) {
      return InvalidArgument(path + ": a second study of this arm and seed");
    }
  }
  for (const auto& [name, of_arm] : searches) {
    if (of_arm.size() < 2 || !HaveSameSeeds(of_arm, searches.begin()->second)) {
      return InvalidArgument("expected the same seeds, two or more, of every arm; " + name +
                             " differs");
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
    std::fprintf(stderr,
                 "usage: training_pays ARM-SEED.db...\n       training_pays totals STUDY\n");
    return 2;
  }
  const bool prints_total = argc == 3 && std::string_view(argv[1]) == "totals";
  const bitpilot::Status status =
      prints_total ? bitpilot::PrintTotal(argv[2]) : bitpilot::Print({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "training_pays: %s\n", status.message().c_str());
  return 1;
}
