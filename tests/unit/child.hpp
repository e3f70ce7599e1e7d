// Tests in a process of their own: the allocator is one for the process, its options are read once,
// and some tests end in a fatal message. A fork of the test, which has touched nothing yet, is a
// fresh start; unlike an exec it needs neither /proc nor an emulator that finds itself again.
#pragma once

#include <gtest/gtest.h>

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// Sanitizers cannot live with a limit of address space, and emulators do not hold one.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SPACE_CAN_BE_LIMITED 1
#endif

// Laid over the environment; null: the variable is not set.
using Environment = std::vector<std::pair<const char*, const char*>>;

struct Outcome {
  int status;       // as waitpid gives it
  std::string err;  // what was written on stderr

  bool exited_well() const;
  bool aborted() const;
  // The lines of `err` that the library wrote.
  std::vector<std::string> messages() const;
};

// What a child does: a reference to something callable, which must outlive it. (With a
// std::function for each test the longest of these programs takes 1.2 times as long to compile, in
// four trees.)
class Body {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, Body>)
      Body(F&& callable)  // NOLINT(google-explicit-constructor): lambdas are passed as they stand
      : callable_(std::addressof(callable)),
        call_([](const void* f) { (*static_cast<const std::remove_cvref_t<F>*>(f))(); }) {}

  void operator()() const { call_(callable_); }

 private:
  const void* callable_;
  void (*call_)(const void*);
};

// Runs `body` in a child, after config::load(). Failed expectations of the body are printed, and
// the child does not exit well.
Outcome run_in_child(Body body, const Environment& environment = {});

// Expects all expectations of `body` to hold.
void in_child(Body body, const Environment& environment = {});

// Expects `body` to end by abort, after one line of ours that says "hakmem: " and `words`.
void expect_fatal(const std::string& words, Body body, const Environment& environment = {});
