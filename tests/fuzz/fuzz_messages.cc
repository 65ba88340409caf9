// A message of an agent that holds the board's lease: what its first byte says of its session, epoch
// and request, then an envelope. Whatever it says, the core answers, and answers a sane agent after
// it.
#include "device_daemon/core/daemon_core.h"
#include "kernels/base/check.h"
#include "tests/device_daemon/core_driver.h"
#include "tests/fuzz/fuzz_targets.h"

namespace bitpilot {

void FuzzMessages(std::string_view bytes) {
  FuzzInput input(bytes);
  const std::uint8_t honest = input.Byte();
  Message message;
  if (!message.envelope.ParseFromString(std::string(input.Rest()))) return;
  if (CarriesRaw(message.envelope.body_case())) message.raw = "raw bytes";

  daemon::CoreDriver driver;
  driver.roles[daemon::kBob] = v1::ADMIN;
  const std::string session = driver.Connect(daemon::kAlice);
  const std::string other = driver.SayHello(daemon::kBob);
  if (honest & 1) message.envelope.set_session_id(session);
  if (honest & 2) message.envelope.set_lease_epoch(driver.stored_epochs.back());
  if (honest & 4) message.envelope.set_request_id(++driver.last_request_id);
  const char* user = honest & 8 ? daemon::kBob : daemon::kAlice;
  if (honest & 16) message.envelope.set_session_id(other);
  for (const daemon::Send& send :
       daemon::CoreDriver::Of<daemon::Send>(driver.Deliver(user, message))) {
    BITPILOT_CHECK(EncodeMessage(send.message).size() <= 3);
  }
  driver.PassTime(daemon::Milliseconds{100'000});

  Message ping = driver.Request(other);
  ping.envelope.set_request_id(~std::uint64_t{0});
  ping.envelope.mutable_ping();
  const auto answers = daemon::CoreDriver::Of<daemon::Send>(driver.Deliver(daemon::kBob, ping));
  BITPILOT_CHECK(!answers.empty());
}

}  // namespace bitpilot
