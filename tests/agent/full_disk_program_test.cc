// Searches and what is made of them on a disk that is full, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"
#include "tests/full_disk.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Arguments = std::vector<std::string>;

class FullDiskProgramTest : public testing::Test {
 protected:
  FullDiskProgramTest() { UseSmallSample(); }

  static ProgramResult Bitpilot(Arguments arguments) {
    arguments.insert(arguments.begin(), ProgramPath("bitpilot"));
    return RunProgram(arguments);
  }
  ProgramResult Search(const Arguments& more) const {
    Arguments arguments = {"search",
                           "--fast",
                           "--widths",
                           "4,8",
                           "--measurements",
                           "3",
                           "--study",
                           study_,
                           "--device",
                           "model:zen5_avx2_resnet8",
                           "--calibration-images",
                           "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Bitpilot(arguments);
  }

  const StudyFolder folder_;
  const std::string study_ = folder_.Path("a.db");
};

TEST_F(FullDiskProgramTest, F11ASearchSaysSoAndGoesOnWhenThereIsRoom) {
  struct Case {
    rlim_t largest_bytes;
    const char* what;
    Arguments flags;
  };
  // A network takes some ten kilobytes, a checkpoint a megabyte.
  for (const Case& full : {Case{60'000, ".bpnet", {}}, Case{300'000,
                                                            ".ckpt",
                                                            {"--train-batches", "1", "--batch-size",
                                                             "16", "--final-batches", "1"}}}) {
    SCOPED_TRACE(full.what);
    std::error_code ignored;
    std::filesystem::remove(study_, ignored);
    std::filesystem::remove_all(study_ + ".files", ignored);
    ProgramResult stopped;
    {
      const FullDisk disk(full.largest_bytes);
      stopped = Search(full.flags);
    }
    EXPECT_EQ(stopped.exit_code, 1) << stopped.err;
    EXPECT_THAT(stopped.err, HasSubstr(full.what));
    EXPECT_THAT(stopped.err, HasSubstr("cannot write"));
    EXPECT_THAT(stopped.err, HasSubstr("go on with `bitpilot search --study " + study_));
    const ProgramResult verified = Bitpilot({"log", "verify", "--files", study_});
    EXPECT_EQ(verified.exit_code, 0) << verified.err;
    const ProgramResult resumed = Bitpilot({"search", "--study", study_, "--resume"});
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(Bitpilot({"replay", "--verify", study_}).exit_code, 0);
  }
}

TEST_F(FullDiskProgramTest, WhatIsWrittenOfItIsWholeOrAsBefore) {
  const ProgramResult search = Search({});
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const std::string earlier = "what was here before";
  const auto write = [&](const std::string& name, Arguments arguments) {
    const std::string path = folder_.Path(name);
    for (std::string& argument : arguments) {
      if (argument == "OUTPUT") argument = path;
    }
    if (name != "lut.csv") WriteBytes(path, earlier);  // profile replaces nothing
    ProgramResult full;
    {
      const FullDisk disk(1'000);
      full = Bitpilot(arguments);
    }
    SCOPED_TRACE(name);
    EXPECT_EQ(full.exit_code, 1) << full.err;
    EXPECT_THAT(full.err, HasSubstr(path + ": cannot write"));
    EXPECT_EQ(ReadBytes(path), name == "lut.csv" ? "" : earlier);
    const ProgramResult written = Bitpilot(arguments);
    EXPECT_EQ(written.exit_code, 0) << written.err;
  };
  write("a.html", {"report", study_, "-o", "OUTPUT"});
  write("net.bpnet", {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--export", "OUTPUT"});
  const std::string lut = folder_.Path("lut.json");
  const ProgramResult profile =
      Bitpilot({"profile", "--model", "resnet8", "--device", "model:zen5_avx2_resnet8", "--fast",
                "--quick", "--bits", "4,8", "--export", lut});
  ASSERT_EQ(profile.exit_code, 0) << profile.err;
  write("lut.csv", {"profile", "--from", lut, "--export", "OUTPUT"});
}

}  // namespace
}  // namespace bitpilot
