// CPU cores on fake boards: files as Linux shows them on chips with one and with several kinds.
#include "device_daemon/measurement/cpu_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "device_daemon/energy/board_state.h"
#include "device_daemon/server/capabilities.h"
#include "tests/device_daemon/fake_sysfs.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

const std::vector<int> kEight = {0, 1, 2, 3, 4, 5, 6, 7};

// The blocks of /proc/cpuinfo of CPUs [first, end).
std::string ArmInfo(int first, int end, const std::string& part) {
  std::string text;
  for (int cpu = first; cpu < end; ++cpu) {
    text += "processor\t: " + std::to_string(cpu) +
            "\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
            "CPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: " +
            part + "\nCPU revision\t: 0\n\n";
  }
  return text;
}

std::string X86Info(int count) {
  std::string text;
  for (int cpu = 0; cpu < count; ++cpu) {
    text += "processor\t: " + std::to_string(cpu) +
            "\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 151\n"
            "model name\t: Intel(R) Core(TM) i7\nstepping\t: 2\n\n";
  }
  return text;
}

void WriteCpu(const FakeSysfs& board, int cpu, const std::string& capacity,
              const std::string& max_khz, const std::string& governor) {
  const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/";
  if (!capacity.empty()) board.Write(folder + "cpu_capacity", capacity);
  if (max_khz.empty()) return;
  board.Write(folder + "cpufreq/cpuinfo_max_freq", max_khz);
  board.Write(folder + "cpufreq/scaling_cur_freq", max_khz);
  board.Write(folder + "cpufreq/scaling_governor", governor);
}

// Four Cortex-A55 and, as two clusters, four Cortex-A76: a Rockchip RK3588.
void WriteRockchip(const FakeSysfs& board) {
  for (int cpu = 0; cpu < 8; ++cpu) {
    const bool big = cpu >= 4;
    WriteCpu(board, cpu, big ? "1024" : "530", big ? "2400000" : "1800000",
             big ? "performance" : "ondemand");
  }
  board.Write("proc/cpuinfo", ArmInfo(0, 4, "0xd05") + ArmInfo(4, 8, "0xd0b"));
}

CpuCore Choose(const FakeSysfs& board, const std::vector<int>& allowed, const std::string& choice) {
  const Result<CpuCore> core = ChooseCore(ReadCpuCores(board.root()), allowed, choice);
  EXPECT_TRUE(core.ok()) << core.status().message();
  return core.ok() ? *core : CpuCore();
}

std::string Refusal(const FakeSysfs& board, const std::vector<int>& allowed,
                    const std::string& choice) {
  const Result<CpuCore> core = ChooseCore(ReadCpuCores(board.root()), allowed, choice);
  EXPECT_EQ(core.status().code(), StatusCode::kInvalidArgument);
  return core.status().message();
}

TEST(CpuCoreTest, TellsBigFromLittleByCapacity) {
  const FakeSysfs board;
  WriteRockchip(board);
  const CpuCore big = Choose(board, kEight, "big");
  EXPECT_EQ(big.cpu, 7);
  EXPECT_EQ(big.Identity(), "implementer 0x41 part 0xd0b, capacity 1024, CPUs 4-7");
  EXPECT_EQ(big.governor, "performance");
  EXPECT_EQ(big.max_khz, 2'400'000);
  const CpuCore little = Choose(board, kEight, "little");
  EXPECT_EQ(little.cpu, 3);
  EXPECT_EQ(little.Identity(), "implementer 0x41 part 0xd05, capacity 530, CPUs 0-3");
  EXPECT_EQ(little.model, "implementer 0x41 part 0xd05");
  EXPECT_EQ(little.governor, "ondemand");
  EXPECT_EQ(Choose(board, kEight, "").cpu, 7);
  EXPECT_EQ(Choose(board, kEight, "5").cpu, 5);
}

// On Intel's hybrids the strong cores come first, and nothing tells a capacity.
TEST(CpuCoreTest, TellsBigFromLittleByFrequencyWhereNoCapacityIsTold) {
  const FakeSysfs board;
  board.Write("proc/cpuinfo", X86Info(8));
  for (int cpu = 0; cpu < 8; ++cpu) {
    // Two favoured cores are a little faster than the other strong ones.
    WriteCpu(board, cpu, "", cpu < 2 ? "5200000" : cpu < 4 ? "5000000" : "3800000", "powersave");
  }
  EXPECT_EQ(Choose(board, kEight, "").cpu, 3);
  const CpuCore big = Choose(board, kEight, "big");
  EXPECT_EQ(big.cpu, 3);
  EXPECT_EQ(big.Identity(), "GenuineIntel family 6 model 151, up to 5000 MHz, CPUs 0-3");
  const CpuCore little = Choose(board, kEight, "little");
  EXPECT_EQ(little.cpu, 7);
  EXPECT_EQ(little.cluster, "4-7");
}

// Its identity must not depend on which of the equal CPUs a container happens to be given.
TEST(CpuCoreTest, CpusThatAreAlikeHaveOneIdentity) {
  const FakeSysfs board;
  board.Write("proc/cpuinfo", X86Info(8));
  for (int cpu = 0; cpu < 8; ++cpu) WriteCpu(board, cpu, "1024", "", "");
  const CpuCore core = Choose(board, kEight, "");
  EXPECT_EQ(core.cpu, 7);
  EXPECT_EQ(core.Identity(), "GenuineIntel family 6 model 151, capacity 1024");
  EXPECT_EQ(core.model, "Intel(R) Core(TM) i7");
  EXPECT_EQ(Choose(board, {2, 3}, "").Identity(), core.Identity());
  EXPECT_THAT(Refusal(board, kEight, "big"), HasSubstr("the CPUs are alike"));
  EXPECT_THAT(Refusal(board, kEight, "little"), HasSubstr("the CPUs are alike"));
}

// The same of the fast cluster's CPUs: which one measured is a condition, not an identity.
TEST(CpuCoreTest, CpusOfOneKindHaveOneIdentity) {
  const FakeSysfs board;
  WriteRockchip(board);
  EXPECT_EQ(Choose(board, kEight, "4").Identity(), Choose(board, kEight, "7").Identity());
  EXPECT_EQ(Choose(board, {4, 5}, "4").Identity(), Choose(board, kEight, "7").Identity());
  EXPECT_NE(Choose(board, kEight, "0").Identity(), Choose(board, kEight, "7").Identity());
}

std::vector<int> CpusOf(const Result<std::vector<CpuCore>>& cores) {
  EXPECT_TRUE(cores.ok()) << cores.status().message();
  std::vector<int> cpus;
  if (!cores.ok()) return cpus;
  for (const CpuCore& core : *cores) cpus.push_back(core.cpu);
  return cpus;
}

TEST(CpuCoreTest, ThreadsStayInOneCluster) {
  const FakeSysfs board;
  WriteRockchip(board);
  const std::vector<CpuCore> cores = ReadCpuCores(board.root());
  EXPECT_EQ(CpusOf(ChooseCores(cores, kEight, "", 2)), (std::vector<int>{7, 6}));
  EXPECT_EQ(CpusOf(ChooseCores(cores, kEight, "5", 3)), (std::vector<int>{5, 7, 6}));
  EXPECT_EQ(CpusOf(ChooseCores(cores, kEight, "little", 4)), (std::vector<int>{3, 2, 1, 0}));
  EXPECT_EQ(CpusOf(ChooseCores(cores, kEight, "0", 1)), (std::vector<int>{0}));
  const Result<std::vector<CpuCore>> five = ChooseCores(cores, kEight, "big", 5);
  EXPECT_EQ(five.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(five.status().message(), HasSubstr("--threads 5"));
  EXPECT_THAT(five.status().message(), HasSubstr("4 cores"));
  EXPECT_THAT(ChooseCores(cores, {3, 6, 7}, "big", 3).status().message(), HasSubstr("3,6-7"));
  EXPECT_THAT(ChooseCores(cores, kEight, "9", 2).status().message(), HasSubstr("--cpu 9"));
}

// Two hardware threads of one core have its execution units between them.
TEST(CpuCoreTest, ThreadsHaveCoresOfTheirOwn) {
  const FakeSysfs board;
  board.Write("proc/cpuinfo", X86Info(4));
  for (int cpu = 0; cpu < 4; ++cpu) {
    WriteCpu(board, cpu, "", "3000000", "");
    board.Write(
        "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
        cpu % 2 == 0 ? "0,2" : "1,3");
  }
  const std::vector<CpuCore> cores = ReadCpuCores(board.root());
  EXPECT_EQ(CpusOf(ChooseCores(cores, {0, 1, 2, 3}, "", 2)), (std::vector<int>{3, 2}));
  EXPECT_EQ(CpusOf(ChooseCores(cores, {0, 1, 2, 3}, "2", 2)), (std::vector<int>{2, 3}));
  EXPECT_THAT(ChooseCores(cores, {0, 1, 2, 3}, "", 3).status().message(), HasSubstr("2 cores"));
  EXPECT_THAT(ChooseCores(cores, {1, 3}, "", 2).status().message(), HasSubstr("1 core;"));
}

// An emulator and some containers show another machine's proc/cpuinfo.
TEST(CpuCoreTest, AnArmCpusOwnRegisterSaysWhatItIs) {
  const FakeSysfs board;
  WriteRockchip(board);
  board.Write("proc/cpuinfo", ArmInfo(0, 8, "0xd05"));
  for (int cpu = 0; cpu < 8; ++cpu) {
    board.Write(
        "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/regs/identification/midr_el1",
        cpu < 4 ? "0x00000000412fd050" : "0x00000000414fd0b1");
  }
  EXPECT_EQ(Choose(board, kEight, "big").Identity(),
            "implementer 0x41 part 0xd0b, capacity 1024, CPUs 4-7");
  EXPECT_EQ(Choose(board, kEight, "little").Identity(),
            "implementer 0x41 part 0xd05, capacity 530, CPUs 0-3");
  board.Write("sys/devices/system/cpu/cpu7/regs/identification/midr_el1", "no number");
  EXPECT_EQ(Choose(board, kEight, "7").part, "implementer 0x41 part 0xd05");
}

TEST(CpuCoreTest, ACpuThatIsSwitchedOffIsNoKindOfItsOwn) {
  const FakeSysfs board;
  board.Write("proc/cpuinfo", X86Info(3));
  for (int cpu = 0; cpu < 4; ++cpu) WriteCpu(board, cpu, "1024", "", "");
  EXPECT_EQ(Choose(board, {0, 1, 2}, "").Identity(),
            "GenuineIntel family 6 model 151, capacity 1024");
}

TEST(CpuCoreTest, RefusesCpusThatItMayNotUseAndSaysWhichThereAre) {
  const FakeSysfs board;
  WriteRockchip(board);
  EXPECT_THAT(Refusal(board, kEight, "8"),
              HasSubstr("--cpu 8: no such CPU: this process may use CPUs 0-7; there are CPUs 0-3 "
                        "(implementer 0x41 part 0xd05, capacity 530), CPUs 4-7"));
  EXPECT_THAT(Refusal(board, {0, 1, 4}, "5"), HasSubstr("may use CPUs 0-1,4"));
  for (const char* word : {"-1", "3x", "huge", " 3", "99999999999"}) {
    EXPECT_THAT(Refusal(board, kEight, word), HasSubstr("number, big or little")) << word;
  }
  // Only what may be used counts: here all are little.
  EXPECT_THAT(Refusal(board, {0, 1}, "big"), HasSubstr("alike"));
}

TEST(CpuCoreTest, GoesWithoutWhatTheSystemDoesNotTell) {
  const FakeSysfs nothing;
  const CpuCore core = Choose(nothing, {0, 1}, "");
  EXPECT_EQ(core.cpu, 1);
  EXPECT_EQ(core.Identity(), "");
  EXPECT_EQ(Choose(nothing, {0, 1}, "0").cpu, 0);
}

TEST(CpuCoreTest, NamesACpuOfThisMachine) {
  const Result<CpuCore> core = ChooseCore("");
  ASSERT_TRUE(core.ok()) << core.status().message();
  EXPECT_THAT(AllowedCpus(), testing::Contains(core->cpu));
  EXPECT_EQ(ChooseCore(std::to_string(core->cpu))->Identity(), core->Identity());
}

TEST(CpuListTest, WritesRanges) {
  EXPECT_EQ(CpuList({}), "");
  EXPECT_EQ(CpuList({3}), "3");
  EXPECT_EQ(CpuList({0, 1, 2, 4, 6, 7}), "0-2,4,6-7");
}

// What agents are told, and fingerprints are made of, is the measured core's and not CPU 0's.
TEST(DescribeDeviceTest, TellsOfTheCoreThatMeasures) {
  const FakeSysfs board;
  WriteRockchip(board);
  const CpuCore core = Choose(board, kEight, "big");
  const v1::DeviceCapabilities device = DescribeDevice("board", Isa::kScalar, core, std::nullopt);
  EXPECT_EQ(device.cpu_model(), "implementer 0x41 part 0xd0b");
  EXPECT_EQ(device.core(), core.Identity());
  EXPECT_EQ(device.cpu(), 7U);
  EXPECT_EQ(device.governor(), "performance");
  CostTable table;
  table.name = "a model";
  EXPECT_EQ(DescribeDevice("board", Isa::kScalar, core, table).core(), "");
}

// One line, however many CPUs there are; and only the core that measures counts.
TEST(StateConcernsTest, TellOfTheMeasuredCoresGovernorInOneLine) {
  const FakeSysfs board;
  WriteRockchip(board);
  for (int cpu = 0; cpu < 8; ++cpu) {
    const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/";
    board.Write(folder + "scaling_min_freq", "400000");
    board.Write(folder + "scaling_max_freq", "2400000");
  }
  const BoardState state = ReadBoardState(board.root());
  EXPECT_THAT(FindStateConcerns(state, 7), testing::IsEmpty());
  EXPECT_THAT(FindStateConcerns(state, 3),
              testing::ElementsAre(HasSubstr("cpu3 has the governor ondemand")));
  EXPECT_THAT(FindStateConcerns(state, -1),
              testing::ElementsAre(HasSubstr("cpu0 and 3 other CPUs have the governor ondemand")));
}

}  // namespace
}  // namespace bitpilot
