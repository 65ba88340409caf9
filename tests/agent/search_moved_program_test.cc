// Searches that go on where their board or its meter is now: real daemons on loopback, as a user starts
// them. What answers is a table that ships, or nobody is asked to the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/device/local_daemon.h"
#include "agent/fleet/keys.h"
#include "agent/profile/model_board.h"
#include "agent/study/events.h"
#include "agent/study/journal.h"
#include "agent/study/study.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Json = nlohmann::json;

class SearchMovedProgramTest : public testing::Test {
 protected:
  SearchMovedProgramTest() { UseSmallSample(); }

  ProgramResult Resume(const std::vector<std::string>& more = {}) const {
    return RunProgram(ResumeArguments(more));
  }
  std::vector<std::string> ResumeArguments(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        ProgramPath("bitpilot"), "search", "--study", study_, "--resume", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::size_t NumEvents(std::string_view kind) const {
    const auto opened = Study::OpenReadOnly(study_);
    const auto events = opened.ok() ? (*opened)->Events() : opened.status();
    if (!events.ok()) return 0;
    return static_cast<std::size_t>(std::count_if(
        events->begin(), events->end(), [&](const Event& event) { return event.kind == kind; }));
  }
  // Where the last resume found it; empty before any was noted.
  std::string NotedPlace(const char* key) const {
    const auto opened = Study::OpenReadOnly(study_);
    if (!opened.ok()) return {};
    const auto places = NotedPlaces(**opened);
    return places.ok() && places->contains(key) ? places->at(key).get<std::string>() : "";
  }
  void KillOnce(const std::vector<std::string>& arguments, const std::function<bool()>& now) const {
    const ProgramResult killed = RunProgramUntil(arguments, SIGKILL, now);
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err << killed.out;
  }

  StudyFolder folder_;
  const std::string study_ = folder_.Path("a.db");
};

class MovedFleetTest : public SearchMovedProgramTest {
 protected:
  // A daemon that answers from a table that ships, at once.
  std::unique_ptr<LocalDaemon> Daemon(const std::string& table) const {
    LocalDaemonOptions options;
    options.program = ProgramPath("bitpilotd");
    options.cost_table = FormatCostTable(ValueOrDie(ReadModelBoard(table)));
    options.fast = true;
    return ValueOrDie(LocalDaemon::Create(options, keys_.public_key));
  }
  // name: of the file.
  std::string Fleet(const std::string& name,
                    const std::vector<std::pair<std::string, LocalDaemon*>>& boards) const {
    std::string text = "keys = \"" + folder_.Path("keys") + "\"\n";
    for (const auto& [board, daemon] : boards) {
      const BoardAddress address = ValueOrDie(daemon->Address());
      text += "[[board]]\nname = \"" + board + "\"\nendpoint = \"" + address.endpoint +
              "\"\npublic_key = \"" + address.public_key + "\"\n";
    }
    WriteBytes(folder_.Path(name), text);
    return folder_.Path(name);
  }

  const AgentKeys keys_ = ValueOrDie(CreateAgentKeys(folder_.Path("keys"), /*overwrite=*/false));
};

TEST_F(MovedFleetTest, GoesOnOnTheBoardThatFitsWhereverItIs) {
  std::unique_ptr<LocalDaemon> first = Daemon("zen5_avx2_resnet8");
  const std::string old_fleet = Fleet("old.toml", {{"desk", first.get()}});
  ASSERT_NO_FATAL_FAILURE(KillOnce(
      {ProgramPath("bitpilot"), "search", "--fleet", old_fleet, "--study", study_, "--widths", "8",
       "--policy", "uniform", "--measurements", "1", "--calibration-images", "16", "--json"},
      [&] { return NumEvents(BoardEvent::kKind) >= 1; }));
  // The board has another address and another key, and its file another name.
  first.reset();
  fs::remove(old_fleet);
  const std::unique_ptr<LocalDaemon> same = Daemon("zen5_avx2_resnet8");
  const std::unique_ptr<LocalDaemon> other = Daemon("mpic_resnet8");
  const std::string fleet = Fleet("new.toml", {{"rack", same.get()}, {"bench", other.get()}});

  const ProgramResult lost = Resume();
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, HasSubstr("old.toml"));
  EXPECT_THAT(lost.err, HasSubstr("--fleet, --board"));
  const ProgramResult wrong = Resume({"--fleet", fleet, "--board", "bench"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("the study began with backend"));
  EXPECT_EQ(NotedPlace("fleet"), "") << "nothing of a resume that is refused";

  const ProgramResult moved = Resume({"--fleet", fleet, "--board", "rack"});
  ASSERT_EQ(moved.exit_code, 0) << moved.err;
  EXPECT_EQ(NotedPlace("fleet"), fleet);
  EXPECT_EQ(NotedPlace("board"), "rack");
  EXPECT_EQ(NumEvents(EndEvent::kKind), 1U);
  EXPECT_EQ(RunProgram({ProgramPath("bitpilot"), "replay", "--verify", study_}).exit_code, 0);
}

// Real kernels, but nothing is measured to its end: each process is killed once it has said where its
// meter is.
TEST_F(SearchMovedProgramTest, GoesOnWithTheMeterThatFitsWhereverItsProgramIs) {
  const fs::path programs = fs::path(ProgramPath("bitpilotd")).parent_path();
  const std::string before = folder_.Path("before/meter");
  const std::string after = folder_.Path("after/meter");
  fs::create_directory(folder_.Path("before"));
  fs::create_symlink(programs / "meter-synthetic", before);
  ASSERT_NO_FATAL_FAILURE(KillOnce(
      {ProgramPath("bitpilot"), "search", "--device", "local:scalar", "--meter", before, "--energy",
       "search", "--study", study_, "--widths", "8", "--policy", "uniform", "--json"},
      [&] { return NumEvents(BoardEvent::kKind) >= 1; }));
  fs::rename(folder_.Path("before"), folder_.Path("after"));

  const ProgramResult lost = Resume();
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, HasSubstr("bitpilotd: --meter"));
  EXPECT_THAT(lost.err, HasSubstr("cannot be started: there is no such program"));
  EXPECT_THAT(lost.err, HasSubstr("--meter, if that has moved"));
  WriteBytes(folder_.Path("samples"), "meter 1 bench 1000000 0.01 15\n0,5,1\n1000000,5,1\n");
  const ProgramResult wrong =
      Resume({"--meter", (programs / "meter-replay").string() + " " + folder_.Path("samples")});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("the study began with energy source"));
  EXPECT_EQ(NotedPlace("meter"), "");
  KillOnce(ResumeArguments({"--meter", after}), [&] { return NotedPlace("meter") == after; });
}

}  // namespace
}  // namespace bitpilot
