#include "servers/camera/control/status_json.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <string>

namespace dmmap::camera {
namespace {

CameraStatus busy() {
  CameraStatus status;
  status.devices = {{"video0", "a \"card\"\n", 1280, 720, 29.97, true, 1'000'000'000'000, 7},
                    {"video1", "", 16, 16, 0.5, false, 0, 0}};
  status.streams = {{3, "ffmpeg", 4711, "video0", "captures", "mmap", "YUYV", 640, 480, 30, 4, 2, {100, 3, 0.25, 12.5}},
                    {4, "?", 0, "video1", "idle", "", "MJPEG", 16, 16, 0.5, 0, 0, {}}};
  return status;
}

TEST(CameraStatusJson, ComesBackAsItWas) {
  for (const CameraStatus& status : {CameraStatus(), busy()}) {
    const std::string json = json_of(status);
    EXPECT_EQ(json.find('\n'), json.size() - 1) << "one line";
    const auto back = status_of(json);
    ASSERT_TRUE(back) << json;
    EXPECT_EQ(*back, status);
  }
}

TEST(CameraStatusJson, ANameOfAnyBytesIsNoObstacle) {
  CameraStatus status = busy();
  status.streams[0].program = "a\xff\xc3(b\x01";
  const auto back = status_of(json_of(status));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->streams[0].program, "a\xef\xbf\xbd\xef\xbf\xbd(b\x01");
  EXPECT_EQ(back->streams[1], status.streams[1]);
}

TEST(CameraStatusJson, MoreKeysAreLeftOut) {
  const auto status = status_of(R"({"server":"dmmap camera","devices":[],"streams":[],"news":[1,{}]})");
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, CameraStatus());
}

TEST(CameraStatusJson, WhatIsNoStatusIsRefused) {
  const std::string good = json_of(busy());
  for (const std::string& bad :
       {std::string(), std::string("{}"), std::string("[]"), std::string("7"), std::string("null"),
        std::string(R"({"server":"dmmap sound","devices":[],"streams":[]})"),
        std::string(R"({"server":"dmmap camera","devices":[]})"),
        std::string(R"({"server":"dmmap camera","devices":[3],"streams":[]})"),
        std::string(R"({"server":"dmmap camera","devices":[],"streams":[{"number":"x"}]})"), std::string(1000, '['),
        good.substr(0, good.size() / 2), good + good}) {
    const auto status = status_of(bad);
    ASSERT_FALSE(status) << bad;
    EXPECT_EQ(status.error().code, EPROTO);
  }
}

TEST(CameraStatusJson, DamagedOnesNeverBreakIt) {
  const std::string good = json_of(busy());
  std::mt19937 random(1);
  unsigned refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] = static_cast<char>(random());
    bad[random() % bad.size()] = "{}[]\",:0-"[random() % 9];
    const auto status = status_of(bad);
    refused += status ? 0U : 1U;
  }
  EXPECT_GT(refused, 2000U);
}

}  // namespace
}  // namespace dmmap::camera
