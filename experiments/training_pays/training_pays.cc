// What four ways to spend the same measurements and mini-batches come to. See README.md beside this file.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
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

// What one study came to: a line of JSON with these names.
struct Search {
  std::string arm;
  int seed = 0;
  std::string build;              // of the agent
  std::string cpu;                // its class: differences are within one seed, so on one CPU
  double hypervolume = 0.0;       // validation error after the final training, and latency
  double test_hypervolume = 0.0;  // the same rows, error on the test images
  int networks = 0;               // of the final table: equal widths once
  std::int64_t search_batches = 0;
  // Of these, what had been trained when it last read, and last measured, a network that it had not
  // before. What trains later is no training while searching.
  std::int64_t batches_before_reading = 0;
  std::int64_t batches_before_measuring = 0;
  std::int64_t final_batches = 0;  // also those of a training that diverged and was undone
  std::set<Choice> tried;          // widths that it asked the board to measure

  std::int64_t mini_batches() const { return search_batches + final_batches; }
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Search, arm, seed, build, cpu, hypervolume, test_hypervolume,
                                   networks, search_batches, batches_before_reading,
                                   batches_before_measuring, final_batches, tried)

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
  std::set<Choice> read;
  bool has_ended = false;
  for (const Event& event : *events) {
    if (event.kind == AgentEvent::kKind) {
      const auto agent = Parse<AgentEvent>(event);
      if (!agent.ok()) return agent.status();
      search.build = agent->build;
    } else if (event.kind == BoardEvent::kKind) {
      const auto board = Parse<BoardEvent>(event);
      if (!board.ok()) return board.status();
      search.cpu = board->cpu_class;
    } else if (event.kind == ProposalEvent::kKind) {
      const auto proposal = Parse<ProposalEvent>(event);
      if (!proposal.ok()) return proposal.status();
      search.search_batches += proposal->pace.batches;
      if (read.insert(proposal->choice).second) {
        search.batches_before_reading = search.search_batches;
      }
      if (!proposal->classes.empty() && search.tried.insert(proposal->choice).second) {
        search.batches_before_measuring = search.search_batches;
      }
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
      std::vector<Objectives> points, test_points;
      std::set<std::string> networks;
      for (const FinalRow& row : final->rows) {
        networks.insert(row.assignment_id);
        if (row.ratio && row.validation_accuracy) {
          points.push_back({1.0 - *row.validation_accuracy, *row.ratio});
          test_points.push_back({1.0 - row.test_accuracy, *row.ratio});
        }
      }
      search.networks = static_cast<int>(networks.size());
      search.hypervolume = Hypervolume(points);
      search.test_hypervolume = Hypervolume(test_points);
    }
  }
  if (has_ended) return search;
  return Status(StatusCode::kNotFound, path + ": the search has not ended");
}

// By arm, then by seed.
using Searches = std::map<std::string, std::map<int, Search>>;

void PrintArms(const Searches& searches) {
  std::printf(
      "| way | hypervolume, mean | least | most | on test images | mini-batches, mean | of them "
      "searching | before the last new network was read | measured | networks of the table |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Arm& arm : kArms) {
    std::vector<double> volumes, tests, batches, searching, reading, measuring, networks;
    for (const auto& [seed, search] : searches.at(arm.name)) {
      volumes.push_back(search.hypervolume);
      tests.push_back(search.test_hypervolume);
      reading.push_back(static_cast<double>(search.batches_before_reading));
      measuring.push_back(static_cast<double>(search.batches_before_measuring));
      batches.push_back(static_cast<double>(search.mini_batches()));
      searching.push_back(static_cast<double>(search.search_batches));
      networks.push_back(search.networks);
    }
    std::printf("| %s: %s | %.4f | %.4f | %.4f | %.4f | %.0f | %.0f | %.0f | %.0f | %.1f |\n",
                arm.name, arm.what, MeanOf(volumes),
                *std::min_element(volumes.begin(), volumes.end()),
                *std::max_element(volumes.begin(), volumes.end()), MeanOf(tests), MeanOf(batches),
                MeanOf(searching), MeanOf(reading), MeanOf(measuring), MeanOf(networks));
  }
}

void PrintDifferences(const Searches& searches) {
  const std::map<int, Search>& first = searches.at(kArms[0].name);
  const auto seeds_where = [&](auto holds) {
    return std::count_if(first.begin(), first.end(),
                         [&](const auto& seed) { return holds(seed.second); });
  };
  std::printf(
      "%s trained on %td of %zu seeds, before the last network that it read for the first time on "
      "%td, that it measured on %td\n",
      kArms[0].name, seeds_where([](const Search& each) { return each.search_batches > 0; }),
      first.size(), seeds_where([](const Search& each) { return each.batches_before_reading > 0; }),
      seeds_where([](const Search& each) { return each.batches_before_measuring > 0; }));
  for (const Arm& arm : kArms) {
    if (&arm == &kArms[0]) continue;
    const std::map<int, Search>& other = searches.at(arm.name);
    std::vector<double> differences, on_test, only_first;
    int seeds_that_differ = 0;
    for (const auto& [seed, search] : first) {
      const std::set<Choice>& others = other.at(seed).tried;
      differences.push_back(search.hypervolume - other.at(seed).hypervolume);
      on_test.push_back(search.test_hypervolume - other.at(seed).test_hypervolume);
      seeds_that_differ += search.tried != others ? 1 : 0;
      only_first.push_back(static_cast<double>(
          std::count_if(search.tried.begin(), search.tried.end(),
                        [&](const Choice& choice) { return !others.contains(choice); })));
    }
    const double mean = MeanOf(differences);
    const double half = HalfWidth95(differences);
    std::printf(
        "%s less %s: %+.4f +- %.4f, the interval's lower end is %s 0 (on test images %+.4f +- "
        "%.4f); %zu seeds, on %d of them other widths were measured (of %s's in the mean %.1f)\n",
        kArms[0].name, arm.name, mean, half, mean - half > 0.0 ? "above" : "not above",
        MeanOf(on_test), HalfWidth95(on_test), differences.size(), seeds_that_differ, kArms[0].name,
        MeanOf(only_first));
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

// The study with the arm and the seed of its name.
Result<Search> ReadNamed(const std::string& path) {
  Result<Search> search = ReadSearch(path);
  if (!search.ok()) return search.status().WithContext(path);
  const Result<Name> name = NameOf(path);
  if (!name.ok()) return name.status();
  search->arm = name->arm;
  search->seed = name->seed;
  return search;
}

Result<std::vector<Search>> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Status(StatusCode::kNotFound, path + ": cannot be opened");
  std::vector<Search> searches;
  for (std::string line; std::getline(file, line);) {
    const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    try {
      searches.push_back(object.get<Search>());
    } catch (const nlohmann::json::exception& error) {
      return DataCorrupt(path + ", line " + std::to_string(searches.size() + 1) + ": " +
                         error.what());
    }
  }
  return searches;
}

// Of studies and of files of their lines.
Result<std::vector<Search>> ReadAll(const std::vector<std::string>& paths) {
  std::vector<Search> searches;
  for (const std::string& path : paths) {
    if (path.ends_with(".jsonl")) {
      Result<std::vector<Search>> lines = ReadLines(path);
      if (!lines.ok()) return lines.status();
      std::move(lines->begin(), lines->end(), std::back_inserter(searches));
    } else {
      Result<Search> search = ReadNamed(path);
      if (!search.ok()) return search.status();
      searches.push_back(std::move(*search));
    }
  }
  return searches;
}

Status PrintLines(const std::vector<std::string>& paths) {
  const Result<std::vector<Search>> all = ReadAll(paths);
  if (!all.ok()) return all.status();
  for (const Search& search : *all) std::printf("%s\n", nlohmann::json(search).dump().c_str());
  return Status();
}

Status PrintTable(const std::vector<std::string>& paths) {
  Result<std::vector<Search>> all = ReadAll(paths);
  if (!all.ok()) return all.status();
  Searches searches;
  for (const Arm& arm : kArms) searches[arm.name];
  std::map<int, std::string> cpus;
  for (Search& search : *all) {
    const std::string what = search.arm + " with seed " + std::to_string(search.seed);
    const auto arm = searches.find(search.arm);
    if (arm == searches.end()) return InvalidArgument(what + ": no study of these arms");
    if (search.build != all->front().build) {
      return InvalidArgument(what + ": of another build of bitpilot than the first");
    }
    if (cpus.emplace(search.seed, search.cpu).first->second != search.cpu) {
      return InvalidArgument(what + ": on another CPU than other arms of the seed");
    }
    if (!arm->second.emplace(search.seed, std::move(search)).second) {
      return InvalidArgument(what + ": is there twice");
    }
  }
  for (const auto& [name, of_arm] : searches) {
    if (of_arm.size() < 2 || !HaveSameSeeds(of_arm, searches.begin()->second)) {
      return InvalidArgument("expected the same seeds, two or more, of every arm; " + name +
                             " differs");
    }
  }
  std::set<std::string> kinds;
  for (const auto& [seed, cpu] : cpus) kinds.insert(cpu);
  PrintArms(searches);
  PrintDifferences(searches);
  std::printf("build %s, on", all->front().build.c_str());
  for (const std::string& kind : kinds) std::printf(" %s", kind.c_str());
  std::printf("\n");
  return Status();
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const std::vector<std::string> paths(argv + std::min(argc, 2), argv + argc);
  bitpilot::Status status;
  if (command == "share" && (paths.size() == 1 || paths.size() == 2)) {
    status = bitpilot::PrintShare(paths);
  } else if (command == "lines" && !paths.empty()) {
    status = bitpilot::PrintLines(paths);
  } else if (command == "table" && !paths.empty()) {
    status = bitpilot::PrintTable(paths);
  } else {
    std::fprintf(stderr,
                 "usage: training_pays lines ARM-SEED.db...   a line of JSON a study\n"
                 "       training_pays table FILE...          of studies, and of files of such "
                 "lines (.jsonl)\n"
                 "       training_pays share STUDY_THAT_SPENT [STUDY_WITH_TABLE]\n");
    return 2;
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "training_pays: %s\n", status.message().c_str());
  return 1;
}
