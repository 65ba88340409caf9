// The first images of the shipped sample, 128 to train on, for tests that run whole programs and ask
// nothing of their accuracy.
#pragma once

namespace bitpilot {

// Makes it "the sample" of this process and of those that it starts. It lies in the build folder and
// is made by the first who needs it.
void UseSmallSample();

}  // namespace bitpilot
