// What clients of a stream wait for: calls that are answered when the engine has come so far.
//
// Thread safety: plain values; a Reply is answered where no lock is held.
#pragma once

#include <dmmap/replies.h>
#include <dmmap/reply.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dmmap::sound {

/// A write of which a part hasn't been taken yet.
struct WaitingWrite {
  std::uint64_t id = 0;
  Reply<Written> reply;
  std::span<const std::byte> data;
  std::size_t taken = 0;

  /// Answers with what was taken, or with `code` when that's nothing.
  void answer(int code) {
    if (taken > 0 || data.empty()) {
      reply.ok({static_cast<std::uint32_t>(taken)});
    } else {
      reply.error(code);
    }
  }
};

/// A read that hasn't got everything yet.
struct WaitingRead {
  std::uint64_t id = 0;
  Reply<Data> reply;
  std::size_t enough = 0;  ///< it's answered when it has got so many bytes
  std::size_t size = 0;    ///< it takes so many
  std::vector<std::byte> bytes;

  /// Answers with what has come, or with `code` when that's nothing.
  void answer(int code) {
    if (!bytes.empty() || size == 0) {
      reply.ok({bytes});
    } else {
      reply.error(code);
    }
  }
};

/// A SNDCTL_DSP_SYNC or a close(2) that waits until all has been played.
struct WaitingDrain {
  std::uint64_t id = 0;
  std::optional<Reply<IoctlDone>> sync;
  std::optional<Reply<Done>> close;

  [[nodiscard]] ReplyBase& reply() { return close ? static_cast<ReplyBase&>(*close) : static_cast<ReplyBase&>(*sync); }
  void answer() {
    if (close) {
      close->ok({});
    } else {
      sync->ok({});
    }
  }
};

}  // namespace dmmap::sound
