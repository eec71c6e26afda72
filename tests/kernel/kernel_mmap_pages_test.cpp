// kernel/patches: mappings whose pages the server names one by one.
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "kernel/mmap_fixture.h"
#include "support/guarded_copy.h"

namespace dmmap::testing {
namespace {

using protocol::MmapIn;
using protocol::Opcode;
using protocol::PageIn;

std::vector<std::byte> filled(int value) {
  return std::vector<std::byte>(kPage, static_cast<std::byte>(value));
}

class KernelMmapPages : public KernelMmap {
 protected:
  /// Grants of pages, by mapids from 1 on; page p of a mapping is named 100 + p, and new ones are full of p + 1.
  void start_with_pages(std::uint64_t offset = 0, std::uint32_t flags = 0) {
    start([this, offset, flags](const MmapIn& in) {
      MmapAnswer answer;
      answer.out.mapid = ++mapids_;
      answer.out.offset = offset + in.offset;
      answer.out.grant_flags = protocol::kMmapPages | flags;
      return answer;
    });
    server_->set_page_policy([](const PageIn& in) {
      const std::uint64_t page = in.offset / kPage;
      return PageAnswer{.pageid = 100 + page, .bytes = filled(static_cast<int>(page + 1))};
    });
  }
  template <class Notice>
  int notify(std::int32_t code, const Notice& notice, const std::vector<std::byte>& bytes = {}) {
    return server_->notify(static_cast<protocol::Notice>(code), &notice, sizeof(notice), bytes.data(), bytes.size());
  }
  int store(std::uint64_t page, std::uint32_t offset, const std::vector<std::byte>& bytes) {
    const protocol::PageStoreNotice notice{page, offset, static_cast<std::uint32_t>(bytes.size())};
    return notify(protocol::kNoticePageStore, notice, bytes);
  }
  int unmap(std::uint64_t mapid, std::uint64_t offset, std::uint64_t length) {
    return notify(protocol::kNoticePageUnmap, protocol::PageUnmapNotice{mapid, offset, length});
  }
  int forget(std::uint64_t page, std::uint64_t count) {
    return notify(protocol::kNoticePageForget, protocol::PageForgetNotice{page, count});
  }
  /// A byte of a page, as a program finds it there; -1 when there's no such page.
  int retrieve(std::uint64_t page, std::uint32_t offset) {
    const std::uint64_t unique = 1000 + ++retrieves_;
    if (notify(protocol::kNoticePageRetrieve, protocol::PageRetrieveNotice{unique, page, offset, 1}) != 0) {
      return -1;
    }
    const auto reply = server_->wait_for_reply(unique);
    return reply && reply->size() == 1 ? static_cast<int>(reply->front()) : -2;
  }
  /// Until `ring_` says so. For clients.
  void wait_for(int value) const {
    while (ring_.bytes()[0] != value) {
      ::usleep(500);
    }
  }

  std::atomic<std::uint64_t> mapids_{0};
  std::uint64_t retrieves_ = 0;
};

TEST_P(KernelMmapPages, EachPageIsAskedForWhenItIsTouched) {
  start_with_pages(8 * kPage);
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              // In this order.
              volatile unsigned char* const at = map(fd, PROT_READ | PROT_WRITE, 4, kPage);
              if (at[2 * kPage] != 12 || at[2 * kPage + 5] != 12) {
                return 1;
              }
              at[0] = 1;
              return at[1] == 10 ? 0 : 2;
            }),
            0);
  const auto pages = asked(kPageAsked);
  ASSERT_EQ(pages.size(), 2U);
  EXPECT_EQ(pages[0].offset, 11 * kPage);
  EXPECT_EQ(pages[0].size, 0U);
  EXPECT_EQ(pages[0].fh, 1U);
  EXPECT_EQ(pages[0].mapid, 1U);
  EXPECT_EQ(pages[1].offset, 9 * kPage);
  EXPECT_EQ(pages[1].size, protocol::kPageWrite);
  ASSERT_TRUE(server_->wait_for(kMunmap, 1));
  EXPECT_EQ(retrieve(109, 0), 1) << "the page stays, whoever has mapped it";
}

TEST_P(KernelMmapPages, OneNameIsOnePageWhereverItIsShown) {
  start_with_pages();
  server_->set_page_policy([](const PageIn& /*in*/) { return PageAnswer{.pageid = 5, .bytes = filled(50)}; });
  Client other([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    while (at[3 * kPage] != 200) {
      ::usleep(500);
    }
    at[7 * kPage + 1] = 201;
    ::pause();
    return 0;
  });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE);
              at[0] = 200;
              if (at[kPage] != 200 || at[15 * kPage + 9] != 50) {
                return 1;
              }
              while (at[2 * kPage + 1] != 201) {
                ::usleep(500);
              }
              return 0;
            }),
            0);
  EXPECT_EQ(retrieve(5, 0), 200);
  EXPECT_EQ(retrieve(5, 1), 201);
}

TEST_P(KernelMmapPages, WhatTheServerHasStoredBeforeIsThere) {
  start_with_pages();
  EXPECT_EQ(store(102, 10, {std::byte{7}, std::byte{8}}), 0);
  EXPECT_EQ(retrieve(102, 11), 8);
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    if (at[2 * kPage + 10] != 7 || at[2 * kPage] != 0) {
      return 1;  // and not what the answer brings for a new page
    }
    at[2 * kPage + 12] = 9;
    ring_.bytes()[0] = 1;
    while (at[2 * kPage + 13] != 10) {
      ::usleep(500);
    }
    return 0;
  });
  wait_for_byte(0, 1);
  EXPECT_EQ(retrieve(102, 12), 9);
  EXPECT_EQ(store(102, 13, {std::byte{10}}), 0);
  EXPECT_EQ(client.wait(), 0);
}

TEST_P(KernelMmapPages, UnmappedPagesAreAskedForAgain) {
  start_with_pages(4 * kPage);
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    for (std::size_t page = 0; page < kRingPages; ++page) {
      at[page * kPage] = 1;
    }
    ring_.bytes()[0] = 1;
    wait_for(2);
    for (std::size_t page = 0; page < kRingPages; ++page) {
      if (at[page * kPage] != (page == 2 || page == 3 ? 77 : 1)) {
        return 1;
      }
    }
    ring_.bytes()[0] = 3;
    wait_for(4);
    return at[0] == 78 && at[15 * kPage] == 78 ? 0 : 2;
  });
  wait_for_byte(0, 1);
  server_->set_page_policy(
      [](const PageIn& in) { return PageAnswer{.pageid = 500 + in.offset / kPage, .bytes = filled(77)}; });
  EXPECT_EQ(unmap(1, 6 * kPage, 2 * kPage), 0);
  ring_.bytes()[0] = 2;
  wait_for_byte(0, 3);
  EXPECT_EQ(retrieve(106, 0), 1) << "what was stored is in the page still";
  server_->set_page_policy(
      [](const PageIn& in) { return PageAnswer{.pageid = 600 + in.offset / kPage, .bytes = filled(78)}; });
  EXPECT_EQ(unmap(1, 4 * kPage, 0), 0);
  ring_.bytes()[0] = 4;
  EXPECT_EQ(client.wait(), 0);
}

// One that was answered with the old page, and shows it afterwards, would never be told of.
TEST_P(KernelMmapPages, AfterAnUnmapNothingIsShownThatWasAskedForBefore) {
  constexpr int kRounds = 200;
  start_with_pages();
  std::atomic<unsigned> version{1};
  server_->set_page_policy([&version](const PageIn& in) {
    const unsigned now = version;
    std::vector<std::byte> bytes(kPage);
    std::memcpy(bytes.data(), &now, sizeof(now));
    return PageAnswer{.pageid = now * 100 + in.offset / kPage, .bytes = bytes};
  });
  auto* const floor = reinterpret_cast<volatile unsigned*>(ring_.bytes().data());
  *floor = 1;
  Client client([this, floor] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE, 4);
    while (*floor < kRounds) {
      for (std::size_t page = 0; page < 4; ++page) {
        const unsigned least = *floor;
        const unsigned found = *reinterpret_cast<volatile unsigned*>(at + page * kPage);
        if (found < least) {
          return 1;
        }
      }
    }
    return 0;
  });
  ASSERT_TRUE(server_->wait_for(kPageAsked, 1));
  for (unsigned now = 2; now <= kRounds; ++now) {
    version = now;
    EXPECT_EQ(unmap(1, 0, 0), 0);
    *floor = now;
  }
  EXPECT_EQ(client.wait(), 0);
}

TEST_P(KernelMmapPages, AForgottenPageStaysWhereItIsMapped) {
  start_with_pages();
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    at[0] = 90;
    at[kPage] = 91;
    ring_.bytes()[0] = 1;
    wait_for(2);
    if (at[0] != 90) {
      return 1;
    }
    ring_.bytes()[0] = 3;
    wait_for(4);
    return at[0] == 1 && at[kPage] == 91 ? 0 : 2;
  });
  wait_for_byte(0, 1);
  EXPECT_EQ(forget(100, 1), 0);
  EXPECT_EQ(retrieve(100, 0), -1);
  ring_.bytes()[0] = 2;
  wait_for_byte(0, 3);
  EXPECT_EQ(unmap(1, 0, 0), 0);
  ring_.bytes()[0] = 4;
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(forget(0, ~std::uint64_t{0}), 0);
  EXPECT_EQ(retrieve(101, 0), -1);
}

TEST_P(KernelMmapPages, AnErrorIsSigbusAndANextTouchAsksAgain) {
  start_with_pages();
  std::atomic<int> asked_for{0};
  server_->set_page_policy([&asked_for](const PageIn& /*in*/) {
    PageAnswer answer{.pageid = 1, .bytes = {std::byte{3}}};
    answer.error = ++asked_for <= 2 ? EIO : 0;
    return answer;
  });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ);
              guard_copies();
              unsigned char byte = 0;
              if (copy_guarded(&byte, at, 1) || copy_guarded(&byte, at, 1)) {
                return 1;
              }
              return copy_guarded(&byte, at, 1) && byte == 3 && at[1] == 0 ? 0 : 2;
            }),
            0);
}

TEST_P(KernelMmapPages, AClientThatWaitsForAPageCanBeKilledAndALateAnswerDoesNoHarm) {
  start_with_pages();
  server_->set_page_policy([](const PageIn& /*in*/) {
    PageAnswer answer;
    answer.now = false;
    return answer;
  });
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    return map(fd, PROT_READ)[0] == 0 ? 0 : 1;
  });
  ASSERT_TRUE(server_->wait_for(kPageAsked, 1));
  client.kill();
  EXPECT_EQ(client.wait(), SIGKILL);
  const std::uint64_t unique = asked(kPageAsked).front().unique;
  EXPECT_EQ(server_->answer_page(unique, {.pageid = 9, .bytes = filled(9)}), 0);
  EXPECT_EQ(server_->answer_page(unique, {.pageid = 9, .bytes = filled(9)}), ENOENT);
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  EXPECT_EQ(retrieve(9, 0), -1) << "nobody wants it";
}

TEST_P(KernelMmapPages, WithoutTheServerAbsentPagesAreSigbusAndPresentOnesStay) {
  start_with_pages();
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    at[0] = 5;
    ring_.bytes()[0] = 1;
    wait_for(2);
    guard_copies();
    unsigned char byte = 0;
    return at[0] == 5 && !copy_guarded(&byte, at + kPage, 1) ? 0 : 1;
  });
  wait_for_byte(0, 1);
  server_->end();
  ring_.bytes()[0] = 2;
  EXPECT_EQ(client.wait(), 0);
}

TEST_P(KernelMmapPages, AnswersThatCannotBeAreSigbus) {
  start_with_pages();
  std::vector<std::byte> bytes;
  server_->set_page_policy([&bytes](const PageIn& /*in*/) { return PageAnswer{.pageid = 1, .bytes = bytes}; });
  bytes.resize(kPage + 8);
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ);
              guard_copies();
              unsigned char byte = 0;
              return copy_guarded(&byte, at, 1) ? 1 : 0;
            }),
            0);
  bytes.clear();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              return map(fd, PROT_READ)[17];  // zeros
            }),
            0);
}

TEST_P(KernelMmapPages, NotificationsThatCannotBeAreRefused) {
  start_with_pages(4 * kPage);
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    map(fd, PROT_READ | PROT_WRITE, 4)[0] = 1;
    ring_.bytes()[0] = 1;
    ::pause();
    return 0;
  });
  wait_for_byte(0, 1);
  EXPECT_EQ(unmap(99, 4 * kPage, kPage), ENOENT);
  EXPECT_EQ(unmap(1, 4 * kPage + 1, kPage), EINVAL);
  EXPECT_EQ(unmap(1, 4 * kPage, 1), EINVAL);
  EXPECT_EQ(unmap(1, 3 * kPage, kPage), EINVAL);
  EXPECT_EQ(unmap(1, 4 * kPage, 5 * kPage), EINVAL);
  EXPECT_EQ(unmap(1, 9 * kPage, kPage), EINVAL);
  EXPECT_EQ(unmap(1, ~std::uint64_t{0} - kPage + 1, kPage), EINVAL);
  EXPECT_EQ(unmap(1, 4 * kPage, ~std::uint64_t{0} - kPage + 1), EINVAL);
  EXPECT_EQ(unmap(1, 8 * kPage, 0), 0);
  EXPECT_EQ(store(1, kPage, {std::byte{1}}), EINVAL);
  EXPECT_EQ(store(1, 1, filled(1)), EINVAL);
  EXPECT_EQ(store(1, ~0U, {std::byte{1}}), EINVAL);
  EXPECT_EQ(notify(protocol::kNoticePageStore, protocol::PageStoreNotice{1, 0, 8}, {std::byte{1}}), EINVAL);
  EXPECT_EQ(notify(protocol::kNoticePageStore, std::uint64_t{1}), EINVAL);
  EXPECT_EQ(retrieve(1, 0), -1);
  EXPECT_EQ(notify(protocol::kNoticePageRetrieve, protocol::PageRetrieveNotice{1, 104, 1, kPage}), EINVAL);
  EXPECT_EQ(notify(protocol::kNoticePageRetrieve, protocol::PageRetrieveNotice{1, 104, ~0U, 1}), EINVAL);
  EXPECT_EQ(notify(protocol::kNoticePageRetrieve, std::uint64_t{1}), EINVAL);
  EXPECT_EQ(forget(2, ~std::uint64_t{0}), EINVAL);
  EXPECT_EQ(forget(2, 0), 0);
  EXPECT_EQ(notify(protocol::kNoticePageForget, std::uint64_t{1}), EINVAL);
  EXPECT_EQ(notify(protocol::kNoticePageUnmap, std::uint64_t{1}), EINVAL);
  EXPECT_EQ(notify(1030, std::uint64_t{1}), EINVAL);
  EXPECT_EQ(retrieve(104, 0), 1) << "the mapping is as it was";
}

TEST_P(KernelMmapPages, AMapidIsOneMappings) {
  start([](const MmapIn& /*in*/) {
    MmapAnswer answer;
    answer.out.mapid = 5;
    answer.out.grant_flags = protocol::kMmapPages;
    return answer;
  });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              map(fd, PROT_READ);
              return ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
            }),
            EIO);
  ASSERT_TRUE(server_->wait_for(kMunmap, 2)) << "the second one's, and the first one's";
  EXPECT_EQ(shared_mmap_errno(), 0) << "it's free again";
}

TEST_P(KernelMmapPages, AServerMayHaveSoManyAndNoMore) {
  constexpr const char* kLimit = "/sys/module/fuse/parameters/max_mmap_pages";
  std::ofstream(kLimit) << 3;
  start_with_pages();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ);
              guard_copies();
              unsigned char byte = 0;
              for (std::size_t page = 0; page < 3; ++page) {
                if (!copy_guarded(&byte, at + page * kPage, 1)) {
                  return 1;
                }
              }
              return copy_guarded(&byte, at + 3 * kPage, 1) ? 2 : 0;
            }),
            0);
  EXPECT_EQ(store(7, 0, {std::byte{1}}), ENOSPC);
  EXPECT_EQ(store(100, 0, {std::byte{1}}), 0);
  EXPECT_EQ(forget(100, 1), 0);
  EXPECT_EQ(store(7, 0, {std::byte{1}}), 0);
  std::ofstream(kLimit) << 0;
  EXPECT_EQ(store(8, 0, {std::byte{1}}), 0) << "an eighth of the memory";
}

TEST_P(KernelMmapPages, PrivateReadOnlyForkedAndMovedMappingsAreAsOthersAre) {
  start_with_pages();
  // A private copy in a file's own mapping would go when the file's size changes.
  const bool copies = GetParam() == MmapServer::Kind::cuse;
  EXPECT_EQ(run_client([this, copies] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              void* own = ::mmap(nullptr, kRingSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
              if (!copies) {
                if (own != MAP_FAILED || errno != EACCES) {
                  return 8;
                }
                own = ::mmap(nullptr, kRingSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              }
              auto* const at = map(fd, PROT_READ | PROT_WRITE);
              auto* const mine = static_cast<unsigned char*>(own);
              mine[0] = 60;  // by a store at once
              if (copies && mine[kPage] != 2) {
                return 1;
              }
              mine[kPage] = 61;  // after a load
              if (at[0] != 1 || at[kPage] != 2 || (copies && mine[1] != 1)) {
                return 2;
              }
              const pid_t child = ::fork();
              if (child == 0) {
                at[2 * kPage] = 70;
                ::_exit(mine[0] == 60 && at[kPage] == 2 ? 0 : 3);
              }
              int status = 0;
              ::waitpid(child, &status, 0);
              if (status != 0 || at[2 * kPage] != 70) {
                return 4;
              }
              if (::mremap(at, kPage, 2 * kPage, MREMAP_MAYMOVE) != MAP_FAILED || errno != EFAULT) {
                return 5;
              }
              void* const moved = ::mremap(at + 2 * kPage, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, mine);
              if (moved != mine || mine[0] != 70) {
                return 6;
              }
              if (::mprotect(at, kPage, PROT_READ) != 0 || ::mprotect(at, kPage, PROT_READ | PROT_WRITE) != 0) {
                return 7;
              }
              at[0] = 71;
              return 0;
            }),
            0);
  EXPECT_EQ(retrieve(102, 0), 70);
  EXPECT_EQ(retrieve(100, 0), 71);
}

TEST_P(KernelMmapPages, MixesOfEverythingEndEveryGrantOnce) {
  start_with_pages();
  std::atomic<bool> over{false};
  std::thread taker([&] {
    while (!over) {
      for (std::uint64_t mapid = 1; mapid <= mapids_; ++mapid) {
        unmap(mapid, 0, 0);
      }
      forget(100, 4);
      store(103, 0, filled(1));
    }
  });
  for (unsigned seed = 21; seed <= 24; ++seed) {
    EXPECT_EQ(run_client([this, seed] { return mix(server_->path(), seed); }), 0) << "seed " << seed;
  }
  over = true;
  taker.join();
  ASSERT_TRUE(server_->wait_for(kMunmap, mapids_));
  ASSERT_TRUE(server_->wait_for(Opcode::release, server_->count(Opcode::open)));
  EXPECT_EQ(server_->count(kMunmap), mapids_);
}

INSTANTIATE_TEST_SUITE_P(Files, KernelMmapPages, ::testing::Values(MmapServer::Kind::fuse),
                         [](const auto& /*info*/) { return "Fuse"; });
INSTANTIATE_TEST_SUITE_P(Devices, KernelMmapPages, ::testing::Values(MmapServer::Kind::cuse),
                         [](const auto& /*info*/) { return "Cuse"; });

}  // namespace
}  // namespace dmmap::testing
