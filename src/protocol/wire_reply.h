// WireReply: the bytes of one answer or notification, after its header.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace dmmap::protocol {

/// The bytes that were appended, then `tail`. Small ones need no allocation; the tail isn't copied. Not thread-safe.
class WireReply {
 public:
  void append(std::span<const std::byte> bytes) {
    if (large_.empty() && size_ + bytes.size() <= small_.size()) {
      std::copy(bytes.begin(), bytes.end(), small_.begin() + static_cast<std::ptrdiff_t>(size_));
    } else {
      if (large_.empty()) {
        large_.assign(small_.begin(), small_.begin() + static_cast<std::ptrdiff_t>(size_));
      }
      large_.insert(large_.end(), bytes.begin(), bytes.end());
    }
    size_ += bytes.size();
  }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void append_struct(const T& value) { append(std::as_bytes(std::span(&value, 1))); }
  [[nodiscard]] std::span<const std::byte> fixed() const {
    return large_.empty() ? std::span(small_).first(size_) : std::span<const std::byte>(large_);
  }
  [[nodiscard]] std::size_t size() const { return size_ + tail.size(); }

  std::span<const std::byte> tail;  ///< the caller's bytes; they must live until the message is sent
  std::size_t entries_taken = 0;    ///< of a directory's listing, how many there was room for

 private:
  std::array<std::byte, 320> small_{};
  std::vector<std::byte> large_;
  std::size_t size_ = 0;
};

}  // namespace dmmap::protocol
