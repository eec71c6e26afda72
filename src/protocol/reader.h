// Reader: takes a message's body apart, front to back.
//
// Promises: never reads outside the span that it was given, however broken that is, and never through a pointer of the
// wrong alignment. The first thing that is missing or wrong is kept as problem(); from then on every read gives zeros
// or nothing, so that a decoder reads all its fields first and asks once.
// Thread safety: none, a Reader is one decoder's own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace dmmap::protocol {

/// The kernel's limit for names, without the NUL: PATH_MAX - 1 since Linux 6.15 when max_pages is agreed on, else 1024.
inline constexpr std::size_t kLongestName = 4095;
/// XATTR_NAME_MAX of linux/limits.h.
inline constexpr std::size_t kLongestXattrName = 255;

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  /// What is wrong with the message; empty while nothing is.
  [[nodiscard]] std::string_view problem() const { return problem_; }
  [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

  /// The next struct, of which older kernels send only the first `least` bytes; what they don't send is 0.
  template <class Wire>
  Wire take(std::size_t least = sizeof(Wire)) {
    return take_at_most<Wire>(least, sizeof(Wire));
  }

  /// As above for a struct whose present length, `length` bytes, is known.
  template <class Wire>
  Wire take_exactly(std::size_t length) {
    return take_at_most<Wire>(length, length);
  }

  /// Everything that is left, which must be `size` bytes.
  std::span<const std::byte> data(std::size_t size) {
    if (rest_.size() != size) {
      refuse("the data are not as long as announced");
    }
    return cut(rest_.size());
  }

  /// Complains unless `count` structs of type Wire follow: asked before anything is sized by a count that came in.
  template <class Wire>
  bool expect(std::size_t count) {
    if (count > rest_.size() / sizeof(Wire)) {
      refuse("more items announced than sent");
    }
    return problem_.empty();
  }

  /// Text up to a NUL, which is taken too.
  std::string_view text() {
    const auto nul = std::find(rest_.begin(), rest_.end(), std::byte{0});
    if (nul == rest_.end()) {
      refuse("a string without its NUL");
      return {};
    }
    const auto length = static_cast<std::size_t>(nul - rest_.begin());
    const auto bytes = cut(length + 1).first(length);
    return {reinterpret_cast<const char*>(bytes.data()), length};
  }

  /// The name of a directory entry. "." and ".." are names too: NFS export looks them up.
  std::string_view name() {
    const std::string_view name = sized_text(kLongestName);
    if (name.find('/') != std::string_view::npos) {
      refuse("a name with '/' in it");
      return {};
    }
    return name;
  }

  /// The name of an extended attribute, which may have '/' in it.
  std::string_view xattr_name() { return sized_text(kLongestXattrName); }

  /// Notes that the message is wrong; only the first complaint counts. `problem` is a literal.
  void refuse(std::string_view problem) {
    if (problem_.empty()) {
      problem_ = problem;
      rest_ = {};
    }
  }

 private:
  template <class Wire>
  Wire take_at_most(std::size_t least, std::size_t most) {
    static_assert(std::is_trivially_copyable_v<Wire>);
    Wire wire{};
    if (rest_.size() < least) {
      refuse("too short");
      return wire;
    }
    const auto bytes = cut(std::min(rest_.size(), most));
    if (!bytes.empty()) {
      std::memcpy(&wire, bytes.data(), bytes.size());
    }
    return wire;
  }

  std::string_view sized_text(std::size_t longest) {
    const std::string_view text = this->text();
    if (text.empty()) {
      refuse("an empty name");
    } else if (text.size() > longest) {
      refuse("a name that is too long");
      return {};
    }
    return text;
  }

  std::span<const std::byte> cut(std::size_t size) {
    const auto bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }

  std::span<const std::byte> rest_;
  std::string_view problem_;
};

}  // namespace dmmap::protocol
