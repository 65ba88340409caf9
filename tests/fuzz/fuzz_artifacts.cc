// Uploads: a byte a step, and its numbers. Whatever is sent in whatever order, a file that counts as
// complete has its hash, and nothing else lies in the folder.
#include <array>
#include <filesystem>
#include <optional>

#include "device_daemon/core/artifact_store.h"
#include "kernels/base/check.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/fuzz/fuzz_targets.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kQuotaBytes = 2'048;
constexpr int kMostSteps = 64;

// Files that could be uploaded.
struct Sample {
  std::string bytes;
  std::string sha256;
};

const std::array<Sample, 4>& Samples() {
  static const std::array<Sample, 4> samples = [] {
    std::array<Sample, 4> made;
    for (std::size_t i = 0; i < made.size(); ++i) {
      made[i].bytes = std::string(1 + 300 * i, static_cast<char>('a' + i));
      const Sha256Digest digest = ComputeSha256(made[i].bytes);
      made[i].sha256.assign(digest.begin(), digest.end());
    }
    return made;
  }();
  return samples;
}

void CheckFolder(const std::string& folder, const ArtifactStore& store) {
  for (const Sample& sample : Samples()) {
    const std::string path = folder + "/" + BytesToHex(sample.sha256) + ".bpnet";
    BITPILOT_CHECK(store.IsComplete(sample.sha256) == std::filesystem::exists(path));
    if (store.IsComplete(sample.sha256)) BITPILOT_CHECK(ReadFile(path).value() == sample.bytes);
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    const std::size_t stem = entry.path().stem().string().size();
    BITPILOT_CHECK(entry.path().filename().string().starts_with(".") || stem != 64 ||
                   extension == ".bpnet" || extension == ".part");
  }
}

}  // namespace

void FuzzArtifacts(std::string_view bytes) {
  FuzzInput input(bytes);
  const TemporaryFolder folder;
  std::optional<ArtifactStore> store(ArtifactStore::Open(folder.path(), kQuotaBytes).value());
  for (int step = 0; step < kMostSteps && !input.empty(); ++step) {
    const std::uint8_t what = input.Byte();
    const Sample& sample = Samples()[what & 3];
    switch (what >> 2 & 7) {
      case 0:
        (void)store->Prepare(sample.sha256, sample.bytes.size(),
                             [](std::string_view) { return false; });
        break;
      case 1: {  // as announced, or not
        const std::uint64_t total = std::uint64_t{input.Number(4)} << (what >> 5);
        (void)store->Prepare(sample.sha256, total, [](std::string_view) { return true; });
        break;
      }
      case 2:
      case 3: {
        const std::size_t offset = input.Number(2) % (sample.bytes.size() + 1);
        const std::string_view chunk =
            std::string_view(sample.bytes).substr(offset, 1 + input.Number(2));
        const Result<ArtifactState> state = store->Append(sample.sha256, offset, chunk);
        if (state.ok())
          BITPILOT_CHECK(state->have_bytes <= sample.bytes.size() || !state->complete);
        break;
      }
      case 4: {
        const std::uint64_t offset = std::uint64_t{input.Number(4)} << ((what >> 5 & 3) << 4);
        (void)store->Append(sample.sha256, offset, input.Bytes(input.Byte()));
        break;
      }
      case 5:
        store->Touch(sample.sha256);
        break;
      case 6:
        store->Drop(sample.sha256);
        break;
      default:  // the daemon is started again
        store.reset();
        store.emplace(ArtifactStore::Open(folder.path(), kQuotaBytes).value());
    }
  }
  CheckFolder(folder.path(), *store);
}

}  // namespace bitpilot
