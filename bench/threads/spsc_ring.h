// A ring of pointers from one thread to one other. Each side keeps a copy of the other's position
// and looks at the real one only when the copy says that it must wait; and it shows its own only
// after every batch, so that two quick sides do not fight for one cache line.
#pragma once

#include <atomic>
#include <cstdint>

#include "member.h"

namespace bench {

template <std::uint32_t kCapacity, std::uint32_t kBatch>
class SpscRing {
 public:
  static_assert(kCapacity % kBatch == 0 && (kCapacity & (kCapacity - 1)) == 0);

  // False when there is no room.
  bool push(void* object) {
    if (writer_.mine - writer_.others == kCapacity) {
      publish();
      writer_.others = reader_.shown.load(std::memory_order_acquire);
      if (writer_.mine - writer_.others == kCapacity) return false;
    }
    slots_[writer_.mine % kCapacity] = object;
    if (++writer_.mine % kBatch == 0) publish();
    return true;
  }

  // Shows the reader a batch that is not full.
  void publish() { writer_.shown.store(writer_.mine, std::memory_order_release); }

  // How many wait in it. Each side may ask; the other's part of the answer may be old.
  [[nodiscard]] std::uint32_t level_for_writer() const {
    return writer_.mine - reader_.shown.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint32_t level_for_reader() const {
    return writer_.shown.load(std::memory_order_acquire) - reader_.mine;
  }

  // Null when there is none.
  void* pop() {
    if (reader_.mine == reader_.others) {
      reader_.shown.store(reader_.mine, std::memory_order_release);
      reader_.others = writer_.shown.load(std::memory_order_acquire);
      if (reader_.mine == reader_.others) return nullptr;
    }
    void* object = slots_[reader_.mine % kCapacity];
    if (++reader_.mine % kBatch == 0) reader_.shown.store(reader_.mine, std::memory_order_release);
    return object;
  }

 private:
  // In zeroed memory. Positions count up for ever; each side writes lines of its own.
  struct Side {
    alignas(kCacheLine) std::atomic<std::uint32_t> shown;
    alignas(kCacheLine) std::uint32_t mine;
    std::uint32_t others;  // what the other side had shown when last looked at
  };

  Side writer_;
  Side reader_;
  alignas(kCacheLine) void* slots_[kCapacity];
};

}  // namespace bench
