#include "device_daemon/worker/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "device_daemon/worker/sanitized.h"
#include "kernels/runtime/kernel_choices.h"

namespace bitpilot {
namespace {

// Debian 12's headers do not have all of these.
constexpr long kLandlockCreateRuleset = 444;
constexpr long kLandlockAddRule = 445;
constexpr long kLandlockRestrictSelf = 446;
constexpr std::uint64_t kAccessFsTruncate = 1ULL << 14;
constexpr std::uint64_t kScopeAbstractUnixSocket = 1ULL << 0;
constexpr std::uint64_t kScopeSignal = 1ULL << 1;

constexpr std::uint64_t kAccessFsVersion1 = (1ULL << 13) - 1;  // LANDLOCK_ACCESS_FS_*, 0 to 12.
constexpr std::uint64_t kAccessRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

// What a landlock_ruleset_attr grew to; older kernels take its beginning.
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;  // From version 4 on.
  std::uint64_t scoped = 0;              // From version 6 on.
};

Status Refused(const std::string& what) {
  return {StatusCode::kInternal, "the kernel refuses " + what + ": " + std::strerror(errno)};
}

// Folders that do not exist on this system need no rule, unless they are required.
Status AllowBelow(int ruleset, const char* path, std::uint64_t access, bool required) {
  const int folder = open(path, O_PATH | O_CLOEXEC);
  if (folder < 0) {
    if (!required) return {};
    return {StatusCode::kNotFound, std::string(path) + ": " + std::strerror(errno)};
  }
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = folder;
  const long added = syscall(kLandlockAddRule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  const Status status = added == 0 ? Status() : Refused("a Landlock rule for " + std::string(path));
  close(folder);
  return status;
}

Status RestrictFiles(const std::string& store_folder, int version) {
  RulesetAttributes attributes;
  attributes.handled_access_fs = kAccessFsVersion1;
  if (version >= 2) attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) attributes.handled_access_fs |= kAccessFsTruncate;
  std::size_t size = offsetof(RulesetAttributes, handled_access_net);
  if (version >= 6) {
    attributes.scoped = kScopeAbstractUnixSocket | kScopeSignal;
    size = sizeof attributes;
  }
  const auto ruleset = static_cast<int>(syscall(kLandlockCreateRuleset, &attributes, size, 0));
  if (ruleset < 0) return Refused("a Landlock ruleset");
  std::uint64_t own = kAccessRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                      LANDLOCK_ACCESS_FS_REMOVE_FILE;
  if (version >= 3) own |= kAccessFsTruncate;
  Status status = AllowBelow(ruleset, store_folder.c_str(), kAccessRead, /*required=*/true);
  if (status.ok()) {
    status =
        AllowBelow(ruleset, (store_folder + "/" + kWorkerFolder).c_str(), own, /*required=*/true);
  }
  for (const char* folder : {"/proc", "/sys", "/usr/lib", "/lib", "/lib64"}) {
    if (status.ok()) status = AllowBelow(ruleset, folder, kAccessRead, /*required=*/false);
  }
  if (status.ok() && syscall(kLandlockRestrictSelf, ruleset, 0) != 0) {
    status = Refused("to enter a Landlock sandbox");
  }
  close(ruleset);
  return status;
}

#if defined(__x86_64__)
constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_RISCV64;
#else
constexpr std::uint32_t kNativeArchitecture = 0;  // No filter.
#endif

// Calls of another ABI of the same CPU (x32) have numbers from here on.
constexpr std::uint32_t kForeignNumbers = 0x40000000;

// Newer than Debian 12's headers; the numbers are the same on all architectures.
constexpr long kFchmodat2 = 452;
constexpr long kSetxattrat = 463;
constexpr long kRemovexattrat = 466;

constexpr long kDeniedCalls[] = {
    // other processes
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_open,
    SYS_pidfd_getfd, SYS_perf_event_open,
    // signals; tgkill() reaches the own process only (see RestrictCalls())
    SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal,
    // other programs and processes; clone() makes threads only (see RestrictCalls())
    SYS_execve, SYS_execveat,
#ifdef SYS_fork  // older architectures
    SYS_fork, SYS_vfork,
#endif
    // the network
    SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept4,
    // files by other ways than open
    SYS_open_by_handle_at, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_mount,
    SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_open_tree, SYS_move_mount,
    SYS_fsopen, SYS_fsmount,
    // what Landlock leaves of files: length (before its version 3), rights, owner, attributes, times
    SYS_truncate, SYS_fchmod, SYS_fchmodat, kFchmodat2, SYS_fchown, SYS_fchownat, SYS_setxattr,
    SYS_lsetxattr, SYS_fsetxattr, kSetxattrat, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
    kRemovexattrat, SYS_utimensat,
#ifdef SYS_openat2  // Its flags are out of a filter's sight.
    SYS_openat2,
#endif
#ifdef SYS_truncate64  // 32 bit
    SYS_truncate64, SYS_utimensat_time64,
#endif
#ifdef SYS_chown32
    SYS_chown32, SYS_lchown32, SYS_fchown32,
#endif
#ifdef SYS_chmod  // older architectures
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utimes, SYS_futimesat,
#endif
#ifdef SYS_utime
    SYS_utime,
#endif
    // the kernel
    SYS_bpf, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot};

// A call that is denied for one of its arguments: if its bits in `mask` are `value`, or are not.
struct DeniedArgument {
  long call;
  int argument;  // from 0
  std::uint32_t mask;
  std::uint32_t value;
  bool if_equal;
};

// Opens for reading alone, and truncates nevertheless: before its version 3, Landlock asks only for
// the right to read.
constexpr std::uint32_t kOpenMask = O_ACCMODE | O_TRUNC;
constexpr std::uint32_t kReadAndTruncate = O_RDONLY | O_TRUNC;

// The low half of an argument.
constexpr std::size_t ArgumentOffset(int argument) {
  constexpr std::size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
  return offsetof(seccomp_data, args) + static_cast<std::size_t>(argument) * 8 + low;
}

Status RestrictCalls() {
  const DeniedArgument denied_arguments[] = {
      {SYS_tgkill, 0, ~0U, static_cast<std::uint32_t>(getpid()), false},
      {SYS_clone, 0, CLONE_THREAD, CLONE_THREAD, false},
#ifdef SYS_open
      {SYS_open, 1, kOpenMask, kReadAndTruncate, true},
#endif
      {SYS_openat, 2, kOpenMask, kReadAndTruncate, true}};
  std::vector<sock_filter> program;
  const auto load = [&](std::size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  };
  const auto deny_if = [&](std::uint16_t comparison, std::uint32_t value, bool holds) {
    const std::uint8_t skip_if = holds ? 0 : 1;
    program.push_back(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value,
                               skip_if, static_cast<std::uint8_t>(1 - skip_if)));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  };
  load(offsetof(seccomp_data, arch));
  deny_if(BPF_JEQ, kNativeArchitecture, /*holds=*/false);
  load(offsetof(seccomp_data, nr));
  deny_if(BPF_JGE, kForeignNumbers, /*holds=*/true);
  // Its arguments are out of a filter's sight; where it is not there, threads are made by clone().
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  for (const long call : kDeniedCalls) {
    deny_if(BPF_JEQ, static_cast<std::uint32_t>(call), /*holds=*/true);
  }
  for (const DeniedArgument& denied : denied_arguments) {
    constexpr std::uint8_t kLength = 5;  // of what follows the jump
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(denied.call), 0, kLength));
    load(ArgumentOffset(denied.argument));
    program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, denied.mask));
    deny_if(BPF_JEQ, denied.value, denied.if_equal);
    load(offsetof(seccomp_data, nr));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // Without the flag, kernels before 5.16 switch off speculation past stores for filtered processes:
  // networks would be measured slower than they run anywhere else.
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) == 0) {
    return {};
  }
  // Before 4.17 there is no such flag, and nothing that it could avoid.
  if (errno == EINVAL && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0) return {};
  return Refused("a seccomp filter");
}

Status DropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return Refused("to tell capabilities");
  // A daemon that was started with sudo may have its store in a folder of another user.
  constexpr std::uint32_t kKept = (1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH);
  sets[0].permitted &= kKept;
  sets[1].permitted = 0;
  for (__user_cap_data_struct& set : sets) {
    set.effective = set.permitted;
    set.inheritable = 0;
  }
  if (syscall(SYS_capset, &header, sets.data()) != 0) return Refused("to drop capabilities");
  return {};
}

}  // namespace

SandboxSupport ProbeSandbox() {
  SandboxSupport support;
  const long version = syscall(kLandlockCreateRuleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version > 0) support.landlock_version = static_cast<int>(version);
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  support.has_seccomp =
      kNativeArchitecture != 0 && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  return support;
}

std::vector<std::string> SandboxGaps(const SandboxSupport& support) {
  std::vector<std::string> gaps;
  if (support.landlock_version == 0) {
    gaps.emplace_back(
        "this kernel has no Landlock (Linux 5.13; lsm=...,landlock at boot): the process that runs "
        "networks could read files of the daemon's user, its secret key among them");
  }
  if (!support.has_seccomp) {
    gaps.emplace_back(
        "this kernel has no seccomp filters: the process that runs networks could open sockets, "
        "start programs, and change rights, owners and times of files");
    if (support.landlock_version < 3) {
      gaps.emplace_back(
          "this kernel has neither seccomp filters nor Landlock 3 (Linux 6.2): the process that "
          "runs networks could cut off files of the daemon's user");
    }
    if (support.landlock_version < 6) {
      gaps.emplace_back(
          "this kernel has neither seccomp filters nor Landlock 6 (Linux 6.12): the process that "
          "runs networks could signal other processes of the daemon's user");
    }
  }
  return gaps;
}

Status EnterSandbox(const std::string& store_folder, const SandboxSupport& support) {
  if (support.landlock_version > 0) {
    BITPILOT_RETURN_IF_ERROR(RestrictFiles(store_folder, support.landlock_version));
  }
  BITPILOT_RETURN_IF_ERROR(DropCapabilities());
  return support.has_seccomp && !kSanitized ? RestrictCalls() : Status();
}

void HideOwnMemory() { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

}  // namespace bitpilot
