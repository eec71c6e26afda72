// CameraStatus: what a camera server does at one moment, as its status file and the command line tell it.
//
// Promises: plain values. Thread safety: as an int's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dmmap::camera {

/// Of one open file since it was opened.
struct StreamCounts {
  std::uint64_t pictures = 0;  ///< that it was given, or has put in
  std::uint64_t dropped = 0;   ///< for which it had no buffer, or that were broken
  double latency_mean = 0;     ///< milliseconds from a picture's time to its being there
  double latency_most = 0;     ///< milliseconds
  bool operator==(const StreamCounts&) const = default;
};

/// One open of a device.
struct StreamStatus {
  std::uint64_t number = 0;
  std::string program;    ///< its comm (proc(5)): any bytes
  std::uint32_t pid = 0;  ///< 0 from another pid namespace
  std::string device;     ///< "video0"
  std::string state;      ///< "captures", "puts in", or "idle"
  std::string path;       ///< "mmap", "read", "write", or "" while idle
  std::string format;     ///< "YUYV"
  unsigned width = 0;     ///< pixels
  unsigned height = 0;
  double rate = 0;       ///< frames a second
  unsigned buffers = 0;  ///< that it has
  unsigned queued = 0;   ///< that wait for the server
  StreamCounts counts;
  bool operator==(const StreamStatus&) const = default;
};

/// One camera.
struct DeviceStatus {
  std::string device;  ///< "video0"
  std::string card;
  unsigned width = 0;  ///< pixels
  unsigned height = 0;
  double rate = 0;             ///< frames a second
  bool running = false;        ///< somebody looks
  std::uint64_t pictures = 0;  ///< that its source has given
  std::uint64_t left_out = 0;  ///< that its source left out, since it was asked too late
  bool operator==(const DeviceStatus&) const = default;
};

struct CameraStatus {
  std::vector<DeviceStatus> devices;
  std::vector<StreamStatus> streams;
  bool operator==(const CameraStatus&) const = default;
};

}  // namespace dmmap::camera
