#include "device_daemon/server/machine_turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace bitpilot {
namespace {

constexpr const char* kTurnName = "bitpilot-turn.lock";
constexpr const char* kQueueName = "bitpilot-queue.lock";
// For reading: a lock needs no more, and so other users' daemons can open the file, too.
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
constexpr mode_t kMode = 0644;

void Close(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

// The file, made if it is missing; -1 with errno.
int OpenOrMake(const std::string& path) {
  for (;;) {
    int descriptor = open(path.c_str(), kFlags);
    if (descriptor >= 0 || errno != ENOENT) return descriptor;
    descriptor = open(path.c_str(), kFlags | O_CREAT | O_EXCL, kMode);
    if (descriptor < 0 && errno == EEXIST) continue;       // Another daemon was quicker.
    if (descriptor >= 0) (void)fchmod(descriptor, kMode);  // Whatever the umask.
    return descriptor;
  }
}

// Whether `path` still names the open file: someone may have tidied up.
bool IsStillAt(const std::string& path, int descriptor) {
  struct stat opened {};
  struct stat named {};
  return fstat(descriptor, &opened) == 0 && lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

MachineTurn::MachineTurn(std::vector<std::string> folders) : folders_(std::move(folders)) {}

int MachineTurn::Open(const char* name, std::string& path) {
  int error = ENOENT;
  for (const std::string& folder : folders_) {
    path = folder + "/" + name;
    const int descriptor = OpenOrMake(path);
    struct stat state {};
    if (descriptor >= 0 && fstat(descriptor, &state) == 0 && S_ISREG(state.st_mode)) {
      return descriptor;
    }
    error = descriptor >= 0 ? EINVAL : errno;
    if (descriptor >= 0) close(descriptor);
    // Another folder only where no daemon can have a file in this one: all must use the same.
    struct stat named {};
    if (lstat(path.c_str(), &named) == 0) break;
  }
  problem_ = "this daemon cannot take turns with others of the machine: " + path + ": " +
             (error == EINVAL ? "not a plain file" : std::strerror(error));
  return -1;
}

MachineTurn::Lock MachineTurn::TryLock(const char* name, int& descriptor) {
  std::string path;
  descriptor = Open(name, path);
  if (descriptor < 0) return Lock::kNone;
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && IsStillAt(path, descriptor)) return Lock::kOurs;
  Close(descriptor);
  return Lock::kTaken;
}

bool MachineTurn::TryTake() {
  if (turn_ >= 0) return true;
  problem_.clear();
  if (queue_ < 0) {
    const Lock lock = TryLock(kQueueName, queue_);
    if (lock != Lock::kOurs) return lock == Lock::kNone;
  }
  const Lock lock = TryLock(kTurnName, turn_);
  if (lock == Lock::kTaken) return false;
  Close(queue_);
  return true;
}

void MachineTurn::GiveBack() {
  Close(turn_);
  Close(queue_);
}

}  // namespace bitpilot
