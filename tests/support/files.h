// What tests ask of files, and do to them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace dmmap::testing {

/// All that a file has; nothing of one that can't be read.
[[nodiscard]] inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Flips a bit of the byte there. Whether it could.
inline bool flip_bit(const std::filesystem::path& file, std::uint64_t byte, unsigned bit = 0) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(byte));
  const int old = stream.get();
  stream.seekp(static_cast<std::streamoff>(byte));
  stream.put(static_cast<char>(old ^ (1 << bit)));
  return stream.good();
}

}  // namespace dmmap::testing
