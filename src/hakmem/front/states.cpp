#include "hakmem/front/states.hpp"

#include <algorithm>

namespace hakmem {
namespace {

constinit os::Lock lock{os::LockKind::threads};
constinit ThreadState* first = nullptr;

// Their threads write what is read here without order, for which the fast path has no time: each
// word is read once, and misfits are bounded. ThreadSanitizer looks away from these reads alone.
#define HAK_READS_OTHERS __attribute__((no_sanitize("thread")))

template <typename T>
HAK_READS_OTHERS T once(const T& word) {
  return *const_cast<const volatile T*>(&word);
}

HAK_READS_OTHERS std::size_t held_by(const ThreadState& state, unsigned c) {
  const Magazine& m = state.magazines[c];
  const auto first_word = reinterpret_cast<std::uintptr_t>(once(m.words));
  if (first_word == 0) return 0;
  std::size_t held = once(m.held_before);
  if (const Cache* cache_of_it = once(state.of); cache_of_it != nullptr) {
    const auto top = reinterpret_cast<std::uintptr_t>(once(cache_of_it->words[slot_of_class(c)]));
    held = (top - first_word) / sizeof(void*);
    if (held > 0 && once(state.wires[c]) != 0) --held;  // a tripwire is no object
  }
  return std::min<std::size_t>(held, once(m.capacity));
}

HAK_READS_OTHERS std::size_t bytes_on_their_way(const Outbox& outbox) {
  if (once(outbox.charge) == 0) return 0;
  std::size_t bytes = 0;
  for (const Outbox::Parcel& parcel : outbox.parcels) {
    const SizeClass* k = once(parcel.k);
    if (k != nullptr) bytes += count_bits(once(parcel.mask)) * std::size_t{k->size};
  }
  return bytes;
}

void unlink(const ThreadState* state) {
  if (state->next != nullptr) state->next->previous = state->previous;
  (state->previous != nullptr ? state->previous->next : first) = state->next;
}

}  // namespace

os::Lock& states_lock() { return lock; }

ThreadState* states_first() { return first; }

void states_add(ThreadState* state) {
  const os::Locked locked(lock);
  state->previous = nullptr;
  state->next = first;
  if (first != nullptr) first->previous = state;
  first = state;
}

void states_remove(ThreadState* state) {
  const os::Locked locked(lock);
  unlink(state);
}

void states_show_mine() {
  const os::Locked locked(lock);
  cache.thread->of = &cache;
}

std::size_t states_cached_bytes() {
  const os::Locked locked(lock);
  std::size_t bytes = shelf_passed_on_bytes();
  for (const ThreadState* state = first; state != nullptr; state = state->next) {
    for (unsigned c = 0; c < kClasses; ++c) bytes += held_by(*state, c) * kSizeClasses[c].size;
    bytes += bytes_on_their_way(state->outbox) + state->shelf.bytes.load(std::memory_order_relaxed);
  }
  return bytes;
}

void states_forget_others() {
  for (const ThreadState* state = first; state != nullptr; state = state->next) {
    if (state->of != nullptr && state->of != &cache) unlink(state);
  }
}

}  // namespace hakmem
