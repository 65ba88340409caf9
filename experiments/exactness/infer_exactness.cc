// Do boards give the host reference's logits, bit for bit? Random assignments with channel groups,
// every instruction set.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/qat/quantized_model.h"
#include "kernels/cpu/isa.h"
#include "kernels/reference.h"
#include "policies/random_stream.h"

namespace bitpilot {
namespace {

struct Arguments {
  std::string model = "resnet8";
  std::string weights;
  std::string data;
  int assignments = 20;
  int images = 200;
  std::uint64_t seed = 1;
};

// Weights 1..8 in one to three channel runs a layer, activations 2..8; ends included, the input at
// 8 bits.
BitAssignment RandomAssignment(const Topology& topology, RandomStream& random) {
  BitAssignment assignment;
  for (const int operation : LayerOperations(topology)) {
    int left = topology.operations[static_cast<std::size_t>(operation)].out_channels;
    std::vector<ChannelRun> runs;
    for (int run = 0; run < 2 && left > 1 && random.NextIndex(2) == 0; ++run) {
      const int channels = 1 + random.NextIndex(left - 1);
      runs.push_back({channels, 1 + random.NextIndex(8)});
      left -= channels;
    }
    runs.push_back({left, 1 + random.NextIndex(8)});
    assignment.weight_bits.push_back(std::move(runs));
  }
  assignment.activation_bits.push_back(8);
  for (int tensor = 1; tensor < topology.num_stored_tensors(); ++tensor) {
    assignment.activation_bits.push_back(2 + random.NextIndex(7));
  }
  return assignment;
}

using Logits = std::vector<std::vector<float>>;  // [images][classes]

Logits ReferenceLogits(const Network& network, const ImageDataset& images) {
  Logits logits;
  for (std::size_t i = 0; i < images.size(); ++i)
    logits.push_back(RunReference(network, images.image(i)));
  return logits;
}

// Images whose logits differ in at least one bit.
int CountDifferences(const Logits& expected, const Logits& actual) {
  int different = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    different +=
        std::memcmp(expected[i].data(), actual[i].data(), expected[i].size() * sizeof(float)) != 0;
  }
  return different;
}

Status Check(const Arguments& arguments) {
  const Result<ModelDefinition> definition = FindModel(arguments.model);
  if (!definition.ok()) return definition.status();
  Result<QuantizedModel> model =
      QuantizedModel::Create(*definition, arguments.weights, arguments.seed);
  if (!model.ok()) return model.status();
  const Result<DataSplits> sample = LoadDataSplits("sample");
  if (!sample.ok()) return sample.status();
  const ImageDataset images = sample->test.Slice(0, static_cast<std::size_t>(arguments.images));

  std::vector<std::unique_ptr<Board>> boards;
  for (const Isa isa : SupportedIsas()) {
    Result<std::unique_ptr<Board>> board =
        StartLocalBoard("local:" + std::string(ToString(isa)), BoardOptions());
    if (!board.ok()) return board.status();
    boards.push_back(std::move(*board));
  }
  RandomStream random(arguments.seed, "assignments");
  int checked = 0, different = 0;
  for (int a = 0; a < arguments.assignments; ++a) {
    const BitAssignment assignment = RandomAssignment(definition->topology, random);
    BITPILOT_RETURN_IF_ERROR(model->SetAssignment(assignment));
    model->Calibrate(sample->train);
    const Network network = model->Export();
    const Logits expected = ReferenceLogits(network, images);
    std::printf("%2d  %s\n", a + 1, ToString(assignment).c_str());
    for (const auto& board : boards) {
      const Result<Logits> logits = board->Infer(network, images.pixels);
      if (!logits.ok()) return logits.status();
      const int wrong = CountDifferences(expected, *logits);
      checked += arguments.images;
      different += wrong;
      if (wrong > 0)
        std::printf("    %s: %d of %d images differ\n", board->info().isa.c_str(), wrong,
                    arguments.images);
    }
  }
  std::printf("%s: %d assignments x %d images on", arguments.model.c_str(), arguments.assignments,
              arguments.images);
  for (const auto& board : boards) std::printf(" %s", board->info().isa.c_str());
  std::printf(": %d of %d inferences differ from the reference\n", different, checked);
  return different == 0 ? Status() : Status(StatusCode::kInternal, "a kernel is wrong");
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  CLI::App app("Compares logits that boards give with the host reference, bit for bit");
  bitpilot::Arguments arguments;
  app.add_option("--model", arguments.model, "Network")->capture_default_str();
  app.add_option("--weights", arguments.weights, "Its float weights (.safetensors)")->required();
  app.add_option("--assignments", arguments.assignments, "Random assignments")
      ->capture_default_str();
  app.add_option("--images", arguments.images, "Test images of the shipped sample")
      ->capture_default_str();
  app.add_option("--seed", arguments.seed, "Of the assignments")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const bitpilot::Status status = bitpilot::Check(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "infer_exactness: %s\n", status.message().c_str());
  return 1;
}
