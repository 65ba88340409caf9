#include "device_daemon/core/artifact_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "kernels/base/atomic_file.h"
#include "kernels/base/file_descriptor.h"
#include "kernels/base/file_io.h"
#include "kernels/base/network_file.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHexCharacters = 64;

std::string HexOf(std::string_view sha256) {
  BITPILOT_CHECK(sha256.size() == kHexCharacters / 2);
  return BytesToHex(sha256);
}

bool IsHexHash(std::string_view name) {
  return name.size() == kHexCharacters &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status WriteAt(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    return {StatusCode::kPermissionDenied, "cannot write " + path + ": " + std::strerror(errno)};
  }
  Status status;
  for (std::size_t done = 0; done < bytes.size() && status.ok();) {
    const ssize_t wrote =
        pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno != EINTR) {
      status = {StatusCode::kResourceExhausted,
                "cannot write " + path + ": " + std::strerror(errno)};
    }
  }
  if (!status.ok() && ftruncate(file, static_cast<off_t>(offset)) != 0) {
    status = status.WithContext("the upload must start again");
  }
  close(file);
  return status;
}

// The hash of a whole upload. Nothing is decoded here: a small file may describe a large network,
// and what it costs is the worker's to bear.
Status CheckHash(const std::string& path, const std::string& hex) {
  Sha256 hash;
  BITPILOT_RETURN_IF_ERROR(ReadFileInPieces(path, [&hash](std::string_view piece) {
    hash.Update(piece);
    return Status();
  }));
  const std::string actual = ToHex(hash.Finish());
  if (actual == hex) return {};
  return DataCorrupt("the uploaded bytes hash to " + actual + ", not to " + hex);
}

// Waits until what was written of the file is on the disk.
Status FlushFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() >= 0 && fsync(file.get()) == 0) return {};
  return {StatusCode::kResourceExhausted,
          "cannot flush " + path + " to the disk: " + std::strerror(errno)};
}

}  // namespace

Result<ArtifactStore> ArtifactStore::Open(const std::string& folder, std::uint64_t quota_bytes) {
  const Status made = MakeFolderDurably(folder, 0700);
  if (!made.ok()) return made.WithContext("cannot use the store");
  const std::string lock_path = folder + "/lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return Status(StatusCode::kPermissionDenied,
                  "cannot use the store " + folder + ": " + std::strerror(errno));
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    return Status(StatusCode::kUnavailable,
                  "another bitpilotd uses the store " + folder + "; give this one its own --store");
  }
  ArtifactStore store(folder, quota_bytes, lock);
  store.Scan();
  return store;
}

ArtifactStore::ArtifactStore(std::string folder, std::uint64_t quota_bytes, int lock)
    : folder_(std::move(folder)), quota_bytes_(quota_bytes), lock_(lock) {}

ArtifactStore::ArtifactStore(ArtifactStore&& other) noexcept
    : folder_(std::move(other.folder_)),
      quota_bytes_(other.quota_bytes_),
      lock_(std::exchange(other.lock_, -1)),
      uses_(other.uses_),
      entries_(std::move(other.entries_)) {}

ArtifactStore::~ArtifactStore() {
  if (lock_ >= 0) close(lock_);
}

// Files are taken in the order of their age, so that the oldest ones make room first.
void ArtifactStore::Scan() {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(folder_, error)) {
    if (!file.is_regular_file(error) || !IsHexHash(file.path().stem().string())) continue;
    files.emplace_back(file.last_write_time(error), file.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& [age, path] : files) {
    const std::string extension = path.extension().string();
    if (extension != ".bpnet" && extension != ".part") continue;
    const std::uint64_t size = fs::file_size(path, error);
    if (error) continue;
    Entry& entry = entries_[path.stem().string()];
    if (entry.complete) continue;
    entry = {size, 0, extension == ".bpnet", ++uses_};
  }
}

Result<ArtifactState> ArtifactStore::Prepare(std::string_view sha256, std::uint64_t total_bytes,
                                             const IsNeeded& is_needed) {
  const std::string hex = HexOf(sha256);
  const auto found = entries_.find(hex);
  if (found != entries_.end() && found->second.complete) {
    Touch(sha256);
    return ArtifactState{found->second.size_bytes, true};
  }
  if (total_bytes > quota_bytes_) {
    return Status(StatusCode::kResourceExhausted, "the network has " + std::to_string(total_bytes) +
                                                      " bytes, the store's quota is " +
                                                      std::to_string(quota_bytes_));
  }
  // All bytes are here, but could not be finished when the last one came, or before a restart.
  if (found != entries_.end() && found->second.size_bytes == total_bytes) {
    const Status finished = Finish(hex, found->second);
    if (finished.ok()) return ArtifactState{total_bytes, true};
    if (finished.code() != StatusCode::kDataCorrupt) return finished;
  } else if (found != entries_.end() && found->second.size_bytes > total_bytes) {
    Remove(hex);
  }
  BITPILOT_RETURN_IF_ERROR(MakeRoom(hex, total_bytes, is_needed));
  Entry& entry = entries_[hex];
  entry.total_bytes = total_bytes;
  entry.last_use = ++uses_;
  return ArtifactState{entry.size_bytes, false};
}

Result<ArtifactState> ArtifactStore::Append(std::string_view sha256, std::uint64_t offset,
                                            std::string_view bytes) {
  const std::string hex = HexOf(sha256);
  const auto found = entries_.find(hex);
  if (found == entries_.end() || (!found->second.complete && found->second.total_bytes == 0)) {
    return InvalidArgument("a chunk of an artifact that no ArtifactQuery announced");
  }
  Entry& entry = found->second;
  if (entry.complete) return ArtifactState{entry.size_bytes, true};
  // Written so that no sum can overflow: offset and size are checked against what is known to be
  // small.
  if (offset > entry.total_bytes || bytes.size() > entry.total_bytes - offset) {
    return InvalidArgument("a chunk of " + std::to_string(bytes.size()) + " bytes at offset " +
                           std::to_string(offset) + " reaches past the announced " +
                           std::to_string(entry.total_bytes) + " bytes");
  }
  const bool has_all = entry.size_bytes == entry.total_bytes;
  if (offset + bytes.size() <= entry.size_bytes && !has_all) {
    return ArtifactState{entry.size_bytes, false};
  }
  if (!has_all && offset != entry.size_bytes) {
    return InvalidArgument("a chunk at offset " + std::to_string(offset) +
                           "; the upload goes on at " + std::to_string(entry.size_bytes));
  }
  if (!has_all) {
    BITPILOT_RETURN_IF_ERROR(WriteAt(Path(hex, false), offset, bytes));
    entry.size_bytes += bytes.size();
  }
  entry.last_use = ++uses_;
  if (entry.size_bytes < entry.total_bytes) return ArtifactState{entry.size_bytes, false};
  BITPILOT_RETURN_IF_ERROR(Finish(hex, entry));
  return ArtifactState{entry.total_bytes, true};
}

bool ArtifactStore::IsComplete(std::string_view sha256) const {
  const auto found = entries_.find(HexOf(sha256));
  return found != entries_.end() && found->second.complete;
}

void ArtifactStore::Touch(std::string_view sha256) {
  const auto found = entries_.find(HexOf(sha256));
  if (found != entries_.end()) found->second.last_use = ++uses_;
}

// Removes the least recently used files that nobody needs until `needed_bytes` fit beside the rest.
Status ArtifactStore::MakeRoom(const std::string& for_hex, std::uint64_t needed_bytes,
                               const IsNeeded& is_needed) {
  for (;;) {
    std::uint64_t used = needed_bytes;
    const std::string* oldest = nullptr;
    std::uint64_t oldest_use = ~std::uint64_t{0};
    for (const auto& [hex, entry] : entries_) {
      if (hex == for_hex) continue;
      used += std::max(entry.size_bytes, entry.total_bytes);
      if (entry.last_use < oldest_use && !is_needed(HexToBytes(hex))) {
        oldest = &hex;
        oldest_use = entry.last_use;
      }
    }
    const std::size_t files = entries_.size() + (entries_.contains(for_hex) ? 0 : 1);
    if (used <= quota_bytes_ && files <= kMaxFiles) return {};
    if (oldest == nullptr) {
      return {StatusCode::kUnavailable,
              "the store's quota of " + std::to_string(quota_bytes_) + " bytes in " +
                  std::to_string(kMaxFiles) +
                  " files is taken by networks that are being measured; ask again when that ended"};
    }
    Remove(std::string(*oldest));
  }
}

// Bytes that do not have the hash are removed, and only they: what a full disk refused may be done
// later.
Status ArtifactStore::Finish(const std::string& hex, Entry& entry) {
  const Status checked = CheckHash(Path(hex, false), hex);
  if (checked.code() == StatusCode::kDataCorrupt) Remove(hex);
  BITPILOT_RETURN_IF_ERROR(checked);
  BITPILOT_RETURN_IF_ERROR(FlushFile(Path(hex, false)));
  BITPILOT_RETURN_IF_ERROR(RenameDurably(Path(hex, false), Path(hex, true)));
  entry.complete = true;
  return {};
}

void ArtifactStore::Drop(std::string_view sha256) { Remove(HexOf(sha256)); }

std::string ArtifactStore::Path(const std::string& hex, bool complete) const {
  return folder_ + "/" + hex + (complete ? ".bpnet" : ".part");
}

void ArtifactStore::Remove(const std::string& hex) {
  std::error_code error;
  fs::remove(Path(hex, false), error);
  fs::remove(Path(hex, true), error);
  entries_.erase(hex);
}

Result<Network> ReadArtifact(const std::string& folder, std::string_view sha256) {
  const std::string hex = HexOf(sha256);
  const Result<std::string> bytes = ReadFile(folder + "/" + hex + ".bpnet");
  if (!bytes.ok()) {
    const bool is_missing = bytes.status().code() == StatusCode::kNotFound;
    return Status(is_missing ? StatusCode::kNotFound : StatusCode::kDataCorrupt,
                  bytes.status().message());
  }
  if (Sha256Hex(*bytes) != hex) {
    return DataCorrupt("network " + hex + " is damaged in the board's store: its " +
                       std::to_string(bytes->size()) + " bytes have another hash");
  }
  Result<Network> network = ParseNetwork(*bytes);
  // The bytes are what was uploaded: another upload would not help.
  if (network.status().code() != StatusCode::kDataCorrupt) return network;
  return InvalidArgument("network " + hex + ": " + network.status().message());
}

}  // namespace bitpilot
