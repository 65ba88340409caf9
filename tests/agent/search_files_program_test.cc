// A study's files and places, as a user meets them: names that clash, copies that lack something,
// and searches that go on elsewhere. The board is a table that ships, so that runs repeat exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/study/events.h"
#include "agent/study/measurement_rows.h"
#include "agent/study/study.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

const std::string kTable = "zen5_avx2_resnet8";

class SearchFilesProgramTest : public testing::Test {
 protected:
  SearchFilesProgramTest() { UseSmallSample(); }

  std::vector<std::string> Search(const std::string& study,
                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        ProgramPath("bitpilot"), "search", "--fast",  "--widths",          "4,8",
        "--measurements",        "3",      "--study", folder_.Path(study), "--json",
        "--calibration-images",  "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    if (std::find(more.begin(), more.end(), "--device") == more.end()) {
      arguments.insert(arguments.end(), {"--device", "model:" + kTable});
    }
    return arguments;
  }
  ProgramResult Resume(const std::string& study, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {ProgramPath("bitpilot"), "search",   "--study",
                                          folder_.Path(study),     "--resume", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments);
  }
  ProgramResult Verify(const std::string& study, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {ProgramPath("bitpilot"), "log", "verify", "--json",
                                          folder_.Path(study)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments);
  }
  static Json ResultOf(const ProgramResult& program) {
    const std::vector<std::string> lines = LinesOfType(program.out, "result");
    EXPECT_EQ(lines.size(), 1U) << program.err;
    return lines.empty() ? Json() : Json::parse(lines.front());
  }

  std::size_t NumSteps(const std::string& study) const {
    const auto opened = Study::OpenReadOnly(folder_.Path(study));
    const auto events = opened.ok() ? (*opened)->Events() : opened.status();
    if (!events.ok()) return 0;
    return static_cast<std::size_t>(
        std::count_if(events->begin(), events->end(),
                      [](const Event& event) { return event.kind == TransitionEvent::kKind; }));
  }
  // Starts the search and kills it once it has made a step.
  void KillAfterAStep(const std::vector<std::string>& arguments, const std::string& study) const {
    const ProgramResult killed =
        RunProgramUntil(arguments, SIGKILL, [&] { return NumSteps(study) >= 1; });
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err;
  }
  std::string ContentHash(const std::string& study) const {
    return ValueOrDie(ValueOrDie(Study::OpenReadOnly(folder_.Path(study)))->ContentHash());
  }
  // Files of networks, of any name.
  std::vector<fs::path> Networks(const std::string& study) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_.Path(study) + ".files/networks")) {
      files.push_back(entry.path());
    }
    return files;
  }

  StudyFolder folder_;
};

TEST_F(SearchFilesProgramTest, StudiesWhoseNamesDifferAfterTheLastDotLeaveEachOtherAlone) {
  ASSERT_EQ(RunProgram(Search("calm.db", {"--policy", "random", "--seed", "1"})).exit_code, 0);
  KillAfterAStep(Search("r8.seed1", {"--policy", "random", "--seed", "1"}), "r8.seed1");
  ASSERT_EQ(RunProgram(Search("r8.seed2", {"--policy", "random", "--seed", "2"})).exit_code, 0);
  const ProgramResult resumed = Resume("r8.seed1");
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(ContentHash("r8.seed1"), ContentHash("calm.db"));
  for (const char* study : {"r8.seed1", "r8.seed2"}) {
    const ProgramResult verified = Verify(study, {"--files"});
    EXPECT_EQ(verified.exit_code, 0) << verified.err;
    EXPECT_GE(ResultOf(verified)["files"]["verified"], 3) << "uniform 8 and 4 bit, and a front";
  }
}

TEST_F(SearchFilesProgramTest, NamesAFileThatWasChangedOrIsMissing) {
  ASSERT_EQ(RunProgram(Search("a.db")).exit_code, 0);
  const fs::path network = Networks("a.db").front();
  const std::string content = ReadBytes(network);
  std::string changed = content;
  changed[changed.size() / 2] ^= 1;
  WriteBytes(network, changed);
  const ProgramResult damaged = Verify("a.db", {"--files"});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.err, HasSubstr(network.filename().string()));
  EXPECT_EQ(ResultOf(damaged)["verified"], false);
  EXPECT_EQ(Verify("a.db").exit_code, 0) << "the log itself is sound";
  fs::remove(network);
  const ProgramResult missing = Verify("a.db", {"--files"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr(network.filename().string()));
  WriteBytes(network, content);
  EXPECT_EQ(Verify("a.db", {"--files"}).exit_code, 0);
  // Renamed alone: one line, with the command that helps.
  fs::rename(folder_.Path("a.db"), folder_.Path("b.db"));
  const ProgramResult renamed = Verify("b.db", {"--files"});
  EXPECT_EQ(renamed.exit_code, 1);
  EXPECT_THAT(renamed.err, HasSubstr("`mv " + folder_.Path("a.db.files") + " "));
  EXPECT_EQ(std::count(renamed.err.begin(), renamed.err.end(), '\n'), 1) << renamed.err;
}

TEST_F(SearchFilesProgramTest, VerifiesTheFilesOfASearchThatTrainedAndWasKilled) {
  const std::vector<std::string> training = {"--train-batches", "1", "--batch-size", "16",
                                             "--final-batches", "1"};
  KillAfterAStep(Search("a.db", training), "a.db");
  const ProgramResult verified = Verify("a.db", {"--files"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  fs::remove_all(folder_.Path("a.db.files/checkpoints"));
  const ProgramResult missing = Verify("a.db", {"--files"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr(".ckpt"));
}

TEST_F(SearchFilesProgramTest, NamesWhatAnExtensionOfAnEndedSearchWouldLack) {
  const std::vector<std::string> training = {"--train-batches", "1", "--batch-size", "16",
                                             "--final-batches", "1"};
  ASSERT_EQ(RunProgram(Search("a.db", training)).exit_code, 0);
  const ProgramResult whole = Verify("a.db", {"--files"});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  std::vector<std::string> needed;
  for (const Event& event : ValueOrDie(study->Events())) {
    if (event.kind == AnchorEvent::kKind) {
      const AnchorEvent twin = ValueOrDie(ParseEvent<AnchorEvent>(event.payload));
      needed.insert(needed.end(), {twin.file, twin.losses_file});
    }
    if (event.kind == PlaceEvent::kKind) {
      const PlaceEvent place = ValueOrDie(ParseEvent<PlaceEvent>(event.payload));
      if (place.ticket == 0) needed.push_back(place.file);
    }
  }
  ASSERT_EQ(needed.size(), 3U);
  for (const std::string& name : needed) {
    const std::string path = folder_.Path("a.db.files/" + name);
    const std::string content = ReadBytes(path);
    ASSERT_NE(content, "") << path;
    fs::remove(path);
    const ProgramResult missing = Verify("a.db", {"--files"});
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_THAT(missing.err, HasSubstr(name));
    WriteBytes(path, content);
  }
  EXPECT_EQ(Resume("a.db", {"--measurements", "1"}).exit_code, 0);
  const ProgramResult extended = Verify("a.db", {"--files"});
  EXPECT_EQ(extended.exit_code, 0) << extended.err;
}

// What the search began from is no file of the study, but the study has its hash.
TEST_F(SearchFilesProgramTest, VerifiesWhatTheSearchBeganFrom) {
  const std::string weights = folder_.Path("net.safetensors");
  const std::string table = folder_.Path("board.cost");
  // Another note of where they are from than that of the weights that ship, which would be found by
  // their hash.
  std::string own = ReadBytes(BITPILOT_SOURCE_DIR "/experiments/data/resnet8.safetensors");
  own.at(own.find("mlcommons")) = 'M';
  WriteBytes(weights, own);
  fs::copy_file(BITPILOT_SOURCE_DIR "/experiments/boards/" + kTable + ".cost", table);
  const ProgramResult search =
      RunProgram(Search("a.db", {"--weights", weights, "--device", "model:" + table}));
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const ProgramResult calm = Verify("a.db", {"--files"});
  ASSERT_EQ(calm.exit_code, 0) << calm.err;
  const int verified = ResultOf(calm)["files"]["verified"];
  EXPECT_EQ(ResultOf(calm)["files"]["missing_inputs"], Json::array());

  for (const std::string& path : {weights, table}) {
    SCOPED_TRACE(path);
    const std::string content = ReadBytes(path);
    WriteBytes(path, path == table
                         ? ReadBytes(BITPILOT_SOURCE_DIR "/experiments/boards/mpic_resnet8.cost")
                         : content + "x");
    const ProgramResult changed = Verify("a.db", {"--files"});
    EXPECT_EQ(changed.exit_code, 1);
    EXPECT_THAT(changed.err, HasSubstr(path + " is not what the study began with"));
    EXPECT_EQ(ResultOf(changed)["files"]["problems"].size(), 1U);
    EXPECT_EQ(ResultOf(changed)["files"]["verified"], verified - 1);
    fs::remove(path);
    const ProgramResult missing = Verify("a.db", {"--files"});
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_THAT(missing.err, HasSubstr(path + " is not there any more"));
    EXPECT_THAT(missing.err, HasSubstr(path == table ? "--resume --device" : "--resume --weights"));
    EXPECT_EQ(ResultOf(missing)["files"]["problems"], Json::array());
    EXPECT_EQ(ResultOf(missing)["files"]["missing_inputs"].size(), 1U);
    EXPECT_EQ(Verify("a.db").exit_code, 0) << "the study itself is sound";
    WriteBytes(path, content);
  }
  EXPECT_EQ(Verify("a.db", {"--files"}).exit_code, 0);
}

// A log whose registered network has another hash than the step that made it: every hash of the
// chain is right, only a replay can see it.
TEST_F(SearchFilesProgramTest, AReplayComparesNameAndHashOfEveryNetwork) {
  ASSERT_EQ(RunProgram(Search("a.db")).exit_code, 0);
  const auto original = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  const std::vector<MeasurementRow> rows = ValueOrDie(original->Measurements());
  const auto copy_with = [&](const std::string& name,
                             const std::function<void(ArtifactEvent&)>& change) {
    const auto copy = ValueOrDie(Study::Create(folder_.Path(name), original->config_json()));
    std::size_t seen = 0;
    std::size_t copied = 0;
    bool first = true;
    for (const Event& event : ValueOrDie(original->Events())) {
      if (event.kind == "config") continue;
      if (event.kind == MeasurementEvent::kKind) {
        if (seen++ < copied) continue;
        // An answer's rows come together, or the second one would be an answer that is there already.
        const std::string id = MeasurementEventOf(rows.at(copied)).measure_id;
        std::vector<MeasurementRow> answer = {rows[copied++]};
        while (copied < rows.size() && !id.empty() &&
               MeasurementEventOf(rows[copied]).measure_id == id) {
          answer.push_back(rows[copied++]);
        }
        ASSERT_TRUE(copy->AppendMeasurements(answer).ok());
      } else if (event.kind == ArtifactEvent::kKind) {
        ArtifactEvent artifact = ValueOrDie(ParseEvent<ArtifactEvent>(event.payload));
        if (std::exchange(first, false)) change(artifact);
        ASSERT_TRUE(copy->PutArtifact(artifact.sha256, artifact.kind, artifact.file).ok());
      } else {
        ASSERT_TRUE(copy->Append(event.kind, event.payload).ok());
      }
    }
    ASSERT_TRUE(copy->Close().ok());
  };
  copy_with("same.db", [](ArtifactEvent&) {});
  copy_with("hash.db", [](ArtifactEvent& artifact) { artifact.sha256[0] ^= 1; });
  copy_with("name.db", [](ArtifactEvent& artifact) { artifact.file = "networks/x.bpnet"; });
  const auto replay = [&](const std::string& study) {
    return RunProgram({ProgramPath("bitpilot"), "replay", "--verify", folder_.Path(study)});
  };
  EXPECT_EQ(replay("same.db").exit_code, 0);
  for (const char* study : {"hash.db", "name.db"}) {
    EXPECT_EQ(Verify(study).exit_code, 0);
    const ProgramResult diverged = replay(study);
    EXPECT_EQ(diverged.exit_code, 1) << study;
    EXPECT_THAT(diverged.err, HasSubstr("no finalist's"));
  }
}

TEST_F(SearchFilesProgramTest, RefusesTheFolderOfAnotherStudy) {
  fs::create_directory(folder_.Path("a.db.files"));
  WriteBytes(folder_.Path("a.db.files/notes"), "mine");
  const ProgramResult refused = RunProgram(Search("a.db"));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("a.db.files"));
  EXPECT_FALSE(fs::exists(folder_.Path("a.db")));

  ASSERT_EQ(RunProgram(Search("b.db")).exit_code, 0);
  KillAfterAStep(Search("c.db"), "c.db");
  fs::rename(folder_.Path("c.db.files"), folder_.Path("elsewhere"));
  EXPECT_EQ(Resume("c.db").exit_code, 1);
  EXPECT_FALSE(fs::exists(folder_.Path("c.db.files"))) << "in the way of the right one";
  fs::rename(folder_.Path("b.db.files"), folder_.Path("c.db.files"));
  const ProgramResult swapped = Resume("c.db");
  EXPECT_NE(swapped.exit_code, 0);
  EXPECT_THAT(swapped.err, HasSubstr("c.db.files: belongs to another study"));
  fs::rename(folder_.Path("c.db.files"), folder_.Path("b.db.files"));
  fs::rename(folder_.Path("elsewhere"), folder_.Path("c.db.files"));
  const ProgramResult resumed = Resume("c.db");
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
}

TEST_F(SearchFilesProgramTest, GoesOnWhereWeightsAndTableHaveMovedTo) {
  const std::string weights = folder_.Path("first/net.safetensors");
  const std::string table = folder_.Path("first/board.cost");
  fs::create_directory(folder_.Path("first"));
  fs::copy_file(BITPILOT_SOURCE_DIR "/experiments/data/resnet8.safetensors", weights);
  fs::copy_file(BITPILOT_SOURCE_DIR "/experiments/boards/" + kTable + ".cost", table);
  KillAfterAStep(Search("a.db", {"--weights", weights, "--device", "model:" + table}), "a.db");
  // The weights are those that ship, which are found by their hash; the table is gone.
  fs::rename(folder_.Path("first"), folder_.Path("second"));
  const ProgramResult lost = Resume("a.db");
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, HasSubstr(table));
  EXPECT_THAT(lost.err, HasSubstr("--device, --fleet"));
  EXPECT_EQ(ResultOf(Verify("a.db"))["end_may_be_missing"], false);
  const ProgramResult typo = Resume("a.db", {"--device", "model:" + table});
  EXPECT_EQ(typo.exit_code, 1) << typo.err;
  const ProgramResult bytes = Resume("a.db", {"--data", "caf\xe9"});
  EXPECT_EQ(bytes.exit_code, 2);
  EXPECT_THAT(bytes.err, HasSubstr("must be UTF-8"));

  const std::string new_table = folder_.Path("second/board.cost");
  const std::vector<std::string> moved = {"--weights", folder_.Path("second/net.safetensors"),
                                          "--device", "model:" + new_table};
  const std::string content = ReadBytes(new_table);
  WriteBytes(new_table, ReadBytes(BITPILOT_SOURCE_DIR "/experiments/boards/mpic_resnet8.cost"));
  const ProgramResult other = Resume("a.db", moved);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("expected SHA-256"));
  WriteBytes(new_table, content);

  EXPECT_EQ(Resume("a.db", {"--seed", "2"}).exit_code, 2) << "that would be another search";
  const ProgramResult restricted = Resume("a.db", {"--device", "local:scalar"});
  EXPECT_EQ(restricted.exit_code, 1);
  EXPECT_THAT(restricted.err, HasSubstr("local:ISA"));

  std::vector<std::string> arguments = {ProgramPath("bitpilot"), "search", "--study",
                                        folder_.Path("a.db"), "--resume"};
  arguments.insert(arguments.end(), moved.begin(), moved.end());
  const ProgramResult stopped =
      RunProgramUntil(arguments, SIGKILL, [&] { return NumSteps("a.db") >= 2; });
  // The study knows the new places from now on.
  const ProgramResult last = Resume("a.db");
  EXPECT_EQ(last.exit_code, 0) << stopped.err << last.err;
  EXPECT_EQ(
      RunProgram({ProgramPath("bitpilot"), "replay", "--verify", folder_.Path("a.db")}).exit_code,
      0);
}

TEST_F(SearchFilesProgramTest, StoresShippedWeightsAsThat) {
  KillAfterAStep(Search("a.db"), "a.db");
  const auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  EXPECT_EQ(Json::parse(study->config_json())["weights"], "shipped");
  EXPECT_EQ(Json::parse(study->config_json())["data"], "sample");
}

TEST_F(SearchFilesProgramTest, SaysOfACopyThatItsEndMayBeMissing) {
  std::string study;
  ProgramResult copied;
  // Whoever is killed while the log is written back leaves a main file that is no study without it:
  // then another one.
  for (int i = 0; i < 5 && (i == 0 || copied.exit_code != 0); ++i) {
    study = "a" + std::to_string(i) + ".db";
    KillAfterAStep(Search(study), study);
    fs::copy_file(folder_.Path(study), folder_.Path("copy.db"),
                  fs::copy_options::overwrite_existing);
    copied = Verify("copy.db");
  }
  EXPECT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_EQ(ResultOf(copied)["end_may_be_missing"], true);
  EXPECT_THAT(copied.err, HasSubstr("copy.db-wal is not beside it"));
  EXPECT_THAT(copied.err, HasSubstr("To copy a study"));
  const std::string html = folder_.Path("copy.html");
  const ProgramResult report =
      RunProgram({ProgramPath("bitpilot"), "report", folder_.Path("copy.db"), "-o", html});
  EXPECT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(ReadBytes(html), HasSubstr("The end of this study may be missing"));
  const ProgramResult whole = Verify(study);
  EXPECT_EQ(ResultOf(whole)["end_may_be_missing"], false);
  EXPECT_THAT(whole.err, Not(HasSubstr("missing")));
}

}  // namespace
}  // namespace bitpilot
