// The examples of paged regions, under the eyes of two client processes each.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "mount/remote_client.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr std::size_t kPage = 4096;

class PagedExamplesTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }

  void start(const std::string& name, const std::string& input = "") {
    const std::string program = std::string(DMMAP_EXAMPLES) + "/" + name;
    std::vector<std::string> argv{program, directory_.path().string()};
    if (!input.empty()) {
      argv = {"/bin/sh", "-c", "exec \"$0\" \"$1\" < \"$2\"", program, directory_.path().string(), input};
    }
    server_.emplace(std::move(argv));
  }
  [[nodiscard]] bool mounted() {
    return wait_until([&] { return is_mounted(directory_.path()) || !server_->running(); }, kPatience) &&
           server_->running();
  }
  [[nodiscard]] static std::uint64_t number(const RemoteClient::Outcome& outcome) {
    std::uint64_t value = 0;
    EXPECT_EQ(outcome.bytes.size(), sizeof value);
    std::memcpy(&value, outcome.bytes.data(), std::min(sizeof value, outcome.bytes.size()));
    return value;
  }

  TemporaryDirectory directory_;
  std::optional<Process> server_;
};

TEST_F(PagedExamplesTest, ATerabyteIsComputedWhereItIsTouched) {
  start("computed_file");
  ASSERT_TRUE(mounted()) << server_->err();
  const auto file = directory_ / "terabyte";
  constexpr std::uint64_t kSize = std::uint64_t{1} << 40;
  constexpr std::size_t kWindow = 1 << 20;
  for (const std::uint64_t from : {std::uint64_t{0}, kSize / 3 / kWindow * kWindow, kSize - kWindow}) {
    RemoteClient one(file, kWindow, O_RDONLY, from);
    RemoteClient two(file, kWindow, O_RDONLY, from);
    EXPECT_EQ(one.file_size().result, static_cast<std::int64_t>(kSize));
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{kWindow - 8}}) {
      const std::uint64_t expected = (from + offset) / 8 * 0x9E3779B97F4A7C15U;
      EXPECT_EQ(number(one.load(offset, 8)), expected) << from + offset;
      EXPECT_EQ(number(two.load(offset, 8)), expected) << from + offset;
      EXPECT_EQ(number(two.pread(from + offset, 8)), expected) << from + offset;
    }
  }
  EXPECT_EQ(RemoteClient(file, 0, O_RDONLY).pwrite(0, "x").error, EBADF);
}

TEST_F(PagedExamplesTest, AllWhoMapTheCounterSeeItCount) {
  start("live_counter");
  ASSERT_TRUE(mounted()) << server_->err();
  const auto file = directory_ / "counter";
  RemoteClient one(file, kPage, O_RDONLY);
  RemoteClient two(file, kPage, O_RDONLY);
  const std::uint64_t before = number(one.load(0, 8));
  EXPECT_TRUE(wait_until([&] { return number(one.load(0, 8)) >= before + 5; }, kPatience));
  const std::uint64_t first = number(one.load(0, 8));
  const std::uint64_t second = number(two.load(0, 8));
  const std::uint64_t third = number(one.load(0, 8));
  EXPECT_LE(first, second);
  EXPECT_LE(second, third);
}

TEST_F(PagedExamplesTest, ALentPageComesBackWithWhatWasStored) {
  TemporaryDirectory folder;
  const std::string fifo = (folder / "in").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  start("lent_page", fifo);
  const int input = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);  // NOLINT(*-vararg)
  ASSERT_TRUE(mounted()) << server_->err();
  const auto file = directory_ / "page";
  RemoteClient one(file, kPage);
  RemoteClient two(file, kPage);
  EXPECT_EQ(one.load(0, 6).bytes, "loan 1");
  EXPECT_EQ(two.load(0, 6).bytes, "loan 1");
  EXPECT_TRUE(two.store(0, "thank you").ok());
  EXPECT_EQ(one.load(0, 9).bytes, "thank you");
  ASSERT_EQ(::write(input, "\n", 1), 1);
  EXPECT_TRUE(server_->wait_for_output("came back: thank you", kPatience)) << server_->out();
  EXPECT_TRUE(server_->wait_for_output("taken back", kPatience)) << server_->out();
  EXPECT_EQ(one.load(0, 6).bytes, "loan 2");
  EXPECT_EQ(two.load(0, 6).bytes, "loan 2");
  ::close(input);
}

}  // namespace
}  // namespace dmmap::testing
