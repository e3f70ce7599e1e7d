#pragma once

#include <stdexcept>

namespace hakmem::lab {

// What was asked for makes no sense: the fault of the command line, exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A process that is measured crashed, hung, or was not what it should have been.
struct ProcessFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace hakmem::lab
