// What a process can still do in the worker's sandbox: tried in a child, since nobody gets out again.
#include "device_daemon/worker/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "device_daemon/worker/sanitized.h"
#include "kernels/base/file_io.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

// Runs `attempt` in a child inside the sandbox. True if it succeeded there.
bool SucceedsInside(const std::string& store, const SandboxSupport& support,
                    const std::function<bool()>& attempt) {
  const pid_t child = fork();
  if (child == 0) {
    constexpr int kNoSandbox = 9;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !EnterSandbox(store, support).ok()) {
      _exit(kNoSandbox);
    }
    _exit(attempt() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_LE(WEXITSTATUS(status), 1) << "the sandbox could not be entered";
  return WEXITSTATUS(status) == 1;
}

bool CanOpen(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
  return file >= 0;
}

// A process that waits, with a secret in its memory, and hides that as the daemon does.
class HiddenProcess {
 public:
  HiddenProcess() : pid_(fork()) {
    if (pid_ != 0) return;
    HideOwnMemory();
    for (;;) pause();
  }
  ~HiddenProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  HiddenProcess(const HiddenProcess&) = delete;
  HiddenProcess& operator=(const HiddenProcess&) = delete;
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(key_) << "secret";
    ASSERT_EQ(mkdir(store_.c_str(), 0700), 0);
    ASSERT_EQ(mkdir(own_.c_str(), 0700), 0);
    std::ofstream(store_ + "/network") << "bytes";
  }

  const TemporaryFolder folder_;
  const std::string key_ = folder_ / "daemon.key";
  const std::string store_ = folder_ / "store";
  const std::string own_ = store_ + "/worker";
  const SandboxSupport all_ = ProbeSandbox();
  const SandboxSupport none_;  // An old kernel's.
  char secret_[8] = "secret";
};

TEST_F(SandboxTest, ReadsTheStoreAndReplacesFilesOfItsOwnFolder) {
  EXPECT_TRUE(SucceedsInside(store_, all_, [this] {
    return CanOpen(store_ + "/network", O_RDONLY) &&
           WriteFileAtomically(own_ + "/choices", "first").ok() &&
           WriteFileAtomically(own_ + "/choices", "second").ok();
  }));
  EXPECT_EQ(*ReadFile(own_ + "/choices"), "second");
}

TEST_F(SandboxTest, ChangesNothingElseInTheStore) {
  if (all_.landlock_version == 0) GTEST_SKIP() << SandboxGaps(all_)[0];
  const std::string network = store_ + "/network";
  const std::function<bool()> attempts[] = {
      [&] { return CanOpen(network, O_WRONLY); },
      [&] { return CanOpen(network, O_RDONLY | O_TRUNC); },
      [&] { return truncate(network.c_str(), 0) == 0; },
      [&] { return unlink(network.c_str()) == 0; },
      [&] { return CanOpen(store_ + "/planted", O_WRONLY | O_CREAT); },
      [&] { return std::rename(network.c_str(), (own_ + "/network").c_str()) == 0; }};
  for (const SandboxSupport& support : {all_, SandboxSupport{1, all_.has_seccomp}}) {
    for (const std::function<bool()>& attempt : attempts) {
      // Before version 3 only the filter looks at lengths, and sanitizers run without it.
      if (support.landlock_version < 3 && (kSanitized || !support.has_seccomp)) continue;
      EXPECT_FALSE(SucceedsInside(store_, support, attempt)) << &attempt - attempts;
    }
  }
  EXPECT_EQ(*ReadFile(network), "bytes");
}

// Landlock says nothing of them.
TEST_F(SandboxTest, ChangesNoRightsOwnersAttributesOrTimesOfAFile) {
  if (!all_.has_seccomp) GTEST_SKIP() << "this kernel has no seccomp filters";
  if (kSanitized) GTEST_SKIP() << "sanitizers run without the filter";
  const char* key = key_.c_str();
  const uid_t user = getuid();
  const gid_t group = getgid();
  const std::pair<const char*, std::function<bool()>> attempts[] = {
      {"chmod", [&] { return chmod(key, 0644) == 0; }},
      {"fchmodat", [&] { return fchmodat(AT_FDCWD, key, 0644, 0) == 0; }},
      {"chown", [&] { return chown(key, user, group) == 0; }},
      {"lchown", [&] { return lchown(key, user, group) == 0; }},
      {"fchownat", [&] { return fchownat(AT_FDCWD, key, user, group, 0) == 0; }},
      {"truncate", [&] { return truncate(key, 3) == 0; }},
      {"utimensat", [&] { return utimensat(AT_FDCWD, key, nullptr, 0) == 0; }},
      {"utimes", [&] { return utimes(key, nullptr) == 0; }}};
  for (const auto& [name, attempt] : attempts) {
    EXPECT_FALSE(SucceedsInside(store_, {0, true}, attempt)) << name;
    EXPECT_TRUE(attempt()) << name << " would not have succeeded without the sandbox";
  }
  // A file system need not have attributes: the filter refuses before it is asked.
  for (const bool sets : {true, false}) {
    EXPECT_TRUE(SucceedsInside(store_, {0, true}, [&] {
      const int result =
          sets ? setxattr(key, "user.note", "x", 1, 0) : removexattr(key, "user.note");
      return result != 0 && errno == EPERM;
    })) << sets;
  }
}

TEST_F(SandboxTest, SignalsNobodyButItself) {
  if (!all_.has_seccomp) GTEST_SKIP() << "this kernel has no seccomp filters";
  if (kSanitized) GTEST_SKIP() << "sanitizers run without the filter";
  const pid_t daemon = getpid();
  for (const SandboxSupport& support : {all_, SandboxSupport{0, true}}) {
    EXPECT_FALSE(SucceedsInside(store_, support, [&] { return kill(daemon, 0) == 0; }));
    EXPECT_FALSE(SucceedsInside(store_, support,
                                [&] { return syscall(SYS_tgkill, daemon, daemon, 0) == 0; }));
    EXPECT_FALSE(
        SucceedsInside(store_, support, [&] { return syscall(SYS_tkill, daemon, 0) == 0; }));
    EXPECT_FALSE(SucceedsInside(store_, support, [&] {
      siginfo_t info{};
      info.si_code = SI_QUEUE;
      return syscall(SYS_rt_sigqueueinfo, daemon, 0, &info) == 0;
    }));
    // abort() must end it.
    EXPECT_TRUE(SucceedsInside(store_, support,
                               [] { return syscall(SYS_tgkill, getpid(), gettid(), 0) == 0; }));
  }
}

TEST_F(SandboxTest, ReadsWhatTellsOfTheBoard) {
  EXPECT_TRUE(SucceedsInside(store_, all_, [] {
    return CanOpen("/proc/cpuinfo", O_RDONLY) && CanOpen("/sys/devices/system/cpu", O_RDONLY);
  }));
}

TEST_F(SandboxTest, ReachesNoFileOutsideOfTheStore) {
  if (all_.landlock_version == 0) GTEST_SKIP() << SandboxGaps(all_)[0];
  for (const std::string& path :
       {key_, store_ + "/../daemon.key", "/proc/self/root" + key_, std::string("/etc/passwd")}) {
    ASSERT_TRUE(CanOpen(path, O_RDONLY)) << path;
    EXPECT_FALSE(SucceedsInside(store_, all_, [&] { return CanOpen(path, O_RDONLY); })) << path;
  }
  EXPECT_FALSE(SucceedsInside(store_, all_, [this] {
    return CanOpen(folder_ / "planted", O_WRONLY | O_CREAT) || unlink(key_.c_str()) == 0 ||
           link(key_.c_str(), (store_ + "/key").c_str()) == 0 ||
           std::rename(key_.c_str(), (store_ + "/key").c_str()) == 0;
  }));
}

TEST_F(SandboxTest, StartsNoProgramAndOpensNoSocket) {
  if (!all_.has_seccomp) GTEST_SKIP() << "this kernel has no seccomp filters";
  if (kSanitized) GTEST_SKIP() << "sanitizers run without the filter";
  EXPECT_FALSE(SucceedsInside(store_, all_, [] {
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
  }));
  // It would end with 1, which is this test's success.
  const auto run_program = [] {
    execl("/bin/false", "false", static_cast<char*>(nullptr));
    return false;
  };
  EXPECT_TRUE(SucceedsInside(store_, none_, run_program));
  EXPECT_FALSE(SucceedsInside(store_, all_, run_program));
}

TEST_F(SandboxTest, F3StartsNoProcess) {
  if (!all_.has_seccomp) GTEST_SKIP() << "this kernel has no seccomp filters";
  if (kSanitized) GTEST_SKIP() << "sanitizers run without the filter";
  const auto fork_once = [] {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, nullptr, 0);
    return child > 0;
  };
  EXPECT_TRUE(SucceedsInside(store_, none_, fork_once));
  EXPECT_FALSE(SucceedsInside(store_, all_, fork_once));
}

// With everything that the kernel has, and with nothing but what every kernel has.
TEST_F(SandboxTest, SeesNothingOfTheDaemonsMemory) {
  const HiddenProcess daemon;
  const std::string memory = "/proc/" + std::to_string(daemon.pid()) + "/mem";
  for (const SandboxSupport& support : {all_, none_}) {
    EXPECT_FALSE(SucceedsInside(store_, support, [&] { return CanOpen(memory, O_RDONLY); }));
    EXPECT_FALSE(SucceedsInside(store_, support, [&] {
      return ptrace(PTRACE_ATTACH, daemon.pid(), nullptr, nullptr) == 0;
    }));
    EXPECT_FALSE(SucceedsInside(store_, support, [&] {
      char copy[8];
      const iovec local{copy, sizeof copy};
      const iovec remote{secret_, sizeof secret_};
      return process_vm_readv(daemon.pid(), &local, 1, &remote, 1, 0) > 0;
    }));
  }
}

TEST_F(SandboxTest, SaysWhatAnOldKernelLacks) {
  EXPECT_EQ(SandboxGaps(none_).size(), 4U);
  EXPECT_EQ(SandboxGaps({0, true}).size(), 1U);
  EXPECT_TRUE(SandboxGaps({1, true}).empty());
  // What the filter refuses anyway is a gap only without it.
  EXPECT_EQ(SandboxGaps({2, false}).size(), 3U);
  EXPECT_EQ(SandboxGaps({3, false}).size(), 2U);
  EXPECT_EQ(SandboxGaps({6, false}).size(), 1U);
}

TEST_F(SandboxTest, NamesAStoreThatDoesNotExist) {
  if (all_.landlock_version == 0) GTEST_SKIP() << SandboxGaps(all_)[0];
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const Status status = EnterSandbox(folder_ / "none", all_);
    _exit(status.code() == StatusCode::kNotFound ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace bitpilot
