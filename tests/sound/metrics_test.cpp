// The metrics' HTTP server, on real sockets.
#include "servers/sound/control/metrics.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "sound/control_card.h"

namespace dmmap::sound::testing {
namespace {

// Connected to the server at `url`, on 127.0.0.1.
int connected(const std::string& url) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return fd;
}

std::string got(const std::string& url, const std::string& path = "/metrics") {
  const int fd = connected(url);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  std::string text;
  std::array<char, 4096> part{};
  ssize_t count = 0;
  while ((count = ::read(fd, part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(count));
  }
  ::close(fd);
  return text;
}

class MetricsTest : public ::testing::Test {
 protected:
  void expect_line(const std::string& text, const std::string& line) {
    EXPECT_NE(text.find("\n" + line + "\n"), std::string::npos) << line << "\nisn't in\n" << text;
  }
  ControlCard card_{two_streams()};
};

TEST_F(MetricsTest, TellsWhatTheCardDoes) {
  const auto metrics = Metrics::serve("127.0.0.1:0", card_);
  ASSERT_TRUE(metrics) << metrics.error().message;
  const std::string text = got((*metrics)->url());
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200")) << text;
  expect_line(text, "# TYPE dmmap_sound_streams gauge");
  expect_line(text, "dmmap_sound_streams 2");
  expect_line(text, "# TYPE dmmap_sound_underruns_total counter");
  expect_line(text, "dmmap_sound_streams_opened_total 9");
  expect_line(text, "dmmap_sound_underruns_total 11");
  expect_line(text, "dmmap_sound_overruns_total 2");
  expect_line(text, "dmmap_sound_slips_total 4");
  expect_line(text, "dmmap_sound_level_percent{control=\"master\",side=\"right\"} 70");
  expect_line(text, "dmmap_sound_muted{control=\"recording\"} 1");
  expect_line(text,
              "dmmap_sound_stream_frames_total{stream=\"3\",program=\"mplayer\",pid=\"1234\",device=\"dsp\","
              "direction=\"playback\",path=\"write\"} 88200");
  expect_line(text,
              "dmmap_sound_stream_rate_hertz{stream=\"7\",program=\"full\",pid=\"0\",device=\"dsp1\","
              "direction=\"recording\",path=\"mmap\"} 192000");
  EXPECT_NE(got((*metrics)->url(), "/else").find(" 404 "), std::string::npos);
}

TEST_F(MetricsTest, AProgramsNameMayHaveAnyBytes) {
  CardStatus status = two_streams();
  status.streams[0].program = "a\"b\\c\n\xff";
  const ControlCard card(status);
  const auto metrics = Metrics::serve("127.0.0.1:0", card);
  ASSERT_TRUE(metrics) << metrics.error().message;
  EXPECT_NE(got((*metrics)->url()).find("program=\"a\\\"b\\\\c\\n\xef\xbf\xbd\""), std::string::npos);
}

TEST_F(MetricsTest, WhatIsNoAddressOrIsTakenIsAnError) {
  for (const char* const wrong : {"", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                                  "localhost:9464", "::1:9464", "[::1]", "[::1:9464", "127.0.0.1:80s,127.0.0.1:81"}) {
    const auto metrics = Metrics::serve(wrong, card_);
    ASSERT_FALSE(metrics) << wrong;
    EXPECT_EQ(metrics.error().code, EINVAL) << wrong;
  }
  const auto first = Metrics::serve("127.0.0.1:0", card_);
  ASSERT_TRUE(first);
  const std::string url = (*first)->url();
  const auto second = Metrics::serve(url.substr(7, url.size() - 7 - 8), card_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE) << second.error().message;
}

TEST_F(MetricsTest, SilentPeersHoldNobodyUp) {
  auto metrics = Metrics::serve("127.0.0.1:0", card_);
  ASSERT_TRUE(metrics);
  std::array<int, 2> silent{connected((*metrics)->url()), connected((*metrics)->url())};
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(got((*metrics)->url()).starts_with("HTTP/1.1 200"));
  const int another = connected((*metrics)->url());
  metrics->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(20));
  for (const int fd : {silent[0], silent[1], another}) {
    ::close(fd);
  }
}

}  // namespace
}  // namespace dmmap::sound::testing
