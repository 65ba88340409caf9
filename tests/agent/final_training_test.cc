// The final training, with the ResNet-8 and a few of the images that ship.
#include "agent/results/final_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/model/sample_data.h"
#include "agent/qat/integer_evaluation.h"
#include "kernels/base/network_file.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

constexpr int kBatches = 3;
constexpr int kTwinDepth = 8;

const DataSplits& Images() {
  static const DataSplits* images = [] {
    const DataSplits sample = LoadDataSplits("sample").value();
    return new DataSplits{sample.train.Slice(0, 128), sample.validation.Slice(0, 100),
                          sample.test.Slice(0, 1)};
  }();
  return *images;
}

QuantizedModel FreshModel() {
  return ValueOrDie(QuantizedModel::Create(FindModel("resnet8").value(),
                                           ShippedWeightsFile("resnet8").value(), 1));
}

class QuietObserver final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent&, double) override {
  }
  void OnNotice(const std::string& text) override { notices += text + "\n"; }
  std::string notices;
};

class FinalTrainingTest : public testing::Test {
 protected:
  FinalTrainingTest() : files_(folder_.Path("a.db")), calibration_(Images().train.Slice(0, 64)) {
    problem_.topology = StandardTopology("resnet8").value();
    problem_.uniform8 = {1000.0, 0.5, 0.81};
    job_.batches = kBatches;
    job_.options.batch_size = 16;
    job_.reestimation_batches = 2;
    finalists_ = {{FinalistRole::kUniform8, 0, Uniform(8), std::nullopt},
                  {FinalistRole::kUniform4, 0, Uniform(4), std::nullopt},
                  {FinalistRole::kFront, 1, Uniform(3), 0}};
    TransitionEvent answer;
    answer.at = {40, 40};
    answer.score = Scored{0.7, 0.02, 62, 100};
    answer.network_sha256 = std::string(64, 'a');
    transitions_ = {answer};
  }

  BitAssignment Uniform(int bits) const { return UniformAssignment(problem_.topology, bits, bits); }

  // A search's place, whose weights a high rate at 3 bits has shaken, and the twin's end.
  void MakeStarts() {
    QuantizedModel model = FreshModel();
    model.Calibrate(calibration_);
    const std::string start = model.SaveCheckpoint();
    EXPECT_TRUE(model.SetAssignment(Uniform(3)).ok());
    TrainOptions shaking = job_.options;
    shaking.learning_rate = 0.01;
    EXPECT_TRUE(model.Train(Images().train, 4, shaking).has_value());
    job_.search = FinalStart{Put(model), 4};
    EXPECT_TRUE(model.LoadCheckpoint(start).ok());
    EXPECT_TRUE(model.Train(Images().train, kTwinDepth, job_.options).has_value());
    job_.twin = FinalStart{Put(model), kTwinDepth};
  }
  // Finite weights that are so large that the layers' outputs are not.
  FinalStart Spoiled() {
    QuantizedModel model = FreshModel();
    model.Calibrate(calibration_);
    TrainOptions wild = job_.options;
    wild.learning_rate = 80.0;
    EXPECT_TRUE(model.Train(Images().train, 1, wild).has_value());
    return {Put(model), 1};
  }
  StoredFile Put(const QuantizedModel& model) {
    return ValueOrDie(files_.Put(StudyFileKind::kCheckpoint, model.SaveCheckpoint()));
  }

  // Trains in a process of its own, on the study that is there or a new one.
  Result<std::vector<TrainedFinalist>> Run(const std::function<bool()>& stop = [] {
    return false;
  }) {
    const std::string path = folder_.Path("a.db");
    auto study =
        std::filesystem::exists(path) ? ValueOrDie(Study::OpenForResume(path)) : BeginStudy(path);
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
    QuantizedModel model = FreshModel();
    const FinalTrainingParts parts{&model, &Images().train, &Images().validation, &calibration_};
    auto trained = TrainFinalists(problem_, finalists_, transitions_, job_, parts, journal, files_,
                                  observer_, stop);
    EXPECT_TRUE(study->Close().ok());
    return trained;
  }

  Result<std::vector<TrainedFinalist>> Verify() {
    auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kStop));
    return TrainFinalists(problem_, finalists_, transitions_, job_, {}, journal, files_, observer_,
                          [] { return false; });
  }

  std::vector<TrainedEvent> Logged() {
    std::vector<TrainedEvent> logged;
    auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
    for (const Event& event : ValueOrDie(study->Events())) {
      if (event.kind != TrainedEvent::kKind) continue;
      logged.push_back(ValueOrDie(ParseEvent<TrainedEvent>(event.payload)));
    }
    return logged;
  }

  StudyFolder folder_;
  StudyFiles files_;
  ImageDataset calibration_;
  SearchProblem problem_;
  FinalTrainingJob job_;
  std::vector<Finalist> finalists_;
  std::vector<TransitionEvent> transitions_;
  QuietObserver observer_;
};

TEST_F(FinalTrainingTest, TrainsAllAlikeEachFromTheStartThatIsBetterAtItsWidths) {
  MakeStarts();
  const auto trained = ValueOrDie(Run());
  const std::vector<TrainedEvent> logged = Logged();
  ASSERT_EQ(trained.size(), 3U);
  ASSERT_EQ(logged.size(), 3U);
  for (std::size_t i = 0; i < trained.size(); ++i) {
    SCOPED_TRACE(finalists_[i].label());
    EXPECT_EQ(logged[i].batches, kBatches);
    EXPECT_EQ(logged[i].from_twin, *logged[i].twin_loss < *logged[i].search_loss);
    EXPECT_EQ(trained[i].final_batches, kBatches);
    EXPECT_EQ(trained[i].start,
              logged[i].from_twin ? TrainingStart::kTwin : TrainingStart::kSearch);
    EXPECT_EQ(trained[i].mini_batches, (logged[i].from_twin ? kTwinDepth : 4) + kBatches);
    // What is stored is the network that was scored, at these widths.
    const Network network = ValueOrDie(ParseNetwork(ValueOrDie(files_.Get(trained[i].network))));
    EXPECT_EQ(AssignmentId(AssignmentOf(network)), logged[i].assignment_id);
    const Evaluation evaluation = ValueOrDie(EvaluateInteger(network, Images().validation));
    EXPECT_EQ(evaluation.accuracy, trained[i].validation_accuracy);
    EXPECT_EQ(evaluation.loss, logged[i].score->loss);
  }
  EXPECT_TRUE(logged[0].from_twin) << "the search's weights were shaken";
  const auto verified = ValueOrDie(Verify());
  for (std::size_t i = 0; i < trained.size(); ++i) {
    EXPECT_EQ(verified[i].network, trained[i].network);
    EXPECT_EQ(verified[i].mini_batches, trained[i].mini_batches);
  }
}

TEST_F(FinalTrainingTest, WhichStartIsBetterCountsAndNotWhoseItIs) {
  MakeStarts();
  finalists_.resize(1);
  const auto from_twin = ValueOrDie(Run());
  std::filesystem::remove(folder_.Path("a.db"));
  std::swap(*job_.search, *job_.twin);
  const auto from_search = ValueOrDie(Run());
  EXPECT_EQ(from_twin[0].start, TrainingStart::kTwin);
  EXPECT_EQ(from_search[0].start, TrainingStart::kSearch);
  EXPECT_EQ(from_search[0].network, from_twin[0].network) << "the same training from there";
  EXPECT_EQ(from_search[0].mini_batches, kTwinDepth + kBatches);
}

TEST_F(FinalTrainingTest, GoesOnWithTheFinalistThatWasInWorkAndGivesTheSame) {
  MakeStarts();
  ASSERT_TRUE(Run().ok());
  std::vector<std::string> whole;
  for (const TrainedEvent& event : Logged()) whole.push_back(ToJson(event));
  std::filesystem::remove(folder_.Path("a.db"));
  const auto stopped =
      Run([this] { return std::filesystem::exists(folder_.Path("a.db")) && Logged().size() == 1; });
  EXPECT_EQ(stopped.status().code(), StatusCode::kAborted);
  EXPECT_EQ(Logged().size(), 1U);
  ASSERT_TRUE(Run().ok());
  std::vector<std::string> parts;
  for (const TrainedEvent& event : Logged()) parts.push_back(ToJson(event));
  EXPECT_EQ(parts, whole);
}

TEST_F(FinalTrainingTest, EqualWidthsTrainOnce) {
  MakeStarts();
  finalists_ = {finalists_[0], finalists_[1], {FinalistRole::kFront, 1, Uniform(4), 0}};
  const auto trained = ValueOrDie(Run());
  ASSERT_EQ(trained.size(), 3U);
  EXPECT_EQ(Logged().size(), 2U);
  EXPECT_EQ(trained[1].network, trained[2].network);
  EXPECT_EQ(trained[2].finalist.role, FinalistRole::kFront);
}

TEST_F(FinalTrainingTest, TrainingThatDivergesLeavesTheNetworkOfTheStart) {
  MakeStarts();
  finalists_.resize(1);
  job_.options.learning_rate = 1e30;
  const auto trained = ValueOrDie(Run());
  const std::vector<TrainedEvent> logged = Logged();
  ASSERT_EQ(logged.size(), 1U);
  EXPECT_TRUE(logged[0].diverged);
  EXPECT_EQ(logged[0].batches, 0);
  EXPECT_FALSE(logged[0].train_loss.has_value());
  EXPECT_EQ(logged[0].score->loss,
            logged[0].from_twin ? *logged[0].twin_loss : *logged[0].search_loss);
  EXPECT_EQ(trained[0].final_batches, 0);
  EXPECT_TRUE(trained[0].diverged);
  EXPECT_THAT(observer_.notices, HasSubstr("uniform 8 bit: its final training diverged"));
  EXPECT_TRUE(Verify().ok());
}

TEST_F(FinalTrainingTest, TakesTheOtherStartWhereTheLossOfOneIsNoFiniteNumber) {
  MakeStarts();
  job_.search = Spoiled();
  const auto trained = ValueOrDie(Run());
  for (std::size_t i = 0; i < trained.size(); ++i) {
    EXPECT_TRUE(trained[i].has_network());
    EXPECT_EQ(trained[i].start, TrainingStart::kTwin);
    EXPECT_EQ(trained[i].mini_batches, kTwinDepth + kBatches);
    EXPECT_FALSE(Logged()[i].search_loss.has_value());
  }
  EXPECT_TRUE(Verify().ok());
  std::filesystem::remove(folder_.Path("a.db"));
  std::swap(*job_.search, *job_.twin);
  for (const TrainedFinalist& each : ValueOrDie(Run())) {
    EXPECT_EQ(each.start, TrainingStart::kSearch);
    EXPECT_EQ(each.mini_batches, kTwinDepth + kBatches);
  }
  EXPECT_TRUE(Verify().ok());
}

TEST_F(FinalTrainingTest, AFinalistWithoutAFiniteStartHasNoNetworkAndTheOthersGoOn) {
  MakeStarts();
  const FinalTrainingJob sound = job_;
  job_.search = job_.twin = Spoiled();
  finalists_ = {finalists_[1], finalists_[2]};
  const auto trained = ValueOrDie(Run());
  ASSERT_EQ(trained.size(), 2U);
  for (std::size_t i = 0; i < trained.size(); ++i) {
    EXPECT_FALSE(trained[i].has_network());
    EXPECT_THAT(trained[i].no_network_reason, HasSubstr("no finite number at any start"));
    EXPECT_FALSE(Logged()[i].score.has_value());
    EXPECT_EQ(Logged()[i].network_sha256, "");
    EXPECT_THAT(observer_.notices, HasSubstr(finalists_[i].label() + ": the loss"));
  }
  const auto verified = ValueOrDie(Verify());
  EXPECT_EQ(verified[1].no_network_reason, trained[1].no_network_reason);
  // A log that claims the same of a search with sound starts has other losses, or a score.
  TrainedEvent claimed = Logged()[0];
  claimed.twin_loss = 0.5;
  std::filesystem::remove(folder_.Path("a.db"));
  auto study = BeginStudy(folder_.Path("a.db"));
  EXPECT_TRUE(AppendEvent(*study, claimed).ok());
  EXPECT_TRUE(study->Close().ok());
  job_ = sound;
  EXPECT_EQ(Verify().status().code(), StatusCode::kDataCorrupt);
}

TEST_F(FinalTrainingTest, NothingIsComparedWithoutUniform8) {
  MakeStarts();
  job_.search = job_.twin = Spoiled();
  const Status refused = Run().status();
  EXPECT_EQ(refused.code(), StatusCode::kInternal);
  EXPECT_THAT(refused.message(), HasSubstr("uniform 8 bit"));
}

TEST_F(FinalTrainingTest, WithoutBatchesCandidatesKeepTheNetworksOfTheirSteps) {
  MakeStarts();
  job_.batches = 0;
  const auto trained = ValueOrDie(Run());
  EXPECT_EQ(Logged().size(), 2U) << "uniform 8 and 4 bit, which no step exported";
  EXPECT_EQ(trained[2].network.sha256, transitions_[0].network_sha256);
  EXPECT_EQ(trained[2].mini_batches, 40);
  EXPECT_EQ(trained[2].validation_accuracy, 0.62);
  for (const TrainedFinalist& each : trained) EXPECT_EQ(each.final_batches, 0);
  EXPECT_TRUE(Verify().ok());
}

TEST_F(FinalTrainingTest, WhereNothingTrainsUniform8IsTheCalibratedOne) {
  job_.batches = 0;
  job_.uniform8 = NetworkFile(std::string(64, 'b'), "");
  const auto trained = ValueOrDie(Run());
  ASSERT_EQ(Logged().size(), 1U);  // uniform 4 bit
  EXPECT_FALSE(Logged()[0].search_loss.has_value());
  EXPECT_EQ(trained[0].network, job_.uniform8);
  EXPECT_EQ(trained[0].validation_accuracy, 0.81);
  for (const TrainedFinalist& each : trained) {
    EXPECT_EQ(each.start, TrainingStart::kCalibrated);
  }
  EXPECT_TRUE(Verify().ok());
}

// All mini-batches at the end: a search that does not train may have a final training.
TEST_F(FinalTrainingTest, TrainsFromTheFloatWeightsWhereTheSearchDidNotTrain) {
  const auto trained = ValueOrDie(Run());
  ASSERT_EQ(Logged().size(), 3U);
  for (const TrainedFinalist& each : trained) {
    EXPECT_EQ(each.start, TrainingStart::kCalibrated);
    EXPECT_EQ(each.mini_batches, kBatches);
  }
  // A finalist's training does not see those before it.
  const std::string last = ToJson(Logged()[2]);
  std::filesystem::remove(folder_.Path("a.db"));
  finalists_ = {finalists_[2]};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(ToJson(Logged()[0]), last);
}

TEST_F(FinalTrainingTest, AReplayRefusesWhatDoesNotFollowFromTheLog) {
  MakeStarts();
  finalists_.resize(1);
  ASSERT_TRUE(Run().ok());
  const TrainedEvent sound = Logged()[0];
  const auto refused = [&](const auto& change) {
    TrainedEvent event = sound;
    change(event);
    std::filesystem::remove(folder_.Path("a.db"));
    auto study = BeginStudy(folder_.Path("a.db"));
    EXPECT_TRUE(AppendEvent(*study, event).ok());
    EXPECT_TRUE(study->Close().ok());
    return Verify().status().code() == StatusCode::kDataCorrupt;
  };
  EXPECT_FALSE(refused([](TrainedEvent&) {}));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.from_twin = !e.from_twin; }));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.depth += 1; }));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.batches += 1; }));
  // Without the loss of the start that it began from.
  EXPECT_TRUE(
      refused([](TrainedEvent& e) { (e.from_twin ? e.twin_loss : e.search_loss).reset(); }));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.train_loss.reset(); }));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.score.reset(); }));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.score->correct = e.score->total + 1; }));
  EXPECT_TRUE(refused([](TrainedEvent& e) { e.assignment_id = "another"; }));
}

}  // namespace
}  // namespace bitpilot
