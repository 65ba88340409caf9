#include "device_daemon/server/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

// systemd's end.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& name)
      : descriptor_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
  }
  ~NotifySocket() { close(descriptor_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  std::vector<std::string> Received() const {
    std::vector<std::string> received;
    char text[256];
    for (;;) {
      const ssize_t size = recv(descriptor_, text, sizeof text, 0);
      if (size < 0) return received;
      received.emplace_back(text, static_cast<std::size_t>(size));
    }
  }

 private:
  int descriptor_;
};

class ServiceManagerTest : public testing::Test {
 protected:
  ~ServiceManagerTest() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  const TemporaryFolder folder_;
  boost::asio::io_context io_;
};

TEST_F(ServiceManagerTest, SaysReadyFeedsTheWatchdogAndSaysStopping) {
  const std::string path = folder_ / "notify";
  const NotifySocket manager(path);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  setenv("WATCHDOG_USEC", "20000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  ServiceManager service(io_);
  EXPECT_EQ(getenv("NOTIFY_SOCKET"), nullptr);  // Programs that it starts are not meant.
  service.SayReady();
  EXPECT_EQ(manager.Received(), (std::vector<std::string>{"READY=1", "WATCHDOG=1"}));
  // Fed by the loop, and by nothing else.
  usleep(60'000);
  EXPECT_TRUE(manager.Received().empty());
  while (manager.Received().empty()) io_.run_one();
  service.SayStopping();
  EXPECT_EQ(manager.Received(), (std::vector<std::string>{"STOPPING=1"}));
}

TEST_F(ServiceManagerTest, SpeaksToAnAbstractSocket) {
  const std::string name = "@bitpilot-test-" + std::to_string(getpid());
  const NotifySocket manager(name);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  ServiceManager service(io_);
  service.SayReady();
  EXPECT_EQ(manager.Received(), (std::vector<std::string>{"READY=1"}));
  EXPECT_EQ(io_.run(), 0U);  // No watchdog.
}

TEST_F(ServiceManagerTest, FeedsNoWatchdogOfAnotherProcess) {
  const std::string path = folder_ / "notify";
  const NotifySocket manager(path);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  setenv("WATCHDOG_USEC", "20000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  ServiceManager service(io_);
  service.SayReady();
  EXPECT_EQ(manager.Received(), (std::vector<std::string>{"READY=1"}));
}

TEST_F(ServiceManagerTest, IsSilentWithoutAManagerAndWithOneThatIsGone) {
  ServiceManager alone(io_);
  alone.SayReady();
  setenv("NOTIFY_SOCKET", (folder_ / "gone").c_str(), 1);
  ServiceManager service(io_);
  service.SayReady();
  service.SayStopping();
}

}  // namespace
}  // namespace bitpilot
