// What a server that is asked at each mmap(2) can rely on, and its clients: a real client program, which asks by
// `dmmap run` on the stock kernel, or for which the kernel asks where it's patched (kernel/patches). What the client
// asserts is in client/, what the server is told is asserted here.
#include <dmmap/paged_region.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "mapping/lifetime.h"
#include "mount/mounted.h"
#include "preload/asked_devices.h"
#include "preload/asker.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 100s;

class AskedAtMmapTest : public ::testing::Test {
 protected:
  explicit AskedAtMmapTest(Asker asker) : asker_(asker) {}
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    mount();
    DMMAP_NEEDS_ASKER(asker_, mounted_->session().connection());
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_TRUE(devices_->wait_until_all_ended()) << ::testing::PrintToString(devices_->events());
    }
  }
  void mount(std::optional<Tier> tier = {}, unsigned threads = 1) {
    mounted_.reset();
    devices_ = std::make_unique<AskedDevices>();
    SessionOptions options;
    options.tier = tier;
    options.threads = threads;
    mounted_ = std::make_unique<Mounted>(*devices_, std::move(options), Clients::elsewhere);
  }

  static std::vector<std::string> with_run(std::vector<std::string> words) {
    return asked_by(Asker::program, DMMAP_PROGRAM, std::move(words));
  }
  Outcome client(const std::string& scenario, std::vector<std::string> environment = {}) {
    return run(asked_by(asker_, DMMAP_PROGRAM, {DMMAP_CLIENT, scenario, mounted_->path().string()}), kPatience,
               {.environment = std::move(environment), .directory = {}, .user = {}});
  }
  Outcome plain_client(const std::string& scenario) {
    return run({DMMAP_CLIENT, scenario, mounted_->path().string()}, kPatience);
  }
  /// The end of what was granted was told after the one mark, and not before it.
  void expect_end_after(const std::string& device, const std::string& mark) {
    EXPECT_TRUE(devices_->wait_for("unmapped " + device));
    EXPECT_GE(devices_->place(mark), 0);
    EXPECT_LT(devices_->place(mark), devices_->place("unmapped " + device))
        << ::testing::PrintToString(devices_->events());
  }

  const Asker asker_;
  std::unique_ptr<AskedDevices> devices_;
  std::unique_ptr<Mounted> mounted_;
};

/// What holds whoever asks.
class ByMmapTest : public AskedAtMmapTest, public ::testing::WithParamInterface<Asker> {
 protected:
  ByMmapTest() : AskedAtMmapTest(GetParam()) {}
};

/// What `dmmap run` has to see to.
class ByProgramTest : public AskedAtMmapTest {
 protected:
  ByProgramTest() : AskedAtMmapTest(Asker::program) {}
};

#define EXPECT_SUCCESS(outcome)                                                                                   \
  do {                                                                                                            \
    const Outcome result = (outcome);                                                                             \
    EXPECT_EQ(result.status, 0) << result.err << (result.timed_out ? "it took too long" : "") << mounted_->log(); \
  } while (false)

TEST_P(ByMmapTest, MappingsShareWhatTheServerSays) {
  EXPECT_SUCCESS(client("duplex"));
}

TEST_P(ByMmapTest, MappingsAreSeparateWhereTheServerSaysSo) {
  EXPECT_SUCCESS(client("fresh"));
  EXPECT_EQ(devices_->count("refuse fresh"), 1);
}

TEST_P(ByMmapTest, TheHandlesAccessIsTheLimit) {
  EXPECT_SUCCESS(client("access"));
}

TEST_F(ByProgramTest, ArgumentsAreChecked) {
  EXPECT_SUCCESS(client("arguments"));
}

TEST_F(ByProgramTest, OneMappingShowsPagesOfSeveralRegions) {
  EXPECT_SUCCESS(client("pieces"));
}

TEST_F(ByProgramTest, ARefusalLeavesWhatWasThere) {
  EXPECT_SUCCESS(client("fixed"));
}

TEST_P(ByMmapTest, WhateverTakesAMappingAwayEndsIt) {
  EXPECT_SUCCESS(client("taken_away"));
  ASSERT_TRUE(devices_->wait_for("unmapped duplex", 3));
  const std::vector<std::string> expected{"map duplex",      "cover",      "unmapped duplex", "map duplex",     "sweep",
                                          "unmapped duplex", "map duplex", "overrun",         "unmapped duplex"};
  auto events = devices_->events();
  events.resize(expected.size());
  EXPECT_EQ(events, expected);
}

TEST_P(ByMmapTest, AMappingCanBeMovedAndCopied) {
  EXPECT_SUCCESS(client("moved"));
  expect_end_after("duplex", "both gone");
}

TEST_P(ByMmapTest, AMappingOutlivesItsDescriptor) {
  EXPECT_SUCCESS(client("after_close"));
  expect_end_after("duplex", "unmaps");
  EXPECT_LT(devices_->place("closed"), devices_->place("unmapped duplex"));
  ASSERT_TRUE(devices_->wait_for("released duplex"));
  EXPECT_LT(devices_->place("unmapped duplex"), devices_->place("released duplex")) << "the stream lives as long";
}

TEST_P(ByMmapTest, TheLastPartIsTheEnd) {
  EXPECT_SUCCESS(client("by_parts"));
  expect_end_after("duplex", "last part");
}

TEST_P(ByMmapTest, AChildHoldsWhatItInherited) {
  EXPECT_SUCCESS(client("inherited"));
  expect_end_after("duplex", "child ends");
}

TEST_P(ByMmapTest, WhatIsNotInheritedEndsWithTheParent) {
  // The kernel lets whoever owns the memory undo that (madvise(2)).
  EXPECT_SUCCESS(client("not_inherited", {asker_ == Asker::kernel ? "CLIENT_MAY_UNDO=1" : "CLIENT_ALONE=1"}));
  expect_end_after("alone", "parent unmaps");
  EXPECT_LT(devices_->place("unmapped alone"), devices_->place("child lives"));
}

TEST_P(ByMmapTest, DeathIsAnEnd) {
  EXPECT_EQ(client("killed").status, 128 + SIGKILL);
  EXPECT_TRUE(devices_->wait_for("unmapped duplex", 2));
  EXPECT_LT(devices_->place("is killed"), devices_->place("unmapped duplex"));
}

TEST_P(ByMmapTest, ExecIsAnEnd) {
  EXPECT_SUCCESS(client("exec"));
  expect_end_after("duplex", "execs");
  EXPECT_LT(devices_->place("unmapped duplex"), devices_->place("slept"));
}

TEST_P(ByMmapTest, OtherProgramsTakeNothingWithThem) {
  EXPECT_SUCCESS(client("other_programs"));
  expect_end_after("duplex", "unmaps");
}

TEST_P(ByMmapTest, ForksAndDeathsInEveryOrder) {
  EXPECT_SUCCESS(client("orders"));
}

TEST_F(ByProgramTest, AProgramThatClosesAllKeepsItsMapping) {
  EXPECT_SUCCESS(client("close_all"));
  expect_end_after("duplex", "unmaps");
}

TEST_F(ByProgramTest, AProgramGetsTheDescriptorNumberThatItWants) {
  EXPECT_SUCCESS(client("wanted_number"));
  expect_end_after("duplex", "unmaps");
}

TEST_F(ByProgramTest, DescriptorsOfProgramsAreTheLowestNumbers) {
  EXPECT_SUCCESS(client("lowest_numbers"));
}

TEST_F(ByProgramTest, WithoutADescriptorLeftItIsRefused) {
  EXPECT_SUCCESS(client("none_left"));
}

TEST_F(ByProgramTest, DescriptorsAreKnownHoweverTheyCame) {
  EXPECT_SUCCESS(client("handed"));
}

TEST_P(ByMmapTest, ThreadsMapAndUnmapTheSameAddress) {
  EXPECT_SUCCESS(client("threads"));
}

TEST_P(ByMmapTest, ThreadsAreServedByThreads) {
  mount({}, 4);
  EXPECT_SUCCESS(client("threads"));
}

TEST_P(ByMmapTest, SignalHandlersMayMap) {
  EXPECT_SUCCESS(client("signals"));
}

TEST_F(ByProgramTest, StaticConstructorsMayMap) {
  EXPECT_SUCCESS(client("early", {"CLIENT_MAPS_EARLY=" + (*mounted_ / "fresh").string()}));
}

TEST_F(ByProgramTest, PluginsMayMap) {
  EXPECT_SUCCESS(client("plugin", {std::string("CLIENT_PLUGIN=") + DMMAP_CLIENT_PLUGIN}));
}

TEST_P(ByMmapTest, ManyAtOnce) {
  EXPECT_SUCCESS(client("at_once"));
}

TEST_F(ByProgramTest, NothingPilesUp) {
  const auto resident = [] {
    long pages = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    EXPECT_EQ(std::fscanf(file, "%*d %ld", &pages), 1);
    std::fclose(file);
    return pages * static_cast<long>(page_size()) / 1024;
  };
  const auto descriptors = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  // Without a trace, which would be what piles up.
  mounted_.reset();
  devices_ = std::make_unique<AskedDevices>();
  const TemporaryDirectory directory;
  SessionOptions options;
  options.mount.mountpoint = directory.path().string();
  auto session = Session::mount(*devices_, std::move(options)).value();
  const auto many = [&](const char* rounds) {
    const auto client = run(with_run({DMMAP_CLIENT, "many", directory.path().string()}), kPatience,
                            {.environment = {std::string("CLIENT_ROUNDS=") + rounds}, .directory = {}, .user = {}});
    EXPECT_EQ(client.status, 0) << client.err;
    return devices_->wait_until_all_ended();
  };
  // The process has one, of two descriptors, from the first time on that a memory's last use isn't seen at once: that
  // may be early or late.
  mapping::LifetimeMonitor::instance();
  ASSERT_TRUE(many("1000"));
  const auto resident_before = resident();
  const auto descriptors_before = descriptors();
  ASSERT_TRUE(many(DMMAP_MANY));
  EXPECT_EQ(descriptors(), descriptors_before);
  // A request and two events are noted for each by the test itself.
  const long noted = std::atol(DMMAP_MANY) * static_cast<long>(sizeof(MapRequest) + 2 * sizeof(std::string)) / 1024;
  EXPECT_LT(resident() - resident_before, 2 * noted + DMMAP_SLACK_KIB);
  EXPECT_TRUE(wait_until([&] { return session.connection().outstanding_lookups() < 100; }, 10s))
      << session.connection().outstanding_lookups();
}

TEST_F(ByProgramTest, NamesAreForOneOpenByOneProcess) {
  EXPECT_SUCCESS(plain_client("names"));
  EXPECT_SUCCESS(plain_client("few_at_a_time"));
  EXPECT_SUCCESS(plain_client("nonsense"));
}

TEST_F(ByProgramTest, WhoNeverOpensHoldsNothing) {
  EXPECT_SUCCESS(plain_client("never_opens"));
  EXPECT_TRUE(devices_->wait_for("unmapped fresh", 5000));
}

TEST_F(ByProgramTest, WhatCannotBeGrantedIsRefusedAndSaid) {
  const auto refused = [&](const std::string& what, int code, std::function<Result<Grant>(const MapRequest&)> odd) {
    devices_->set_odd(std::move(odd));
    EXPECT_SUCCESS(client("refused", {"CLIENT_ERROR=" + std::to_string(code)}));
    EXPECT_NE(mounted_->log().find(what), std::string::npos) << what << " in " << mounted_->log();
  };
  const auto region = [](std::uint64_t pages) { return region_with("odd", pages * page_size()); };
  const auto granting = [](const std::shared_ptr<Region>& granted, std::uint64_t offset = 0) {
    return [=](const MapRequest&) -> Result<Grant> {
      Grant grant;
      grant.region = granted;
      grant.offset = offset;
      return grant;
    };
  };
  const auto in_pieces = [](const std::vector<Piece>& pieces) {
    return [=](const MapRequest&) -> Result<Grant> {
      Grant grant;
      grant.pieces = pieces;
      return grant;
    };
  };
  const std::uint64_t page = page_size();
  refused("which has 12288", ENXIO, granting(region(3)));
  refused("at offset 4096", ENXIO, granting(region(4), page));
  refused("without a region", EIO, granting(nullptr));
  refused("whole pages", EIO, granting(region(8), 100));
  refused("add up", EIO, in_pieces({{region(8), 0, 8 * page}}));
  refused("without a page", EIO, in_pieces({{region(8), 0, page}}));
  refused("whole pages", EIO, in_pieces({{region(8), 0, page / 2}}));
  refused("without a region", EIO, in_pieces({{region(8), 0, page}, {nullptr, 0, 3 * page}}));
  refused("40 are the most", EIO, in_pieces(std::vector<Piece>(41, Piece{region(8), 0, page})));
  const auto revoked = region(4);
  ASSERT_TRUE(revoked->revoke());
  refused("revoked", ESTALE, granting(revoked));
  // A paged region that is a file of another mount.
  struct Zeros : PageSource {
    void fault(PageRange wanted, FaultReply reply) override {
      const std::vector<std::byte> zeros(wanted.count * page_size());
      reply.ok(wanted.first * page_size(), zeros);
    }
  };
  const auto paged = PagedRegion::create({.id = {77}, .size = 4 * page}, std::make_shared<Zeros>()).value();
  DeviceFilesystem elsewhere;
  ASSERT_TRUE(elsewhere.add_file({.name = "paged"}, paged));
  const Mounted other(elsewhere, {}, Clients::elsewhere);
  const UniqueFd fd(open_file(other / "paged", O_RDWR));
  ASSERT_GE(fd.get(), 0);
  refused("another mount", EBUSY, granting(paged));
  refused("", E2BIG, [](const MapRequest&) -> Result<Grant> { return fail(E2BIG, "as it likes"); });
  EXPECT_EQ(devices_->count("map odd"), devices_->count("unmapped odd"));
}

TEST_P(ByMmapTest, TheServerIsToldWhatIsAskedAndByWhom) {
  EXPECT_SUCCESS(client("duplex"));
  const auto requests = devices_->requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].length, 8192U);
  EXPECT_TRUE(requests[0].write && requests[0].read && requests[0].shared.value());
  EXPECT_EQ(requests[0].prot, PROT_READ | PROT_WRITE);
  EXPECT_EQ(requests[0].flags, MAP_SHARED);
  EXPECT_EQ(requests[0].process, requests[0].caller.pid);
  EXPECT_NE(requests[0].handle, requests[1].handle);
  EXPECT_EQ(requests[0].handle, requests[2].handle);
  EXPECT_FALSE(requests[2].write);
  EXPECT_EQ(requests[3].offset, 4096U);
  EXPECT_EQ(requests[3].length, 4096U);
}

TEST_F(ByProgramTest, DevicesLookLikeDevices) {
  EXPECT_SUCCESS(client("looks"));
  const auto as_it_is =
      run({DMMAP_PROGRAM, "run", "--no-character-devices", DMMAP_CLIENT, "looks_as_it_is", mounted_->path().string()},
          kPatience);
  EXPECT_EQ(as_it_is.status, 0) << as_it_is.err;
  EXPECT_SUCCESS(plain_client("looks_as_it_is"));
  const auto listed = run(with_run({"ls", "-l", (*mounted_ / "device").string()}), kPatience);
  EXPECT_TRUE(listed.out.starts_with("crw-rw-rw-")) << listed.out;
  EXPECT_NE(listed.out.find("14, 3"), std::string::npos) << listed.out;
}

TEST_F(ByProgramTest, ATierCanBeForced) {
  const bool kernel_asks = mounted_->session().connection().capabilities().has(Tier::kernel);
  EXPECT_EQ(plain_client("plain").out, kernel_asks ? "capture\n" : "playback\n")
      << "asked at open, nobody knows what it's for";
  EXPECT_EQ(client("plain").out, "capture\n");
  mount(Tier::open);
  EXPECT_EQ(client("plain").out, "playback\n") << "not asked at mmap";
  EXPECT_EQ(devices_->count("map duplex"), 0);
  mount(Tier::preload);
  EXPECT_EQ(plain_client("plain").out, "No such device\n") << "not asked at open";
  EXPECT_EQ(client("plain").out, "capture\n");
  AskedDevices more;
  const TemporaryDirectory directory;
  SessionOptions options;
  options.mount.mountpoint = directory.path().string();
  options.tier = Tier::kernel;
  if (kernel_asks) {
    mount(Tier::kernel);
    EXPECT_EQ(plain_client("plain").out, "capture\n");
    EXPECT_EQ(client("plain").out, "capture\n") << "asked by the kernel";
    return;
  }
  const auto none = Session::mount(more, std::move(options));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ENOTSUP);
  EXPECT_NE(none.error().message.find("FUSE_MMAP"), std::string::npos) << none.error().message;
}

INSTANTIATE_TEST_SUITE_P(Program, ByMmapTest, ::testing::Values(Asker::program),
                         [](const auto& /*asker*/) { return "asks"; });
INSTANTIATE_TEST_SUITE_P(Kernel, ByMmapTest, ::testing::Values(Asker::kernel),
                         [](const auto& /*asker*/) { return "asks"; });

// The smallest server of the kind, as it's built.
class ByMmapExampleTest : public ::testing::TestWithParam<Asker> {};
TEST_P(ByMmapExampleTest, TheExampleAnswersEachMmap) {
  DMMAP_NEEDS(needs::passthrough());
  if (GetParam() == Asker::kernel) {
    AskedDevices none;
    Mounted mounted(none, {}, Clients::elsewhere);
    DMMAP_NEEDS_ASKER(GetParam(), mounted.session().connection());
  }
  const TemporaryDirectory directory;
  Process server({DMMAP_BY_MMAP, directory.path().string()});
  ASSERT_TRUE(wait_until([&] { return is_mounted(directory.path()); }, std::chrono::seconds(20))) << server.err();
  for (const char* const scenario : {"duplex", "fresh"}) {
    const auto client =
        run(asked_by(GetParam(), DMMAP_PROGRAM, {DMMAP_CLIENT, scenario, directory.path().string()}), kPatience);
    EXPECT_EQ(client.status, 0) << client.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Program, ByMmapExampleTest, ::testing::Values(Asker::program),
                         [](const auto& /*asker*/) { return "asks"; });
INSTANTIATE_TEST_SUITE_P(Kernel, ByMmapExampleTest, ::testing::Values(Asker::kernel),
                         [](const auto& /*asker*/) { return "asks"; });

}  // namespace
}  // namespace dmmap::testing
