// Artifact store: network files that agents uploaded, by their SHA-256.
//
// A folder holds HASH.bpnet (complete: the bytes have this hash) and HASH.part (an upload that can
// go on where it stopped, also after a restart). Whether the bytes are a network is for the worker
// to find out when it first uses them: the store reads them 64 KiB at a time and decodes nothing.
// Names are hashes that this program computed or printed itself: no path ever comes from the wire.
// When the quota of bytes or kMaxFiles is reached, the files not used for longest make room: a board
// that measures for weeks grows neither its folder nor its memory without end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct ArtifactState {
  std::uint64_t have_bytes = 0;  // Where the upload goes on.
  bool complete = false;
};

// Not thread-safe. SHA-256 values are 32 raw bytes.
class ArtifactStore {
 public:
  // However small they are.
  static constexpr std::size_t kMaxFiles = 4096;

  // Opens the folder, which is made if missing, and takes its lock.
  //
  // Errors:
  //   kPermissionDenied  the folder cannot be read; as MakeFolderDurably() if it cannot be made.
  //   kUnavailable       another daemon uses it.
  static Result<ArtifactStore> Open(const std::string& folder, std::uint64_t quota_bytes);

  ArtifactStore(ArtifactStore&& other) noexcept;
  ArtifactStore& operator=(ArtifactStore&&) = delete;
  ~ArtifactStore();

  // Whether a job that runs or waits needs a file, by its SHA-256.
  using IsNeeded = std::function<bool(std::string_view sha256)>;

  // What is here of an artifact of `total_bytes`, after making room for the rest of it. What
  // `is_needed` stays. If all of it is here it is finished, as by Append().
  //
  // Errors:
  //   kResourceExhausted  it is larger than the quota, or the disk is full.
  //   kUnavailable        it does not fit beside what jobs need now; ask again when they have
  //                       ended.
  Result<ArtifactState> Prepare(std::string_view sha256, std::uint64_t total_bytes,
                                const IsNeeded& is_needed);

  // Appends a chunk. With the last byte the hash is checked and the artifact becomes complete. A
  // chunk that is here already changes nothing, so that a lost answer can be asked for again.
  //
  // Errors:
  //   kInvalidArgument    Prepare() did not name it, or the chunk leaves a gap or reaches past the
  //                       end.
  //   kDataCorrupt        the bytes do not have this hash (all of them are dropped).
  //   kResourceExhausted  the disk is full; the upload can go on later, with the same chunk.
  Result<ArtifactState> Append(std::string_view sha256, std::uint64_t offset,
                               std::string_view bytes);

  bool IsComplete(std::string_view sha256) const;
  // Counts as a use for the quota.
  void Touch(std::string_view sha256);
  // Removes what is here of an artifact: its file was found damaged.
  void Drop(std::string_view sha256);

 private:
  struct Entry {
    std::uint64_t size_bytes = 0;   // On the disk.
    std::uint64_t total_bytes = 0;  // Announced; 0 if no agent asked since the start.
    bool complete = false;
    std::uint64_t last_use = 0;
  };

  ArtifactStore(std::string folder, std::uint64_t quota_bytes, int lock);
  void Scan();
  Status MakeRoom(const std::string& for_hex, std::uint64_t needed_bytes,
                  const IsNeeded& is_needed);
  Status Finish(const std::string& hex, Entry& entry);
  std::string Path(const std::string& hex, bool complete) const;
  void Remove(const std::string& hex);

  std::string folder_;
  std::uint64_t quota_bytes_ = 0;
  int lock_ = -1;
  std::uint64_t uses_ = 0;
  std::map<std::string, Entry> entries_;  // By lower-case hex hash.
};

// The complete artifact `sha256` of the store in `folder`: what the worker, another process, reads.
// Its hash is checked each time: a power cut may have left the name without the bytes.
//
// Errors:
//   kNotFound         it is not there.
//   kDataCorrupt      the file is cut off or damaged: it must be dropped and uploaded again.
//   kInvalidArgument  it is what was uploaded, but no network; or as ParseNetwork().
Result<Network> ReadArtifact(const std::string& folder, std::string_view sha256);

}  // namespace bitpilot
