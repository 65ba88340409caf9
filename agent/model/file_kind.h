// What kind of file somebody gave in place of the one that was asked for, by its first bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// How many bytes of a file are worth looking at.
inline constexpr std::size_t kFileKindBytes = 65'536;

// What to say where a file ends before what it promises does.
inline constexpr char kEndsTooEarly[] =
    "the file ends too early, as half a download does: fetch it again";

// "a gzip file: unpack it with gunzip, ...": what a file that begins with `first` bytes is, and
// what to do with it, as the end of a sentence. Empty for kinds that are not known. Known are
// archives, Python's pickles, HTML, Git LFS pointers, CIFAR-100's records and the like.
std::string DescribeFileKind(std::string_view first);

// `failure`, or if it is kDataCorrupt and the file's kind is known, "PATH: expected EXPECTED, got
// KIND".
Status NameFileKind(const Status& failure, const std::string& path, std::string_view first,
                    std::string_view expected);

// The first kFileKindBytes of the file, or fewer; empty if it cannot be read.
std::string FirstBytes(const std::string& path);

}  // namespace bitpilot
