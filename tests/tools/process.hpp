// Runs a program to its end and keeps what it printed.
#pragma once

#include <map>
#include <string>
#include <vector>

struct Outcome {
  int status;  // as waitpid gives it
  std::string out;
  std::string err;

  // The exit code; -N for a death by signal N.
  int code() const;
};

// `changes` is laid over the environment of the test.
Outcome run_program(const std::vector<std::string>& words,
                    const std::map<std::string, std::string>& changes = {});
