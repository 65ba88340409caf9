// A bad network as a program: chaos-proxy SERVER SEED
//
// SERVER: tcp://127.0.0.1:PORT. Prints where to connect, then spoils what passes, something else
// every few seconds, until it is killed.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "tests/faults/chaos_proxy.h"

int main(int argc, char** argv) {
  using namespace bitpilot;
  using std::chrono::milliseconds;
  if (argc != 3) {
    std::fprintf(stderr, "usage: chaos-proxy tcp://127.0.0.1:PORT SEED\n");
    return 2;
  }
  ChaosProxy proxy(argv[1]);
  std::printf("%s\n", proxy.endpoint().c_str());
  std::fflush(stdout);
  std::mt19937 random(static_cast<std::uint32_t>(std::atoi(argv[2])));
  for (;;) {
    std::this_thread::sleep_for(milliseconds(500 + random() % 6'000));
    PathOptions path;
    switch (random() % 8) {
      case 0:
        proxy.EndAll(Ending::kReset);
        break;
      case 1:
        proxy.EndAll(Ending::kClose);
        break;
      case 2:
        proxy.EndAll(Ending::kHalfOpen);
        break;
      case 3:
        proxy.EndAfter(random() % 2 == 0 ? Direction::kToServer : Direction::kToClient,
                       1 + random() % 3'000, Ending::kReset);
        break;
      case 4:  // a cable that is out for up to six seconds
        path.is_cut = true;
        proxy.SetPath(random() % 2 == 0 ? Direction::kToServer : Direction::kToClient, path);
        std::this_thread::sleep_for(milliseconds(random() % 6'000));
        break;
      case 5:
        path.delay = milliseconds(random() % 100);
        path.jitter = path.delay / 2;
        break;
      case 6:
        path.bytes_per_second = 20'000;
        path.piece_bytes = 100;
        break;
      default:
        break;
    }
    if (!path.is_cut) proxy.SetBothPaths(path);
    if (path.is_cut) proxy.SetBothPaths({});
  }
}
