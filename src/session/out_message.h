// OutMessage: what goes to the kernel: a header and the bytes behind it, as writev(2) takes them.
//
// Promises: refers to the bytes it was made with, which must outlive it; copies nothing. Thread safety: one thread.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/abi.h"

namespace dmmap::session {

class OutMessage {
 public:
  /// `error` is a negative errno(3) value, 0, or a notification's code; `unique` the request's name as it came, or 0.
  OutMessage(std::int32_t error, std::uint64_t unique, std::span<const std::byte> fixed = {},
             std::span<const std::byte> tail = {}) {
    header_.len = static_cast<std::uint32_t>(sizeof header_ + fixed.size() + tail.size());
    header_.error = error;
    header_.unique = unique;
    parts_[used_++] = {&header_, sizeof header_};
    for (const auto& bytes : {fixed, tail}) {
      if (!bytes.empty()) {
        // writev(2) takes what it sends as non-const, and doesn't change it.
        parts_.at(used_++) = {const_cast<std::byte*>(bytes.data()), bytes.size()};  // NOLINT(*-const-cast)
      }
    }
  }
  OutMessage(const OutMessage&) = delete;
  OutMessage& operator=(const OutMessage&) = delete;
  ~OutMessage() = default;

  [[nodiscard]] std::span<const iovec> parts() const { return std::span(parts_).first(used_); }

 private:
  protocol::OutHeader header_{};
  std::array<iovec, 3> parts_{};
  std::size_t used_ = 0;
};

}  // namespace dmmap::session
