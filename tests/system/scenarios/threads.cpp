// Memory at the borders of threads' lives, and of the process's.
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

// ---- before main
void* early_object = nullptr;

__attribute__((constructor(101))) void allocate_before_everything() {
  early_object = std::malloc(1000);
  if (early_object != nullptr) pattern::fill(early_object, 1000, 42);
  std::free(std::realloc(std::calloc(10, 10), 5000));
}

// ---- objects that threads free while they die
struct FreesWhenItsThreadDies {
  void* mine = std::malloc(300);
  std::vector<void*> more;
  ~FreesWhenItsThreadDies() {
    std::free(mine);
    for (void* p : more) std::free(p);
    std::free(std::malloc(2000));
  }
};
thread_local FreesWhenItsThreadDies at_thread_death;

pthread_key_t keys[20];

// Frees, allocates and sets the key again: the last round comes after the library's own.
void key_destructor(void* value) {
  auto* const rounds = static_cast<int*>(value);
  const int left = *rounds - 1;
  std::free(rounds);
  if (left == 0) return;
  auto* const next = static_cast<int*>(std::malloc(sizeof(int)));
  *next = left;
  std::free(std::calloc(3, 1000));
  for (const pthread_key_t key : keys) {
    if (pthread_getspecific(key) == nullptr) {
      pthread_setspecific(key, next);
      return;
    }
  }
  std::free(next);
}

void run_threads(int count, void* (*body)(void*)) {
  for (int i = 0; i < count; ++i) {
    pthread_t threads[2];
    for (pthread_t& t : threads) REQUIRE(pthread_create(&t, nullptr, body, nullptr) == 0);
    for (const pthread_t t : threads) REQUIRE(pthread_join(t, nullptr) == 0);
  }
}

}  // namespace

SCENARIO(constructor_before_main) {
  REQUIRE(early_object != nullptr && pattern::holds(early_object, 1000, 42));
  early_object = std::realloc(early_object, 100000);
  REQUIRE(pattern::holds(early_object, 1000, 42));
  std::free(early_object);
}

SCENARIO(free_in_tls_destructor) {
  run_threads(500, [](void*) -> void* {
    for (int i = 0; i < 100; ++i) {
      at_thread_death.more.push_back(std::malloc(static_cast<std::size_t>(i) * 20));
    }
    return nullptr;
  });
}

SCENARIO(free_in_key_destructor) {
  for (pthread_key_t& key : keys) REQUIRE(pthread_key_create(&key, key_destructor) == 0);
  run_threads(500, [](void*) -> void* {
    for (const pthread_key_t key : keys) {
      auto* const rounds = static_cast<int*>(std::malloc(sizeof(int)));
      *rounds = 20;
      pthread_setspecific(key, rounds);
    }
    return nullptr;
  });
}

// A thread that allocates for the first time in its life while it dies.
SCENARIO(first_malloc_in_key_destructor) {
  REQUIRE(pthread_key_create(&keys[0], [](void*) {
            void* const p = std::malloc(5000);
            REQUIRE(p != nullptr);
            std::free(p);
          }) == 0);
  run_threads(500, [](void*) -> void* {
    pthread_setspecific(keys[0], &keys);
    return nullptr;
  });
}

SCENARIO(free_in_atexit) {
  static std::vector<void*>* objects = nullptr;
  objects = new std::vector<void*>;
  for (std::size_t i = 0; i < 10000; ++i) objects->push_back(std::malloc(i));
  std::thread([] {
    for (std::size_t i = 0; i < 10000; ++i) objects->push_back(std::malloc(i));
  }).join();
  REQUIRE(std::atexit([] {
            for (void* p : *objects) std::free(p);
            delete objects;
            std::free(std::calloc(1000, 1000));
            std::puts("released in atexit");
          }) == 0);
}

// The main thread ends first; another uses and frees what it left, then ends the process.
SCENARIO(main_thread_exits_first) {
  static const pthread_t main_thread = pthread_self();
  static std::vector<void*> objects;
  for (std::size_t i = 0; i < 20000; ++i) {
    objects.push_back(std::malloc(i % 3000 + 1));
    pattern::fill(objects.back(), i % 3000 + 1, i);
  }
  std::thread([] {
    REQUIRE(pthread_join(main_thread, nullptr) == 0);
    for (std::size_t i = 0; i < objects.size(); ++i) {
      REQUIRE(pattern::holds(objects[i], i % 3000 + 1, i));
      std::free(objects[i]);
    }
    for (std::size_t i = 0; i < 20000; ++i) std::free(std::malloc(i % 3000));
    std::puts("ok");
    std::exit(0);
  }).detach();
  pthread_exit(nullptr);
}

// glibc keeps the text of an unknown error per thread and frees it after the last key destructor.
SCENARIO(strerror_in_100000_threads) {
  auto one = [](void*) -> void* {
    return const_cast<char*>(std::strerror(12345))[0] == 'U' ? nullptr : &keys;
  };
  std::size_t after_warm_up = 0;
  for (int i = 0; i < 100000; ++i) {
    pthread_t thread;
    void* result = nullptr;
    REQUIRE(pthread_create(&thread, nullptr, one, nullptr) == 0);
    REQUIRE(pthread_join(thread, &result) == 0 && result == nullptr);
    if (i == 1000) after_warm_up = scenario::resident_bytes();
  }
  REQUIRE(scenario::resident_bytes() < after_warm_up + (2u << 20));
}

SCENARIO(threads_start_while_others_exit) {
  std::vector<std::thread> lanes;
  std::atomic<void*> mailbox[16] = {};
  for (std::size_t lane = 0; lane < 4; ++lane) {
    lanes.emplace_back([&mailbox, lane] {
      for (std::size_t i = 0; i < 500; ++i) {
        std::thread([&mailbox, lane, i] {
          for (std::size_t k = 0; k < 50; ++k) {
            void* const p = std::malloc((lane * i + k * 37) % 2000 + 8);
            std::memset(p, 1, 8);
            std::free(mailbox[(i + k) % 16].exchange(p));
          }
        }).join();
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
  for (auto& slot : mailbox) std::free(slot.load());
}

// Memory of threads that ended is used again: many generations do not grow the process.
SCENARIO(thread_generations_do_not_grow) {
  std::size_t after_warm_up = 0;
  for (int generation = 0; generation < 2000; ++generation) {
    std::thread([] {
      std::vector<void*> objects;
      for (std::size_t i = 0; i < 300; ++i) objects.push_back(std::calloc(1, i * 10));
      for (void* p : objects) std::free(p);
    }).join();
    if (generation == 100) after_warm_up = scenario::resident_bytes();
  }
  REQUIRE(scenario::resident_bytes() < after_warm_up + (4u << 20));
}

pid_t vfork_and_run(char* program) {
  char* const argv[] = {program, nullptr};
  char* const envp[] = {nullptr};
  const pid_t child = vfork();
  if (child == 0) {
    execve(program, argv, envp);
    _exit(9);
  }
  return child;
}

pid_t spawn(char* program) {
  char* const argv[] = {program, nullptr};
  char* const envp[] = {nullptr};
  pid_t pid = -1;
  REQUIRE(posix_spawn(&pid, program, nullptr, nullptr, argv, envp) == 0);
  return pid;
}

SCENARIO(vfork_and_exec) {
  std::atomic<bool> stop{false};
  std::thread churn([&stop] {
    while (!stop) std::free(std::malloc(700));
  });
  for (int i = 0; i < 200; ++i) {
    auto* const name = static_cast<char*>(std::malloc(20));
    std::strcpy(name, "/bin/true");
    const pid_t pid = i % 2 == 0 ? vfork_and_run(name) : spawn(name);
    int status = -1;
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
    std::free(name);
  }
  stop = true;
  churn.join();
}

// A process without threads forks; its child has threads that open and flush streams, and forks
// too.
SCENARIO(streams_in_threads_of_a_child) {
  const auto use_streams_in_a_thread = [] {
    std::thread([] {
      std::FILE* const f = std::fopen("/dev/null", "w");
      REQUIRE(f != nullptr && std::fputs("x", f) >= 0 && std::fflush(nullptr) == 0);
      std::fclose(f);
    }).join();
  };
  const auto in_child = [](auto action) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      action();
      _exit(0);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  };
  std::free(opaque(std::malloc(10)));
  in_child([&] {
    use_streams_in_a_thread();
    in_child(use_streams_in_a_thread);
  });
  use_streams_in_a_thread();
  in_child(use_streams_in_a_thread);
}

// Threads read lines (realloc under a stream's lock) and flush all streams while others fork.
SCENARIO(fork_amid_streams) {
  alarm(60);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&stop] {
      while (!stop) {
        std::FILE* const f = std::fopen("/etc/passwd", "r");
        REQUIRE(f != nullptr);
        char* line = nullptr;
        std::size_t size = 0;
        while (getline(&line, &size, f) > 0)
          line = static_cast<char*>(std::realloc(line, size += 50));
        std::free(line);
        std::fclose(f);
      }
    });
  }
  threads.emplace_back([&stop] {
    while (!stop) std::fflush(nullptr);
  });
  for (int i = 0; i < scenario::scaled(200); ++i) {
    const pid_t child = fork();
    if (child == 0) {
      std::free(std::malloc(100));
      _exit(0);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

// daemon-like: the child of a fork lives on with a heap of its own after the parent's threads.
SCENARIO(fork_amid_threads_and_exit) {
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&stop] {
      while (!stop) std::free(std::malloc(30000));
    });
  }
  for (int i = 0; i < 50; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      std::thread([] { std::free(std::calloc(100, 100)); }).join();
      std::free(std::malloc(1u << 20));
      std::_Exit(malloc_trim(0) < 0 ? 1 : 0);
    }
    int status = -1;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

// A thread that is to be cancelled is not while it is inside malloc or free, whatever those do
// there (reading what a control group grants, for one).
SCENARIO(no_call_is_a_cancellation_point) {
  pthread_t thread;
  static const auto count = static_cast<std::size_t>(scenario::scaled(8));
  const auto work = [](void* reached) -> void* {
    pthread_cancel(pthread_self());
    for (const std::size_t size : {100u, 30000u, 120000u, 3u << 20, 40u << 20}) {
      std::vector<void*> objects(count);
      for (void*& p : objects) {
        p = std::malloc(size);
        if (p != nullptr) std::memset(p, 1, size);
      }
      void* p = std::malloc(size);
      for (std::size_t grown = size; grown < 4 * size; grown += grown / 2) {
        p = std::realloc(opaque(p), grown);
      }
      std::free(p);
      for (void* each : objects) std::free(each);
    }
    malloc_trim(0);
    *static_cast<bool*>(reached) = true;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    return nullptr;
  };
  bool reached = false;
  REQUIRE(pthread_create(&thread, nullptr, work, &reached) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  REQUIRE(reached);
}
