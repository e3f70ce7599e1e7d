#include "hakmem/api/slow_door.hpp"

#include <pthread.h>

#include "hakmem/api/janitor.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/states.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/system.hpp"

extern "C" {
// glibc's own, exported; fork takes the same lock after the prepare handlers, and it nests.
__attribute__((weak)) void _IO_list_lock();
__attribute__((weak)) void _IO_list_unlock();
__attribute__((weak)) void _IO_list_resetlock();
}

namespace hakmem {
namespace {

constinit os::Lock start_lock{os::LockKind::start};
constinit std::atomic<bool> started{false};  // release: config and the first arena are there

constinit os::Lock hooks_lock{os::LockKind::start};
constinit std::atomic<bool> hooked{false};  // release: the key is there
constinit bool fork_hooked = false;
pthread_key_t exit_key;

void at_thread_exit(void*) { thread_end(); }

void at_fork_prepare() {
  // fflush(NULL) holds stdio's list while it waits for a stream whose holder may wait for us.
  if (&_IO_list_lock != nullptr) _IO_list_lock();
  hooks_lock.lock();
  start_lock.lock();
  states_lock().lock();
  fork_prepare();
}

void at_fork_parent() {
  fork_parent();
  states_lock().unlock();
  start_lock.unlock();
  hooks_lock.unlock();
  if (&_IO_list_unlock != nullptr) _IO_list_unlock();
}

void at_fork_child() {
  fork_child();
  states_forget_others();
  states_lock().reset();
  start_lock.reset();
  hooks_lock.reset();
  janitor_request();
  // glibc does this itself in the child of a process with threads, and else leaves the lock held.
  if (&_IO_list_resetlock != nullptr) _IO_list_resetlock();
}

bool start() {
  if (HAK_LIKELY(started.load(std::memory_order_acquire))) return true;
  const os::Locked locked(start_lock);
  if (started.load(std::memory_order_relaxed)) return true;
  before_abort = os::ignore_locks;
  config::load();
  if (!spans_start()) return false;
  started.store(true, std::memory_order_release);
  return true;
}

// The caller holds the lock. What fails is tried again by the next thread.
void hook_fork() {
  if (fork_hooked) return;
  fork_hooked = true;  // before the call: it may allocate, and come back here
  fork_hooked = pthread_atfork(at_fork_prepare, at_fork_parent, at_fork_child) == 0;
}

// Both calls may allocate: the thread must be able to by now.
void hook_system() {
  const os::Locked locked(hooks_lock);
  hook_fork();
  if (hooked.load(std::memory_order_relaxed)) return;
  if (pthread_key_create(&exit_key, at_thread_exit) != 0) return;
  hooked.store(true, std::memory_order_release);
}

// After libc's own constructors, before the program's. A malloc before that finds defaults.
__attribute__((constructor(101))) void at_load() {
  {
    const os::Locked locked(start_lock);
    config::load();
    if (config::stats() != 0) os::keep_standard_error();
  }
  {
    // Before the program's own handlers, even if it has allocated nothing yet: the first to be
    // registered is the last to prepare. One that came before might wait, while our locks are held,
    // for a lock of the program's whose holder waits for ours.
    const os::Locked locked(hooks_lock);
    hook_fork();
  }
  janitor_request();
  static_cast<void>(os::strict_overcommit());  // while the program may still open files
}

__attribute__((destructor(101))) void at_exit() {
  if (config::stats() == 1) print_statistics(os::standard_error());
  if (config::stats() == 2) print_json_statistics(os::standard_error());
}

}  // namespace

bool thread_ready() {
  if (HAK_LIKELY(cache.phase == Cache::Phase::attached)) return true;
  if (!start() || !thread_attach()) return false;
  if (!hooked.load(std::memory_order_acquire)) hook_system();
  // Any value but null makes the destructor run. May allocate. Without a key: no cache.
  if (!hooked.load(std::memory_order_acquire)) return true;
  if (pthread_setspecific(exit_key, &cache) != 0) {
    thread_idle();
    return false;
  }
  states_show_mine();
  return true;
}

}  // namespace hakmem
