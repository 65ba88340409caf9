// What four ways to spend the same measurements and mini-batches come to. See README.md beside this file.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/final_event.h"
#include "agent/study/search_config.h"
#include "agent/study/study.h"
#include "experiments/mean_interval.h"
#include "policies/pareto.h"

namespace bitpilot {
namespace {

// What one study came to.
struct Search {
  double hypervolume = 0.0;  // validation error after the final training, and latency
  int networks = 0;          // of the final table: equal widths once
  std::int64_t search_batches = 0;
  std::int64_t final_batches = 0;  // also those of a training that diverged and was undone
  std::set<Choice> tried;          // widths that it asked the board about

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
  const Result<SearchConfig> config =
      SearchConfigFromJson(nlohmann::json::parse((*study)->config_json()));
  if (!config.ok()) return config.status();
  Search search;
  bool has_ended = false;
  for (const Event& event : *events) {
    if (event.kind == ProposalEvent::kKind) {
      const auto proposal = Parse<ProposalEvent>(event);
      if (!proposal.ok()) return proposal.status();
      search.tried.insert(proposal->choice);
      search.search_batches += proposal->pace.batches;
    } else if (event.kind == AdvanceEvent::kKind) {
      const auto advance = Parse<AdvanceEvent>(event);
      if (!advance.ok()) return advance.status();
      search.search_batches += advance->pace.batches;
    } else if (event.kind == TrainedEvent::kKind) {
      const auto trained = Parse<TrainedEvent>(event);
      if (!trained.ok()) return trained.status();
      search.final_batches +=
          trained->diverged ? config->final_batches.value_or(0) : trained->batches;
    } else if (event.kind == FinalEvent::kKind) {
      const auto final = Parse<FinalEvent>(event);
      if (!final.ok()) return final.status();
      has_ended = true;
      std::vector<Objectives> points;
      std::set<std::string> networks;
      for (const FinalRow& row : final->rows) {
        networks.insert(row.assignment_id);
        if (row.ratio && row.validation_accuracy) {
          points.push_back({1.0 - *row.validation_accuracy, *row.ratio});
        }
      }
      search.networks = static_cast<int>(networks.size());
      search.hypervolume = Hypervolume(points);
    }
  }
  if (has_ended) return search;
  return Status(StatusCode::kNotFound, path + ": the search has not ended");
}

// By arm, then by seed.
using Searches = std::map<std::string, std::map<int, Search>>;

void PrintArms(const Searches& searches) {
  std::printf(
      "| way | hypervolume, mean | least | most | mini-batches, mean | of them searching | "
      "networks "
      "of the table |\n|---|---|---|---|---|---|---|\n");
  for (const Arm& arm : kArms) {
    std::vector<double> volumes, batches, searching, networks;
    for (const auto& [seed, search] : searches.at(arm.name)) {
      volumes.push_back(search.hypervolume);
      batches.push_back(static_cast<double>(search.mini_batches()));
      searching.push_back(static_cast<double>(search.search_batches));
      networks.push_back(search.networks);
    }
    std::printf("| %s: %s | %.4f | %.4f | %.4f | %.0f | %.0f | %.1f |\n", arm.name, arm.what,
                MeanOf(volumes), *std::min_element(volumes.begin(), volumes.end()),
                *std::max_element(volumes.begin(), volumes.end()), MeanOf(batches),
                MeanOf(searching), MeanOf(networks));
  }
}

void PrintDifferences(const Searches& searches) {
  const std::map<int, Search>& first = searches.at(kArms[0].name);
  const auto trained = std::count_if(
      first.begin(), first.end(), [](const auto& seed) { return seed.second.search_batches > 0; });
  std::printf("%s trained while it searched on %td of %zu seeds\n", kArms[0].name, trained,
              first.size());
  for (const Arm& arm : kArms) {
    if (&arm == &kArms[0]) continue;
    const std::map<int, Search>& other = searches.at(arm.name);
    std::vector<double> differences, only_first;
    int seeds_that_differ = 0;
    for (const auto& [seed, search] : first) {
      const std::set<Choice>& others = other.at(seed).tried;
      differences.push_back(search.hypervolume - other.at(seed).hypervolume);
      seeds_that_differ += search.tried != others ? 1 : 0;
      only_first.push_back(static_cast<double>(
          std::count_if(search.tried.begin(), search.tried.end(),
                        [&](const Choice& choice) { return !others.contains(choice); })));
    }
    const double mean = MeanOf(differences);
    const double half = HalfWidth95(differences);
    std::printf(
        "%s less %s: %+.4f +- %.4f, the interval's lower end is %s 0; %zu seeds, on %d of them "
        "other "
        "widths were tried (of %s's in the mean %.1f)\n",
        kArms[0].name, arm.name, mean, half, mean - half > 0.0 ? "above" : "not above",
        differences.size(), seeds_that_differ, kArms[0].name, MeanOf(only_first));
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

// What each network of the second study's table gets of all mini-batches of the first, search and final
// training; without a second study, of as many networks as a table has at most.
Status PrintShare(const std::vector<std::string>& paths) {
  const Result<Search> spent = ReadSearch(paths[0]);
  if (!spent.ok()) return spent.status();
  int networks = MaxFinalNetworks(SearchConfig());
  if (paths.size() > 1) {
    const Result<Search> search = ReadSearch(paths[1]);
    if (!search.ok()) return search.status();
    networks = search->networks;
  }
  const double share = static_cast<double>(spent->mini_batches()) / networks;
  std::printf("%lld\n", std::llround(share));
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
                 "usage: training_pays ARM-SEED.db...\n"
                 "       training_pays share STUDY_THAT_SPENT [STUDY_WITH_TABLE]\n");
    return 2;
  }
  const bool prints_share = (argc == 3 || argc == 4) && std::string_view(argv[1]) == "share";
  const bitpilot::Status status = prints_share ? bitpilot::PrintShare({argv + 2, argv + argc})
                                               : bitpilot::Print({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "training_pays: %s\n", status.message().c_str());
  return 1;
}
