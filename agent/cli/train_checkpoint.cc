#include "agent/cli/train_checkpoint.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "agent/study/search_config.h"
#include "kernels/base/check.h"
#include "kernels/base/number_text.h"
#include "kernels/base/sha256.h"

namespace bitpilot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainRecipe, weights_sha256, data_sha256, teacher,
                                   teacher_sha256, distill, learning_rate, batch_size, batches)

namespace {

using Json = nlohmann::json;

constexpr std::string_view kFirstLine = "bitpilot-train ";
constexpr std::string_view kHead = "bitpilot-train 1\nsha256 ";
constexpr std::size_t kHashDigits = 64;

Status CheckThreads(const std::vector<int>& threads) {
  for (std::size_t i = 0; i < threads.size(); ++i) {
    const bool is_unknown = i == 0 && threads[i] == 0;
    if (is_unknown || (threads[i] >= 1 && threads[i] <= kMaxTrainThreads)) continue;
    return DataCorrupt("expected threads in [1, " + std::to_string(kMaxTrainThreads) + "], got " +
                       std::to_string(threads[i]));
  }
  return threads.empty() ? DataCorrupt("expected how many threads trained") : Status();
}

// What the flags of a teacher said, for people.
std::string TeacherText(const TrainRecipe& recipe) {
  if (!recipe.distill) return "none";
  if (recipe.teacher.empty()) return "the float network";
  return recipe.teacher + ", SHA-256 " + recipe.teacher_sha256;
}

}  // namespace

std::string FormatTrainCheckpoint(const TrainCheckpoint& checkpoint) {
  BITPILOT_CHECK(checkpoint.recipe && CheckThreads(checkpoint.threads).ok());
  Json head = *checkpoint.recipe;
  head["threads"] = checkpoint.threads;
  const std::string rest = head.dump() + "\n" + checkpoint.state;
  return std::string(kHead) + Sha256Hex(rest) + "\n" + rest;
}

Result<TrainCheckpoint> ParseTrainCheckpoint(std::string_view bytes) {
  if (!bytes.starts_with(kFirstLine)) {
    TrainCheckpoint older;
    older.state = bytes;
    return older;
  }
  const std::size_t end_of_hash = kHead.size() + kHashDigits;
  if (!bytes.starts_with(kHead) || bytes.size() <= end_of_hash || bytes[end_of_hash] != '\n') {
    return DataCorrupt("expected a checkpoint of bitpilot train that begins with \"" +
                       std::string(kHead.substr(0, kHead.find('\n'))) +
                       "\" and \"sha256 ...\"; train anew without --resume");
  }
  const std::string_view rest = bytes.substr(end_of_hash + 1);
  if (Sha256Hex(rest) != bytes.substr(kHead.size(), kHashDigits)) {
    return DataCorrupt(
        "is not as it was written (its checksum differs); train anew without --resume");
  }
  const std::size_t end = rest.find('\n');
  try {
    const Json head = Json::parse(rest.substr(0, end));
    TrainCheckpoint checkpoint;
    checkpoint.recipe = head.get<TrainRecipe>();
    checkpoint.threads = head.at("threads").get<std::vector<int>>();
    BITPILOT_RETURN_IF_ERROR(CheckThreads(checkpoint.threads));
    if (end != std::string_view::npos) checkpoint.state = rest.substr(end + 1);
    return checkpoint;
  } catch (const Json::exception& error) {
    return DataCorrupt(std::string("its third line does not say how it trained: ") + error.what());
  }
}

Status CheckSameRecipe(const TrainRecipe& before, const TrainRecipe& now) {
  std::string differences;
  const auto compare = [&](const std::string& flag, const std::string& was, const std::string& is) {
    if (was == is) return;
    differences += (differences.empty() ? "" : "; ") + flag + " was " + was + ", now it is " + is;
  };
  const auto number = [](auto value) { return Json(value).dump(); };
  compare("--weights (SHA-256)", before.weights_sha256, now.weights_sha256);
  compare("--data (SHA-256)", before.data_sha256, now.data_sha256);
  compare("the teacher (--teacher, --no-distill)", TeacherText(before), TeacherText(now));
  compare("--learning-rate", number(before.learning_rate), number(now.learning_rate));
  compare("--batch-size", number(before.batch_size), number(now.batch_size));
  compare("the length (--batches, --epochs)", Counted(before.batches, "mini-batch", "mini-batches"),
          Counted(now.batches, "mini-batch", "mini-batches"));
  if (differences.empty()) return Status();
  return InvalidArgument("trains otherwise than it began: " + differences +
                         "; repeat its flags, or train anew without --resume");
}

std::string DescribeThreads(const std::vector<int>& threads, int now) {
  BITPILOT_CHECK(!threads.empty());
  const std::string goes_on = "goes on with " + Counted(now, "training thread");
  const std::string other = "its weights will be slightly other ones";
  if (threads.back() == 0) {
    return goes_on + "; the checkpoint of an older bitpilot does not say how many it had";
  }
  if (threads.back() != now) {
    return goes_on + ", not with the " + std::to_string(threads.back()) + " that it had: " + other;
  }
  if (threads.size() == 1) return goes_on + ", as it began";
  std::string before;
  for (const int each : WithThreads(threads, now)) {
    before += (before.empty() ? "" : ", then ") +
              (each == 0 ? "a number that is not known" : std::to_string(each));
  }
  return goes_on + ", as it went on before; it had " + before + ": " + other;
}

std::vector<int> WithThreads(std::vector<int> threads, int now) {
  if (threads.empty() || threads.back() != now) threads.push_back(now);
  return threads;
}

}  // namespace bitpilot
