// Every number of a reply is finite: what one that is not would do to means, models and JSON is not
// for their readers to think of. The fields come from bitpilot.proto itself (the messages know no
// reflection), so that a new one cannot be forgotten.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "proto/validation.h"

namespace bitpilot {
namespace {

struct NumberField {
  std::string message;
  std::string name;
  int number = 0;
};

std::vector<NumberField> NumberFieldsOfTheProtocol() {
  std::ifstream file(std::string(BITPILOT_SOURCE_DIR) + "/proto/bitpilot.proto");
  EXPECT_TRUE(file.is_open());
  const std::regex message_line("\\s*message (\\w+) \\{.*");
  const std::regex field_line("\\s*(optional |repeated )?(double|float) (\\w+) = (\\d+).*");
  std::vector<NumberField> fields;
  std::string message;
  std::smatch match;
  for (std::string line; std::getline(file, line);) {
    if (std::regex_match(line, match, message_line)) message = match[1];
    if (!std::regex_match(line, match, field_line)) continue;
    EXPECT_EQ(match[2], "double") << line;
    fields.push_back({message, match[3], std::stoi(match[4])});
  }
  return fields;
}

// Gives a field a value as a peer does: later bytes win, and are added to a list.
template <typename M>
void AppendDouble(M& message, int field, double value) {
  constexpr unsigned kFixed64 = 1;
  std::string bytes = message.SerializeAsString();
  for (unsigned tag = (static_cast<unsigned>(field) << 3) | kFixed64; tag != 0; tag >>= 7) {
    bytes += static_cast<char>((tag & 0x7F) | (tag > 0x7F ? 0x80 : 0));
  }
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes.append(raw, sizeof raw);
  ASSERT_TRUE(message.ParseFromString(bytes));
}

Message MeasuredReply() {
  Message reply;
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  result.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  result.set_status(v1::OK);
  result.set_source("measured");
  v1::NetworkMeasurement& network = *result.add_networks();
  network.set_network_sha256(std::string(kSha256Bytes, 'n'));
  network.set_latency_median_ns(2.0);
  network.set_latency_low_ns(1.0);
  network.set_latency_high_ns(3.0);
  network.set_confidence(0.96);
  network.add_window_ns(2.0);
  network.add_window_cpu_ns(2.0);
  network.add_operations()->set_latency_median_ns(1.0);
  v1::EnergyMeasurement& energy = *network.mutable_energy();
  energy.set_tier(v1::SENSOR_ONBOARD);
  energy.set_source("rapl:package-0");
  energy.set_scope("CPU packages");
  energy.set_gross_uj(300.0);
  energy.set_gross_uncertainty_uj(16.0);
  energy.set_net_uj(120.0);
  energy.set_net_uncertainty_uj(20.0);
  energy.set_idle_power_w(1.8);
  energy.set_latency_ns(100'000.0);
  energy.set_window_s(2.0);
  energy.set_inferences(60'000);
  energy.set_samples(9'000);
  energy.add_window_uj(300.0);
  return reply;
}

Message HelloReply(v1::EnergyTier tier) {
  Message reply;
  v1::HelloAck& hello = *reply.envelope.mutable_hello_ack();
  hello.set_session_id(std::string(kSessionIdBytes, 's'));
  hello.set_boot_id(std::string(kSessionIdBytes, 'b'));
  v1::EnergyCapability& energy = *hello.mutable_capabilities()->mutable_energy();
  energy.set_tier(tier);
  if (tier == v1::METER_EXTERNAL) {
    energy.set_source("meter");
    energy.set_period_ms(1.0);
    energy.set_window_s(1.0);
  } else {
    energy.set_reason("no meter");
  }
  return reply;
}

Message StatusReply() {
  Message reply;
  reply.envelope.mutable_board_status()->set_state("READY");
  return reply;
}

Message Damaged(Message reply, const NumberField& field, double value) {
  if (field.message == "BoardStatus") {
    AppendDouble(*reply.envelope.mutable_board_status(), field.number, value);
    return reply;
  }
  if (field.message == "EnergyCapability") {
    AppendDouble(*reply.envelope.mutable_hello_ack()->mutable_capabilities()->mutable_energy(),
                 field.number, value);
    return reply;
  }
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  v1::NetworkMeasurement& network = *result.mutable_networks(0);
  if (field.message == "NetworkMeasurement") AppendDouble(network, field.number, value);
  if (field.message == "OperationTime") {
    AppendDouble(*network.mutable_operations(0), field.number, value);
  }
  if (field.message == "EnergyMeasurement") {
    AppendDouble(*network.mutable_energy(), field.number, value);
  }
  if (field.message == "Conditions") {
    AppendDouble(*result.mutable_conditions(), field.number, value);
  }
  return reply;
}

TEST(ValidateReplyTest, RefusesNumbersThatAreNotFiniteInEveryField) {
  // Between the daemon and its worker only, and no replies.
  const std::set<std::string> internal{"EnergyRunRequest", "BoardBaseline"};
  const std::map<std::string, std::vector<Message>> replies{
      {"NetworkMeasurement", {MeasuredReply()}},
      {"OperationTime", {MeasuredReply()}},
      {"EnergyMeasurement", {MeasuredReply()}},
      {"Conditions", {MeasuredReply()}},
      {"BoardStatus", {StatusReply()}},
      {"EnergyCapability", {HelloReply(v1::METER_EXTERNAL), HelloReply(v1::MODEL_TABLE)}}};
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  int num_fields = 0;
  for (const NumberField& field : NumberFieldsOfTheProtocol()) {
    if (internal.contains(field.message)) continue;
    SCOPED_TRACE(field.message + "." + field.name);
    ++num_fields;
    ASSERT_TRUE(replies.contains(field.message)) << "a message that this test must learn of";
    for (const Message& whole : replies.at(field.message)) {
      ASSERT_TRUE(ValidateReply(whole).ok()) << ValidateReply(whole).message();
      for (const double value : {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()}) {
        const Status status = ValidateReply(Damaged(whole, field, value));
        EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << value;
        EXPECT_NE(status.message().find(field.name + " must be finite"), std::string::npos)
            << value << ": " << status.message();
      }
    }
  }
  EXPECT_GT(num_fields, 20);
}

}  // namespace
}  // namespace bitpilot
