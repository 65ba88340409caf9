// A training search, stopped at every event of its log and resumed; and replays of logs in which one
// figure was changed. Both in process, on a model board that a real bitpilotd answers for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/session/search_driver.h"
#include "agent/session/search_session.h"
#include "agent/study/calibration_event.h"
#include "agent/study/study_files.h"
#include "policies/reward.h"
#include "tests/agent/dying_study.h"
#include "tests/agent/joining_boards.h"
#include "tests/agent/small_search.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::json;

constexpr std::size_t kToItsEnd = 1'000'000;

class SearchResumeTest : public testing::Test {
 protected:
  // Every study has a folder of its own, so that it can be copied with its files.
  std::string StudyPath(const std::string& folder) const {
    return folder_.Path(folder) + "/study.db";
  }
  void Copy(const std::string& from, const std::string& to) const {
    std::filesystem::remove_all(folder_.Path(to));
    std::filesystem::copy(folder_.Path(from), folder_.Path(to),
                          std::filesystem::copy_options::recursive);
  }

  // Starts or resumes the study as a new process would, and dies after `num_events` more events.
  Status Run(const std::string& folder, std::size_t num_events) {
    const std::string path = StudyPath(folder);
    std::filesystem::create_directories(folder_.Path(folder));
    Result<std::unique_ptr<Study>> study = std::filesystem::exists(path)
                                               ? Study::OpenForResume(path)
                                               : Study::Create(path, ToJson(config_).dump());
    if (!study.ok()) return study.status();
    DyingStudy dying(std::move(*study), num_events);
    Result<std::unique_ptr<LiveParts>> parts = search_.FreshParts();
    if (!parts.ok()) return parts.status();
    std::unique_ptr<ClassBoards> one;  // which outlives those that it answers for
    if (join_) {
      (void)(*parts)->BoardsOf(config_);
      one = std::move((*parts)->boards);
      (*parts)->boards = join_(*one);
    }
    Result<Journal> journal = Journal::Open(dying, Journal::AtEnd::kRecord);
    if (!journal.ok()) return journal.status();
    const StudyFiles files(path);
    const Result<SearchOutcome> outcome =
        SearchDriver(config_, *journal, files, parts->get(), options_).Run();
    (*parts)->boards.reset();
    search_.TakeBoard(**parts);
    if (!outcome.ok()) return outcome.status();
    return dying.Close("done");
  }

  std::string ContentHash(const std::string& folder) const {
    return ValueOrDie(ValueOrDie(Study::OpenReadOnly(StudyPath(folder)))->ContentHash());
  }
  std::vector<Event> Events(const std::string& folder) const {
    return ValueOrDie(ValueOrDie(Study::OpenReadOnly(StudyPath(folder)))->Events());
  }
  template <typename T>
  std::vector<T> EventsOf(const std::string& folder) const {
    std::vector<T> found;
    for (const Event& event : Events(folder)) {
      if (event.kind == T::kKind) found.push_back(ValueOrDie(ParseEvent<T>(event.payload)));
    }
    return found;
  }

  // Where two studies first differ in what they decided and observed, for messages.
  std::string FirstDifference(const std::string& a, const std::string& b) const {
    const auto told = [&](const std::string& folder) {
      std::vector<std::string> lines;
      for (const Event& event : Events(folder)) {
        const bool is_told = event.kind != "agent" && event.kind != "board" &&
                             event.kind != "resume" && event.kind != "measurement";
        if (is_told) lines.push_back(event.kind + " " + event.payload);
      }
      return lines;
    };
    const std::vector<std::string> of_a = told(a), of_b = told(b);
    for (std::size_t i = 0; i < of_a.size() && i < of_b.size(); ++i) {
      if (of_a[i] != of_b[i]) return of_a[i] + "\n" + of_b[i];
    }
    return std::to_string(of_a.size()) + " and " + std::to_string(of_b.size()) + " events";
  }

  // Runs until the anchor is logged: where everything diverges, uniform 8 bit alone would, too.
  void RunUntilTheAnchor(const std::string& folder) {
    do {
      ASSERT_EQ(Run(folder, 1).message(), "the process died here");
    } while (EventsOf<AnchorEvent>(folder).empty());
  }

  // begun: a study that "calm" and "stopped" go on from; empty: both begin.
  void CheckEveryStop(const std::string& begun = "") {
    for (const char* folder : {"calm", "stopped"}) {
      if (!begun.empty()) Copy(begun, folder);
    }
    ASSERT_TRUE(Run("calm", kToItsEnd).ok());
    const std::string expected = ContentHash("calm");
    const std::size_t num_events = Events("calm").size();
    ASSERT_GT(num_events, 20U);
    // "stopped" grows by one event a process; at each length a copy of it goes on to the end.
    for (std::size_t process = 0; process < num_events; ++process) {
      SCOPED_TRACE("process " + std::to_string(process));
      const Status died = Run("stopped", process == 0 ? 0 : 1);
      if (died.ok()) break;
      ASSERT_EQ(died.message(), "the process died here");
      Copy("stopped", "resumed");
      const Status resumed = Run("resumed", kToItsEnd);
      ASSERT_TRUE(resumed.ok()) << resumed.message() << "\nafter " << Events("stopped").back().kind;
      ASSERT_EQ(ContentHash("resumed"), expected)
          << "after " << Events("stopped").back().kind << "\n"
          << FirstDifference("calm", "resumed");
    }
    EXPECT_EQ(ContentHash("stopped"), expected);
    for (const char* folder : {"calm", "stopped"}) {
      const Result<ReplayReport> replay = VerifyReplay(StudyPath(folder));
      ASSERT_TRUE(replay.ok()) << replay.status().message();
      EXPECT_TRUE(replay->complete);
      EXPECT_EQ(replay->decisions, config_.measurements);
    }
  }

  // A copy of the study whose log was written, hashes and all, as `edit` changed it: false leaves an
  // event out. Only rows of measurements stay as they are, unless `edit_row` changes them.
  void Rewrite(
      const std::string& from, const std::string& to, const std::function<bool(Event&)>& edit,
      const std::function<void(MeasurementRow&)>& edit_row = [](MeasurementRow&) {}) {
    Copy(from, to);
    std::filesystem::remove(StudyPath(to));
    const auto source = ValueOrDie(Study::OpenReadOnly(StudyPath(from)));
    auto copy = ValueOrDie(Study::Create(StudyPath(to), source->config_json()));
    // An answer's rows come together, or the second one would be an answer that is there already.
    std::vector<MeasurementRow> answer;
    std::string measure_id;
    const auto append_answer = [&] {
      if (answer.empty()) return;
      EXPECT_TRUE(copy->AppendMeasurements(answer).ok());
      answer.clear();
    };
    for (Event event : ValueOrDie(source->Events())) {
      if (event.kind == "config" || !edit(event)) continue;
      if (event.kind == MeasurementEvent::kKind) {
        const auto measured = ValueOrDie(ParseEvent<MeasurementEvent>(event.payload));
        if (measured.measure_id.empty() || measured.measure_id != measure_id) append_answer();
        measure_id = measured.measure_id;
        MeasurementRow row = ValueOrDie(source->FindMeasurement(measured.measurement_id)).value();
        edit_row(row);
        answer.push_back(std::move(row));
        continue;
      }
      append_answer();
      if (event.kind == ArtifactEvent::kKind) {
        const auto file = ValueOrDie(ParseEvent<ArtifactEvent>(event.payload));
        ASSERT_TRUE(copy->PutArtifact(file.sha256, file.kind, file.file).ok());
      } else {
        ASSERT_TRUE(copy->Append(event.kind, event.payload).ok());
      }
    }
    append_answer();
    ASSERT_TRUE(copy->Close().ok());
    ASSERT_EQ(Problem(StudyPath(to)), "") << "the chain itself must be sound";
  }

  // The message of a replay after the event of `kind` that follows `skipped` others was changed at
  // `pointer`; "" if it passes.
  std::string ReplayAfter(const std::string& kind, const std::string& pointer,
                          const std::function<void(Json&)>& change, int skipped = 0) {
    bool changed = false;
    Rewrite("calm", "changed", [&](Event& event) {
      if (event.kind != kind || changed || skipped-- > 0) return true;
      Json payload = Json::parse(event.payload);
      change(payload.at(Json::json_pointer(pointer)));
      event.payload = payload.dump();
      changed = true;
      return true;
    });
    EXPECT_TRUE(changed) << kind;
    const Result<ReplayReport> replay = VerifyReplay(StudyPath("changed"));
    return replay.ok() ? "" : replay.status().message();
  }

  // The boards of the next processes, for which the model board answers; empty: that board.
  std::function<std::unique_ptr<ClassBoards>(ClassBoards&)> join_;
  StudyFolder folder_;
  SmallSearch search_{folder_};
  SearchConfig& config_ = search_.config;
  SearchOptions& options_ = search_.options;
  QuietObserver& observer_ = search_.observer;
};

TEST_F(SearchResumeTest, F8DecidesTheSameWhereverItWasStopped) { CheckEveryStop(); }

// At this learning rate the first update leaves nothing that could be measured.
TEST_F(SearchResumeTest, DecidesTheSameWhereverItWasStoppedThoughTrainingDiverges) {
  config_.measurements = 2;
  ASSERT_NO_FATAL_FAILURE(RunUntilTheAnchor("begun"));
  config_.learning_rate = 1e30;
  ASSERT_NO_FATAL_FAILURE(CheckEveryStop("begun"));
  for (const TransitionEvent& event : EventsOf<TransitionEvent>("calm")) {
    EXPECT_EQ(event.transition.status, TransitionStatus::kDiverged);
    EXPECT_FALSE(event.transition.latency_ns.has_value());
    EXPECT_FALSE(event.train_loss.has_value());
  }
  // The state is the one before, every time.
  const auto places = EventsOf<PlaceEvent>("calm");
  ASSERT_EQ(places.size(), 3U);
  EXPECT_FALSE(places[0].diverged);
  for (std::size_t i = 1; i < places.size(); ++i) {
    EXPECT_TRUE(places[i].diverged);
    EXPECT_EQ(places[i].sha256, places[0].sha256);
  }
  // Who is compared without having been measured diverges, too.
  const FinalEvent final = EventsOf<FinalEvent>("calm").front();
  ASSERT_GE(final.rows.size(), 2U);
  for (const TrainedEvent& event : EventsOf<TrainedEvent>("calm")) EXPECT_TRUE(event.diverged);
  EXPECT_THAT(observer_.notices, HasSubstr("step 1: training at these widths diverged"));
  EXPECT_THAT(observer_.notices, HasSubstr("uniform 4 bit: its final training diverged"));
}

// Steps that are in flight diverge; those after them train as if they had not been.
TEST_F(SearchResumeTest, TrainsOnFromSoundWeightsAfterAStepThatDiverged) {
  ASSERT_NO_FATAL_FAILURE(RunUntilTheAnchor("s"));
  config_.learning_rate = 1e30;
  do {
    ASSERT_EQ(Run("s", 1).message(), "the process died here");
  } while (EventsOf<TransitionEvent>("s").empty());
  config_.learning_rate = 2e-4;
  const Status resumed = Run("s", kToItsEnd);
  ASSERT_TRUE(resumed.ok()) << resumed.message();
  const auto transitions = EventsOf<TransitionEvent>("s");
  ASSERT_EQ(transitions.size(), 3U);
  EXPECT_EQ(transitions[0].transition.status, TransitionStatus::kDiverged);
  EXPECT_EQ(transitions[2].transition.status, TransitionStatus::kMeasured);
  EXPECT_GT(transitions[2].train_loss.value_or(0.0), 0.0);
  EXPECT_LT(transitions[2].train_loss.value_or(100.0), 100.0);
  EXPECT_GE(EventsOf<FinalEvent>("s").front().rows.size(), 3U);
}

// What ends a search is not in its log: the next process measures it again.
TEST_F(SearchResumeTest, GoesOnAfterABoardFailedWhatASearchNeeds) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const std::string expected = ContentHash("calm");
  const int first_step = 1;  // after the reference: a model board tells its table
  const std::vector<SmallSearch::Failure> failures = {{0, MeasureStatus::kTimedOut},
                                                      {0, MeasureStatus::kWrongOutput},

                                                      {first_step, MeasureStatus::kWrongOutput}};
  for (std::size_t i = 0; i < failures.size(); ++i) {
    SCOPED_TRACE("failure " + std::to_string(i));
    const std::string folder = "failed-" + std::to_string(i);
    search_.failure = failures[i];
    const Status failed = Run(folder, kToItsEnd);
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.message(), HasSubstr("once"));
    EXPECT_FALSE(MayLackItsEnd(StudyPath(folder)));
    const Status resumed = Run(folder, kToItsEnd);
    ASSERT_TRUE(resumed.ok()) << resumed.message();
    EXPECT_EQ(ContentHash(folder), expected);
  }
}

// Neither places nor another CPU class, whichever is wrong.
TEST_F(SearchResumeTest, NotesNothingOfAResumeThatIsRefused) {
  ASSERT_EQ(Run("stopped", 8).message(), "the process died here");
  Rewrite("stopped", "s", [](Event& event) {
    if (event.kind != BoardEvent::kKind) return true;
    Json payload = Json::parse(event.payload);
    payload["cpu_class"] = "another CPU";
    event.payload = payload.dump();
    return true;
  });
  const std::size_t before = Events("s").size();
  options_.moved.device = config_.device;
  EXPECT_EQ(Run("s", kToItsEnd).code(), StatusCode::kVersionMismatch);
  EXPECT_EQ(Events("s").size(), before);
  options_.allow_class_change = true;
  EXPECT_TRUE(Run("s", kToItsEnd).ok());
  const std::vector<Event> events = Events("s");
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const Event& event) { return event.kind == "resume"; }),
            2);
}

TEST_F(SearchResumeTest, NotesPlacesThoughNoBoardWasLoggedYet) {
  ASSERT_EQ(Run("s", 0).message(), "the process died here");
  options_.moved.device = config_.device;
  ASSERT_EQ(Run("s", 2).message(), "the process died here");
  const auto study = ValueOrDie(Study::OpenReadOnly(StudyPath("s")));
  EXPECT_EQ(ValueOrDie(NotedPlaces(*study))["device"], config_.device);
}

TEST_F(SearchResumeTest, ReportsEveryStepOnce) {
  config_.train_batches = 0;
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  EXPECT_EQ(observer_.steps, (std::vector<int>{0, 1, 2}));
  observer_.steps.clear();
  while (Run("stopped", 1).message() == "the process died here") {
  }
  EXPECT_EQ(observer_.steps, (std::vector<int>{0, 1, 2}));
}

TEST_F(SearchResumeTest, F61FindsEveryFigureThatDoesNotFollowFromTheLog) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const auto a_bit_more = [](Json& value) { value = value.get<double>() * (1.0 + 1e-12); };
  const auto one_more = [](Json& value) { value = value.get<int>() + 1; };
  const auto says = [](const char* word) { return [word](Json& value) { value = word; }; };
  struct Case {
    std::string kind;
    std::string pointer;
    std::function<void(Json&)> change;
    std::string named;  // in the message
    int skipped = 0;    // events of the kind before it
  };
  const auto becomes = [](const Json& now) { return [now](Json& value) { value = now; }; };
  const std::vector<Case> cases = {
      {"problem", "/uniform8/latency_ns", a_bit_more, "/uniform8/latency_ns"},
      {"problem", "/variables/0/widths/0", one_more, "/variables/0/widths"},
      {"problem", "/layers/0", says("conv"), "/layers/0"},
      {"problem", "/table", [](Json& value) { value = value.get<std::string>() + "# \n"; },
       "/table"},
      {"place", "/ticket", one_more, "/ticket"},
      {"place", "/sha256", says("00"), "/file"},
      {"place", "/file", says("checkpoints/x.ckpt"), "/file"},
      {"place", "/train_loss", becomes(1.5), "/train_loss"},
      {"place", "/diverged", becomes(true), "/diverged"},
      {"place", "/ticket", one_more, " there", 1},
      {"place", "/file", says("checkpoints/x.ckpt"), "/file", 1},
      {"place", "/train_loss", becomes(nullptr), "did not diverge", 1},
      {"place", "/train_loss", a_bit_more, "/train_loss", 1},
      {"place", "/diverged", becomes(true), "replay diverges", 1},
      {"anchor", "/file", says("checkpoints/x.ckpt"), "/file"},
      {"anchor", "/losses_file", says("losses/x.f32"), "/losses_file"},
      {"anchor", "/readings", becomes(Json::array()), "no reading"},
      {"anchor", "/readings/3/loss", a_bit_more, "/loss"},
      {"proposal", "/from", one_more, "/from", 1},
      {"proposal", "/pace/rate_begin", a_bit_more, "/pace/rate_begin", 1},
      {"transition", "/at/depth", one_more, "/at/depth"},
      {"transition", "/score/loss", a_bit_more, "/loss"},
      {"transition", "/score/same_weights/own_share", [](Json& value) { value = 0.25; },
       "/own_share", 1},
      {"transition", "/score/same_weights", becomes(nullptr), "recomputed", 1},
      {"transition", "/classes/0/ratio", a_bit_more, "/classes/0/ratio"},
      {"transition", "/classes/0/board_seconds", a_bit_more, "/classes/0/board_seconds"},
      {"transition", "/latency_ns", a_bit_more, "/latency_ns"},
      {"transition", "/latency_low_ns", a_bit_more, "/latency_low_ns"},
      {"transition", "/weight_bytes", one_more, "/weight_bytes"},
      {"transition", "/train_loss", a_bit_more, "/train_loss"},
      {"transition", "/status", says("failed"), "/status"},
      {"proposal", "/origin", says("random"), "/origin"},
      {"proposal", "/choice/0", [](Json& value) { value = 12 - value.get<int>(); }, "/choice/0"},
      {"answers", "/answers/0/max_latency_ratio", a_bit_more, "answer 1"},
      {"answers", "/answers/0/choice", [](Json& value) { value = Json::array({4}); }, "answer 1"},
      {"test", "/rows/1/neither", one_more, "counts of one set of test images"},
      {"test", "/rows", [](Json& value) { value.erase(0); }, "counts of one set of test images"},
      {"final", "/rows/1/ratio", a_bit_more, "/rows/1/ratio"},
      {"final", "/rows/1/test_correct", one_more, "/rows/1/test_correct"},
      {"final", "/rows/1/paired_low", a_bit_more, "/rows/1/paired_low"},
      {"final", "/rows/1/label", says("front 1"), "/rows/1/label"},
      {"final", "/rows/1/speed", says("faster"), "/rows/1/speed"},
      {"final", "/rows/1/budget_met", [](Json& value) { value = !value.get<bool>(); },
       "/rows/1/budget_met"},
      {"final", "/rows", [](Json& value) { value.erase(value.size() - 1); }, "/rows"},
      {"final", "/hypervolume", a_bit_more, "/hypervolume"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.kind + " " + one.pointer);
    const std::string message = ReplayAfter(one.kind, one.pointer, one.change, one.skipped);
    EXPECT_THAT(message, HasSubstr("seq "));
    EXPECT_THAT(message, HasSubstr(one.named));
  }
  // Prose, and what other builds may have been called.
  EXPECT_EQ(ReplayAfter("proposal", "/reason", says("on a hunch")), "");
  EXPECT_EQ(ReplayAfter("agent", "/build", says("bitpilot 7")), "");
  // Facts: another count makes another table.
  EXPECT_THAT(ReplayAfter("test", "/rows/1",
                          [](Json& value) {
                            value["neither"] = value["neither"].get<int>() + 1;
                            value["both"] = value["both"].get<int>() - 1;
                          }),
              HasSubstr("/rows/1/"));
}

// The hashes are sound, the figures are none: an error of the log, not the end of the program.
TEST_F(SearchResumeTest, RefusesReadingsThatNoReadingGives) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const auto says = [](double value) { return [value](Json& old) { old = value; }; };
  const auto is_no_score = testing::AllOf(HasSubstr("seq "), HasSubstr("errors of 0 or more"));
  EXPECT_THAT(ReplayAfter("transition", "/score/excess_error", says(-0.01)), is_no_score);
  const Status resumed = Run("changed", kToItsEnd);
  EXPECT_EQ(resumed.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(resumed.message(), is_no_score);
  EXPECT_THAT(ReplayAfter("transition", "/score/loss_error", says(-0.01)), is_no_score);
  EXPECT_THAT(ReplayAfter("transition", "/score/correct", says(1e6)), is_no_score);
  EXPECT_THAT(ReplayAfter("anchor", "/readings/0/loss_error", says(-0.01)),
              HasSubstr("loss_error of 0 or more"));
}

// Where a ratio comes from: windows that were changed with all their hashes.
TEST_F(SearchResumeTest, FindsChangedWindows) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  for (const char* id : {"step-1", "final-1"}) {
    Rewrite(
        "calm", "changed", [](Event&) { return true; },
        [&](MeasurementRow& row) {
          if (row.measurement_id != id) return;
          for (auto* windows : {&row.window_ns, &row.window_cpu_ns}) {
            for (double& window : *windows) window *= 1.001;
          }
        });
    const Result<ReplayReport> replay = VerifyReplay(StudyPath("changed"));
    ASSERT_FALSE(replay.ok()) << id;
    EXPECT_THAT(replay.status().message(), HasSubstr("seq "));
  }
}

// Each measurement of a step is in the log; what the step came to follows from all of them, wherever the
// search was stopped.
TEST_F(SearchResumeTest, MeasuresANoisyStepAgainAndReplaysWhatCameOfIt) {
  config_.train_batches = 0;
  config_.final_batches = 0;
  config_.measurements = 1;
  const SmallSearch::Failure noise = {1, MeasureStatus::kNoisy};  // after the reference: step 0
  search_.failure = noise;
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const auto study = ValueOrDie(Study::OpenReadOnly(StudyPath("calm")));
  const auto first = ValueOrDie(study->FindMeasurement("step-0"));
  const auto again = ValueOrDie(study->FindMeasurement("step-0-again-1"));
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->status, "NOISY");
  EXPECT_EQ(again->status, "OK");
  EXPECT_FALSE(ValueOrDie(study->FindMeasurement("step-0-again-2")));

  // Stopped once the first is logged, it is measured again by who goes on.
  std::size_t num_events = 0;
  for (const Event& event : Events("calm")) {
    if (event.kind != AgentEvent::kKind && event.kind != "config") ++num_events;
    if (event.kind != MeasurementEvent::kKind) continue;
    const auto id = ValueOrDie(ParseEvent<MeasurementEvent>(event.payload)).measurement_id;
    if (id == "step-0-uniform-8") break;
  }
  search_.failure = noise;
  ASSERT_EQ(Run("stopped", num_events).message(), "the process died here");
  EXPECT_EQ(EventsOf<MeasurementEvent>("stopped").back().measurement_id, "step-0-uniform-8");
  ASSERT_TRUE(Run("stopped", kToItsEnd).ok());
  EXPECT_EQ(ContentHash("stopped"), ContentHash("calm"));

  ASSERT_TRUE(VerifyReplay(StudyPath("calm")).ok());
  Rewrite(
      "calm", "changed", [](Event&) { return true; },
      [](MeasurementRow& row) {
        if (row.measurement_id != "step-0-again-1") return;
        for (auto* windows : {&row.window_ns, &row.window_cpu_ns}) {
          for (double& window : *windows) window *= 1.001;
        }
      });
  EXPECT_THAT(VerifyReplay(StudyPath("changed")).status().message(), HasSubstr("seq "));
  Rewrite("calm", "changed", [](Event& event) {
    return event.kind != MeasurementEvent::kKind ||
           event.payload.find("step-0-again-1") == std::string::npos;
  });
  EXPECT_THAT(VerifyReplay(StudyPath("changed")).status().message(),
              HasSubstr("does not hold measurement step-0-again-1"));
}

// A search that has ended goes on under larger budgets, and ends again; where it was stopped on the way,
// it goes on without being told again.
TEST_F(SearchResumeTest, ExtendsASearchThatHasEnded) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const std::size_t before = Events("calm").size();
  options_.more_measurements = 2;
  Copy("calm", "stopped");
  observer_.phases.clear();
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const std::string expected = ContentHash("calm");
  EXPECT_EQ(EventsOf<TransitionEvent>("calm").size(), 5U);
  // What it does now, and nothing of what it had done; the bar is of all measurements.
  EXPECT_THAT(
      observer_.phases,
      ElementsAre(StartsWith("training uniform 8 bit alone as much longer"),
                  "searching with " + config_.policy + " 5", StartsWith("training the finalists"),
                  StartsWith("measuring the finalists again"),
                  StartsWith("reading the test images")));
  const auto conditions = EventsOf<ConditionsEvent>("calm");
  ASSERT_EQ(conditions.size(), 2U);
  EXPECT_EQ(conditions[1].conditions.totals.measurements, 5);
  EXPECT_EQ(conditions[1].conditions.totals.mini_batches, 10);
  // The rate had come down to nothing, and goes on from a tenth.
  const auto proposals = EventsOf<ProposalEvent>("calm");
  EXPECT_EQ(proposals[3].pace.rate_begin, 0.1);
  EXPECT_EQ(proposals[4].pace.rate_end, 0.0);
  // So has 8 bit, which is compared with, and it trains as much longer: a late candidate is not better
  // for being late, and no row of the table is from weights that trained longer than the twin's.
  const auto anchors = EventsOf<AnchorEvent>("calm");
  ASSERT_EQ(anchors.size(), 2U);
  const Anchor& anchor = anchors[1].anchor;
  ASSERT_EQ(anchors[0].anchor.readings.size(), 9U);
  ASSERT_EQ(anchor.readings.size(), 17U);
  EXPECT_TRUE(std::equal(anchors[0].anchor.readings.begin(), anchors[0].anchor.readings.end(),
                         anchor.readings.begin()));
  EXPECT_EQ(anchor.of_first_budget, 9);
  EXPECT_EQ(anchor.readings.back().batches, 10);
  const auto transitions = EventsOf<TransitionEvent>("calm");
  for (const TransitionEvent& event : transitions) {
    ASSERT_TRUE(event.score.has_value());
    EXPECT_TRUE(event.score->excess_error.has_value());
    EXPECT_EQ(event.transition.loss,
              ChargeOf(anchor, *event.score, event.at.depth).mean + ReferenceReading(anchor).loss);
  }
  EXPECT_GT(transitions.back().at.depth, 6) << "beyond the twin as it was";
  const auto finals = EventsOf<FinalEvent>("calm");
  ASSERT_EQ(finals.size(), 2U);
  EXPECT_EQ(finals[0].test_readings, 1);
  EXPECT_EQ(finals[1].test_readings, 2);
  const Result<ReplayReport> replay = VerifyReplay(StudyPath("calm"));
  ASSERT_TRUE(replay.ok()) << replay.status().message();
  EXPECT_TRUE(replay->complete);
  EXPECT_EQ(replay->decisions, 5);

  // A final training of the extension that begins where the twin ended.
  int trained_before = 0;
  for (const Event& event : Events("calm")) {
    const bool is_before = static_cast<std::size_t>(event.seq) <= before;
    if (is_before && event.kind == TrainedEvent::kKind) ++trained_before;
  }
  const auto from_twin_after = [](int depth) {
    return [depth](Json& value) {
      value["twin_loss"] = 0.0;
      value["from_twin"] = true;
      value["depth"] = depth;
    };
  };
  EXPECT_THAT(ReplayAfter("trained", "", from_twin_after(6), trained_before), HasSubstr("/depth"));
  EXPECT_THAT(ReplayAfter("trained", "", from_twin_after(10), trained_before),
              testing::Not(HasSubstr("/depth")));
  // What does not follow from the log before it.
  const auto one_more = [](Json& value) { value = value.get<int>() + 1; };
  const auto a_bit_more = [](Json& value) { value = value.get<double>() * (1.0 + 1e-12); };
  EXPECT_THAT(ReplayAfter("anchor", "/readings/3/loss", a_bit_more, 1), HasSubstr("/loss"));
  EXPECT_THAT(ReplayAfter("anchor", "/readings/12/batches", one_more, 1), HasSubstr("/batches"));
  EXPECT_THAT(ReplayAfter("anchor", "/of_first_budget", one_more, 1),
              HasSubstr("/of_first_budget"));
  EXPECT_THAT(ReplayAfter(
                  "anchor", "/readings", [](Json& value) { value.erase(value.size() - 1); }, 1),
              HasSubstr("16 readings, expected 17"));
  int anchors_left = 1;
  Rewrite("calm", "changed",
          [&](Event& event) { return event.kind != AnchorEvent::kKind || anchors_left-- > 0; });
  EXPECT_FALSE(VerifyReplay(StudyPath("changed")).ok()) << "late losses were of a longer twin";

  // Between the new conditions and the twin that they ask for, and elsewhere.
  const std::size_t num_events = Events("calm").size();
  for (std::size_t stop_after = 1; before + stop_after + 2 < num_events;
       stop_after += stop_after < 4 ? 1 : 7) {
    SCOPED_TRACE(std::to_string(stop_after) + " events of the extension");
    Copy("stopped", "resumed");
    options_.more_measurements = 2;
    ASSERT_EQ(Run("resumed", stop_after).message(), "the process died here");
    options_.more_measurements.reset();
    const Status resumed = Run("resumed", kToItsEnd);
    ASSERT_TRUE(resumed.ok()) << resumed.message();
    ASSERT_EQ(ContentHash("resumed"), expected);
  }
}

// The second board was measured beside a third one, which never answered; without that it is judged at
// once. By then the log says that the search is extended.
TEST_F(SearchResumeTest, ExtendsASearchWhoseBoardsAreJudgedAtOnce) {
  JoiningBoards* boards = nullptr;
  bool has_ended = false;
  join_ = [&](ClassBoards& one) {
    auto joining = std::make_unique<JoiningBoards>(
        one, /*shares_this_machine=*/false,
        std::vector<JoiningBoards::Joining>{{.name = "second"}, {.name = "third", .polls = -1}});
    boards = joining.get();
    if (has_ended) joining->Come("second");
    return joining;
  };
  observer_.on_step = [&](const TransitionEvent& event) {
    if (event.step != 0) return;
    boards->Come("second");
    boards->Come("third");
  };
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  EXPECT_FALSE(boards->Measures("second"));
  ASSERT_EQ(EventsOf<CalibrationEvent>("calm").size(), 1U);
  const std::size_t before = Events("calm").size();
  Copy("calm", "stopped");
  has_ended = true;
  options_.more_measurements = 2;
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  EXPECT_TRUE(boards->Measures("second"));
  EXPECT_EQ(EventsOf<CalibrationEvent>("calm").size(), 2U);
  const auto expect_all_of = [&](const std::string& folder) {
    EXPECT_EQ(EventsOf<TransitionEvent>(folder).size(), 5U);
    EXPECT_EQ(EventsOf<EndEvent>(folder).size(), 2U);
    const Result<ReplayReport> replay = VerifyReplay(StudyPath(folder));
    ASSERT_TRUE(replay.ok()) << replay.status().message();
    EXPECT_EQ(replay->decisions, 5);
    EXPECT_EQ(replay->last_seq, Events(folder).back().seq);
  };
  expect_all_of("calm");
  ASSERT_GT(Events("calm").size(), before + 6);

  // Whoever goes on where it was stopped knows what it was to do.
  for (std::size_t stop_after = 1; stop_after < 6; ++stop_after) {
    SCOPED_TRACE(std::to_string(stop_after) + " events of the extension");
    Copy("stopped", "resumed");
    options_.more_measurements = 2;
    ASSERT_EQ(Run("resumed", stop_after).message(), "the process died here");
    options_.more_measurements.reset();
    const Status resumed = Run("resumed", kToItsEnd);
    ASSERT_TRUE(resumed.ok()) << resumed.message();
    expect_all_of("resumed");
  }
}

TEST_F(SearchResumeTest, BelievesNoLogThatGoesOnBehindItsEnd) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  const std::vector<Event> events = Events("calm");
  ASSERT_EQ(events.back().kind, EndEvent::kKind);
  const auto again = std::find_if(events.begin(), events.end(), [](const Event& event) {
    return event.kind == ProposalEvent::kKind;
  });
  ASSERT_NE(again, events.end());
  {
    auto study = ValueOrDie(Study::OpenForResume(StudyPath("calm")));
    ASSERT_TRUE(study->Append(again->kind, again->payload).ok());
    ASSERT_TRUE(study->Close("done").ok());
  }
  ASSERT_EQ(Problem(StudyPath("calm")), "");
  const Result<ReplayReport> replay = VerifyReplay(StudyPath("calm"));
  ASSERT_FALSE(replay.ok());
  EXPECT_EQ(replay.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(replay.status().message(), HasSubstr("expected conditions of an extension"));
  EXPECT_EQ(Run("calm", kToItsEnd).code(), StatusCode::kDataCorrupt);
}

// A resume believes the log up to the policy's last state, and decides anew from there.
TEST_F(SearchResumeTest, GoesOnFromThePolicysLastState) {
  config_.policy = "random";
  config_.train_batches = 0;
  config_.final_batches = 0;
  config_.weight_widths = config_.activation_widths = {2, 4, 8};
  config_.measurements = 20;
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  ASSERT_EQ(EventsOf<PolicyEvent>("calm").size(), 1U);
  ASSERT_TRUE(VerifyReplay(StudyPath("calm")).ok());
  int policy_seq = 0;
  for (const Event& event : Events("calm")) {
    if (event.kind == PolicyEvent::kKind) policy_seq = static_cast<int>(event.seq);
  }
  // What was decided before the state is believed, so another reason there changes nothing; a decision
  // that is changed behind it diverges.
  for (const bool behind : {false, true}) {
    const auto edit = [&](Event& event) {
      if (event.kind != ProposalEvent::kKind || (event.seq > policy_seq) != behind) return true;
      Json payload = Json::parse(event.payload);
      payload["origin"] = "uniform";
      event.payload = payload.dump();
      return event.seq < policy_seq + 6;
    };
    Rewrite("calm", "changed",
            [&](Event& event) { return event.seq < policy_seq + 9 && edit(event); });
    EXPECT_EQ(Run("changed", kToItsEnd).code(),
              behind ? StatusCode::kDataCorrupt : StatusCode::kOk);
    EXPECT_FALSE(VerifyReplay(StudyPath("changed")).ok()) << "a verification believes nothing";
  }
}

// An older log decides by other rules.
TEST_F(SearchResumeTest, SaysWhyAnOlderBitpilotsSearchCannotGoOn) {
  ASSERT_TRUE(Run("calm", kToItsEnd).ok());
  for (const int version : {2, 3, 4}) {
    const std::string older = "version-" + std::to_string(version);
    Rewrite("calm", older, [&](Event& event) {
      if (event.kind != AgentEvent::kKind) return true;
      Json payload = Json::parse(event.payload);
      payload["build"] = "bitpilot 0.2";
      payload["log_version"] = version;
      event.payload = payload.dump();
      return true;
    });
    for (const Status& refused : {Run(older, kToItsEnd), VerifyReplay(StudyPath(older)).status()}) {
      EXPECT_EQ(refused.code(), StatusCode::kVersionMismatch);
      EXPECT_THAT(refused.message(),
                  HasSubstr("version " + std::to_string(version) + ", begun by bitpilot 0.2"));
      EXPECT_THAT(refused.message(), HasSubstr("`bitpilot report`"));
      EXPECT_EQ(std::count(refused.message().begin(), refused.message().end(), '\n'), 0);
    }
    const std::optional<LogProblem> problem = ValueOrDie(VerifyLog(StudyPath(older)));
    EXPECT_FALSE(problem) << problem->what;
  }
}

}  // namespace
}  // namespace bitpilot
