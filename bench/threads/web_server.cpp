// A web server: a request is parsed by one thread, worked on by the next and written by a third,
// which frees it. Parsing and working allocate small objects, which live as long as the request,
// and fill a buffer each. The threads form a circle: each parses requests, works on those of its
// predecessor, and writes those of the one before that. Each has several of its own in flight.
#include <cstring>

#include "bell.h"
#include "pages.h"
#include "spsc_ring.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kInFlight = 32;
constexpr std::uint32_t kWorthWaking = 8;  // requests in the inbox of a thread that sleeps
constexpr std::uint32_t kFewestObjects = 20;
constexpr std::uint32_t kMostObjects = 200;
constexpr std::uint32_t kSmallestArenaObject = 16;
constexpr std::uint32_t kLargestArenaObject = 512;

struct Desk;

struct Buffer {
  unsigned char* bytes;
  std::uint32_t size;
};

struct Request {
  std::uint64_t tag;  // make_object's
  Desk* parser;
  bool worked_on;
  std::uint32_t objects;  // so many in all, half of them from the parser
  std::uint32_t made;
  Buffer input;
  Buffer output;
  void* arena[kMostObjects];
};

// What a thread works at. Its inbox is filled by its predecessor alone.
struct Desk {
  alignas(kCacheLine) std::atomic<std::uint32_t> in_flight;  // parsed here, not yet freed
  alignas(kCacheLine) Bell bell;
  alignas(kCacheLine) Desk* next;
  SpscRing<2 * kInFlight, 1> inbox;  // the predecessor's requests and those it passes on
};

Desk& desk_of(Member& member) { return *static_cast<Desk*>(member.state); }

// 1 to 64 KiB.
template <class Calls>
Buffer make_buffer(Member& member) {
  const std::uint32_t size = member.random.buffer_size(6);
  auto* bytes = static_cast<unsigned char*>(make_object<Calls>(member, size));
  std::memset(bytes + sizeof(std::uint64_t), static_cast<int>(size & 0xff),
              size - sizeof(std::uint64_t));
  return {bytes, size};
}

template <class Calls>
void drop_buffer(Member& member, const Buffer& buffer) {
  const unsigned char expected = buffer.size & 0xff;
  if (buffer.bytes[buffer.size / 2] != expected || buffer.bytes[buffer.size - 1] != expected)
    fault("content check failed: a buffer was overwritten");
  drop_object<Calls>(member, buffer.bytes);
}

template <class Calls>
void make_arena_objects(Member& member, Request& request, std::uint32_t up_to) {
  for (; request.made < up_to; ++request.made) {
    const std::uint32_t size = member.random.between(kSmallestArenaObject, kLargestArenaObject);
    request.arena[request.made] = make_object<Calls>(member, size);
  }
}

// The ring holds all that can be in it; it is full only if the bookkeeping here is wrong.
void pass_on(Desk& desk, Request* request) {
  Desk& next = *desk.next;
  if (!next.inbox.push(request)) fault("a request too many");
  if (next.bell.asleep() && next.inbox.level_for_writer() >= kWorthWaking) next.bell.ring();
}

template <class Calls>
void parse(Member& member, Desk& desk) {
  auto* request = static_cast<Request*>(make_object<Calls>(member, sizeof(Request)));
  request->parser = &desk;
  request->worked_on = false;
  request->objects = member.random.between(kFewestObjects, kMostObjects);
  request->made = 0;
  request->input = make_buffer<Calls>(member);
  make_arena_objects<Calls>(member, *request, request->objects / 2);
  desk.in_flight.fetch_add(1, std::memory_order_relaxed);
  pass_on(desk, request);
}

template <class Calls>
void work_on(Member& member, Desk& desk, Request* request) {
  make_arena_objects<Calls>(member, *request, request->objects);
  request->output = make_buffer<Calls>(member);
  request->worked_on = true;
  pass_on(desk, request);
}

template <class Calls>
void write_out(Member& member, Request* request) {
  if (request->worked_on) drop_buffer<Calls>(member, request->output);
  drop_buffer<Calls>(member, request->input);
  for (std::uint32_t i = 0; i < request->made; ++i) drop_object<Calls>(member, request->arena[i]);
  Desk* parser = request->parser;
  drop_object<Calls>(member, request);
  if (parser->in_flight.fetch_sub(1, std::memory_order_relaxed) == kInFlight - kWorthWaking + 1)
    parser->bell.ring();
}

bool may_parse(const Desk& desk) {
  return desk.in_flight.load(std::memory_order_relaxed) < kInFlight;
}

template <class Calls>
End run(Member& member) {
  Desk& desk = desk_of(member);
  while (!member.stopped()) {
    auto* request = static_cast<Request*>(desk.inbox.pop());
    if (request != nullptr && request->worked_on) {
      write_out<Calls>(member, request);
      member.count();
    } else if (request != nullptr) {
      work_on<Calls>(member, desk, request);
    } else if (may_parse(desk)) {
      parse<Calls>(member, desk);
    } else {
      desk.next->bell.ring();
      desk.bell.wait([&] { return may_parse(desk) || desk.inbox.level_for_reader() != 0; });
    }
  }
  return End::kStopped;
}

void set_up(Member* members, unsigned count) {
  auto* desks = map_zeroed<Desk>(count);
  for (unsigned i = 0; i < count; ++i) {
    desks[i].next = &desks[(i + 1) % count];
    members[i].state = &desks[i];
  }
}

void tear_down(Member* members, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    while (void* request = desk_of(members[i]).inbox.pop())
      write_out<Untimed>(members[i], static_cast<Request*>(request));
  }
}

}  // namespace

const Workload kWebServer = {"web-server", "a request",  1,          false,
                             set_up,       run<Untimed>, run<Timed>, tear_down};

}  // namespace bench
