// Hand-built requests, with the system's own <linux/fuse.h> as the judge of what the wire looks like.
#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/decode.h"

namespace dmmap::protocol {

/// A `Wire` of zeros, except what `set` sets.
template <class Wire, class Set>
Wire with(Set set) {
  Wire wire{};
  set(wire);
  return wire;
}

/// One message, front to back. Not thread-safe.
class Message {
 public:
  explicit Message(std::uint32_t opcode, std::uint64_t node = 7) {
    header_.opcode = opcode;
    header_.nodeid = node;
    header_.unique = 42;
    header_.uid = 1000;
    header_.gid = 1001;
    header_.pid = 1234;
  }
  template <class Wire>
  Message& add(const Wire& wire) {
    const auto bytes = std::as_bytes(std::span(&wire, 1));
    body_.insert(body_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Message& bytes(std::string_view bytes) {
    for (const char c : bytes) {
      body_.push_back(static_cast<std::byte>(c));
    }
    return *this;
  }
  /// With its NUL.
  Message& text(std::string_view text) { return bytes(text).add('\0'); }
  Message& unique(std::uint64_t unique) {
    header_.unique = unique;
    return *this;
  }
  Message& extensions(std::uint16_t units) {
    header_.total_extlen = units;
    return *this;
  }

  [[nodiscard]] std::vector<std::byte> done() const {
    fuse_in_header header = header_;
    header.len = static_cast<std::uint32_t>(sizeof header + body_.size());
    std::vector<std::byte> all(header.len);
    std::memcpy(all.data(), &header, sizeof header);
    std::copy(body_.begin(), body_.end(), all.begin() + sizeof header);
    return all;
  }

 private:
  fuse_in_header header_{};
  std::vector<std::byte> body_;
};

/// `message` as an R; the result's views point into `message`.
template <class R>
Result<R> decoded(const std::vector<std::byte>& message, const Dialect& dialect = {}) {
  const auto envelope = open_envelope(message);
  if (!envelope) {
    return tl::unexpected(envelope.error());
  }
  return decode<R>(*envelope, dialect);
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace dmmap::protocol
