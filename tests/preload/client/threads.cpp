// Many at once: threads, signal handlers, and code that runs before main.
#include <dlfcn.h>
#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "preload/client/client.h"

namespace client {

namespace {

constexpr int kThreads_ = 8;

template <class Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (int each = 0; each < kThreads_; ++each) {
    threads.emplace_back([each, body] { body(each); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

// Each its own, then all at the same address, while others fork.
void threads(const std::string& mount) {
  const int fd = open_device(mount, "fresh");
  in_threads([fd](int) {
    for (int round = 0; round < 50; ++round) {
      char* const mapped = map(fd, 2 * kPage);
      CHECK(std::strcmp(mapped, "fresh one") == 0);
      mapped[kPage] = 1;
      unmap(mapped + kPage, kPage);
      unmap(mapped, kPage);
    }
  });
  char* const place = map_at(nullptr, -1, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
  in_threads([fd, place](int number) {
    for (int round = 0; round < 50; ++round) {
      if (number == 0) {
        CHECK(in_child([] {}) == 0);
      } else if (number == 1) {
        // Unmaps what another has mapped, perhaps: the address is everybody's.
        map_at(place, -1, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
      } else {
        map_at(place, fd, kPage, kReadWrite, MAP_SHARED | MAP_FIXED);
      }
    }
  });
  unmap(place, kPage);
}

std::atomic<int> handler_fd{-1};
std::atomic<int> handled{0};

void on_alarm(int) {
  const int saved = errno;
  char* const mapped = map(handler_fd.load(), kPage);
  CHECK(std::strcmp(mapped, "fresh one") == 0);
  unmap(mapped, kPage);
  ++handled;
  errno = saved;
}

// A handler maps while the thread that it interrupts is mapping.
void signals(const std::string& mount) {
  handler_fd.store(open_device(mount, "fresh"));
  struct sigaction action {};
  action.sa_handler = on_alarm;
  CHECK(::sigaction(SIGALRM, &action, nullptr) == 0);
  // One signal a round, each a little later than the last, so that it meets every part of mapping and unmapping; not
  // from a timer that goes on by itself, which would leave a slow machine to its handler alone.
  for (int round = 0; handled.load() < 200; ++round) {
    const itimerval soon{{0, 0}, {0, 1 + round * 7 % 500}};
    CHECK(::setitimer(ITIMER_REAL, &soon, nullptr) == 0);
    char* const mapped = map(handler_fd.load(), kPage);
    CHECK(std::strcmp(mapped, "fresh one") == 0);
    unmap(mapped, kPage);
  }
}

char* mapped_early = nullptr;

// Before main, and before most other constructors.
[[gnu::constructor(101)]] void begin() {
  if (const char* const path = std::getenv("CLIENT_MAPS_EARLY")) {
    const int fd = ::open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    mapped_early = map(fd, kPage);
  }
}

void early(const std::string& /*mount*/) {
  CHECK(mapped_early != nullptr && std::strcmp(mapped_early, "fresh one") == 0);
}

// A library that comes later, and maps in its constructor.
void plugin(const std::string& mount) {
  CHECK(::setenv("CLIENT_PLUGIN_MAPS", (mount + "/fresh").c_str(), 1) == 0);
  for (const int flags : {RTLD_NOW | RTLD_LOCAL, RTLD_LAZY | RTLD_GLOBAL}) {
    void* const library = ::dlopen(std::getenv("CLIENT_PLUGIN"), flags);
    CHECK(library != nullptr);
    auto* const text = reinterpret_cast<char* (*)()>(::dlsym(library, "plugin_mapped"));
    CHECK(text != nullptr && std::strcmp(text(), "fresh one") == 0);
    CHECK(::dlclose(library) == 0);
  }
}

// Nothing piles up.
void many(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  const char* const wish = std::getenv("CLIENT_ROUNDS");
  const long rounds = wish != nullptr ? std::atol(wish) : 1000;
  for (long round = 0; round < rounds; ++round) {
    unmap(map(fd, kPage), kPage);
  }
  CHECK(::open("/dev/null", O_RDONLY) == fd + 1);
}

// As many at once as may be.
void at_once(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  std::vector<char*> all;
  for (int each = 0; each < 500; ++each) {
    all.push_back(map(fd, kPage));
  }
  for (std::size_t each = 0; each < all.size(); each += 2) {
    unmap(all[each], kPage);
  }
  for (std::size_t each = 1; each < all.size(); each += 2) {
    CHECK(all[each][0] == 'p');
    unmap(all[each], kPage);
  }
}

}  // namespace

const Entry kThreads[] = {{"threads", threads}, {"signals", signals}, {"early", early},  {"plugin", plugin},
                          {"many", many},       {"at_once", at_once}, {nullptr, nullptr}};

}  // namespace client
