// What a trace shows.
#include "protocol/print.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <string>

#include "protocol/each_type.h"

namespace dmmap::protocol {
namespace {

TEST(Print, NamesAreQuotedAndEscaped) {
  LookupRequest request;
  request.name = "a\"b\\c\nd";
  EXPECT_EQ(describe(request), R"("a\"b\\c\x0ad")");
}

TEST(Print, OpenFlagsByName) {
  OpenRequest request;
  request.flags = O_RDWR | O_NONBLOCK;
  EXPECT_NE(describe(request).find("O_RDWR|O_NONBLOCK"), std::string::npos) << describe(request);
  request.flags = O_RDONLY;
  EXPECT_NE(describe(request).find("O_RDONLY"), std::string::npos) << describe(request);
}

TEST(Print, IoctlByItsParts) {
  IoctlRequest request;
  request.handle = {3};
  request.command = _IOWR('P', 16, int);
  EXPECT_NE(describe(request).find("_IOWR('P', 16, 4) 0xc0045010"), std::string::npos) << describe(request);
  EXPECT_NE(describe(request).find("fh 3"), std::string::npos) << describe(request);
}

TEST(Print, PollEventsByName) {
  EXPECT_EQ(describe(PollReady{POLLIN | POLLOUT}), "POLLIN|POLLOUT");
  EXPECT_EQ(describe(PollReady{0}), "0");
}

TEST(Print, ModesInOctalAndSizesInBytes) {
  MkdirRequest mkdir;
  mkdir.name = "d";
  mkdir.mode = 0755;
  EXPECT_NE(describe(mkdir).find("755"), std::string::npos);
  ReadRequest read;
  read.offset = 4096;
  read.size = 512;
  EXPECT_NE(describe(read).find("offset 4096 size 512"), std::string::npos) << describe(read);
}

// A line each, for every struct there is.
TEST(Print, EverythingIsOneLine) {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a type can't stand in them
#define DMMAP_ONE_LINE(T) EXPECT_EQ(describe(T{}).find('\n'), std::string::npos) << #T;
  DMMAP_EACH_REQUEST(DMMAP_ONE_LINE)
  DMMAP_EACH_REPLY(DMMAP_ONE_LINE)
#undef DMMAP_ONE_LINE
}

}  // namespace
}  // namespace dmmap::protocol
