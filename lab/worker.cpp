#include "lab/worker.hpp"

namespace hakmem::lab {

Worker::Worker(const Launch& launch, double patience_seconds)
    : process_(launch), library_(launch.preload), patience_seconds_(patience_seconds) {}

Turn Worker::take_turn(std::uint64_t length) {
  Turn turn{};
  if (!process_.write(&length, sizeof length)) fail();
  if (!process_.read(&turn, sizeof turn, patience_seconds_)) fail();
  if (!library_seen_ && !library_.empty() && !has_mapped(process_.id(), library_))
    throw ProcessFailure(library_ + " was not preloaded: " + process_.complaint());
  library_seen_ = true;
  return turn;
}

Report Worker::finish() {
  process_.close_input();
  Report report;
  report.text = process_.read_all(patience_seconds_);
  report.usage = process_.wait();
  if (report.usage.status != 0)
    throw ProcessFailure(describe_status(report.usage.status) + ": " + process_.complaint());
  return report;
}

void Worker::fail() {
  process_.kill();
  const int status = process_.wait().status;
  throw ProcessFailure(describe_status(status) + ": " + process_.complaint());
}

}  // namespace hakmem::lab
