// Networks, images and daemons that the loopback tests share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/device/local_daemon.h"
#include "agent/fleet/board.h"
#include "kernels/base/network.h"

namespace bitpilot {

// A convolution and a fully connected layer on 8x8 images; runs in microseconds.
Network SmallNetwork(std::uint64_t seed);

// A convolution of stride 8 on 3x640x640 pixels, more than an envelope takes.
Network LargeImageNetwork(std::uint64_t seed);

// One fully connected layer with weights of about `megabytes` MB.
Network LargeNetwork(int megabytes, std::uint64_t seed);

// Seeded pixels for `num_images` images of `network`.
std::vector<std::uint8_t> RandomImages(const Network& network, int num_images, std::uint64_t seed);

// RunReference() of each image.
std::vector<std::vector<float>> ReferenceLogits(const Network& network,
                                                const std::vector<std::uint8_t>& images);

// A running daemon that authorizes `agent`, and where it is.
struct RunningDaemon {
  std::unique_ptr<LocalDaemon> process;
  BoardAddress address;
};
RunningDaemon StartDaemon(const AgentKeys& agent, const std::string& isa = "");

// Options for tests that expect failures: short waits.
BoardOptions ShortWaits();

}  // namespace bitpilot
