// FileDescriptor: an open file that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace bitpilot {

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}  // negative: none, as open() failed
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int get() const { return number_; }

 private:
  int number_;
};

}  // namespace bitpilot
