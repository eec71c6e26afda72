#include "preload/granted_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "preload/descriptor_table.h"
#include "preload/mapping_table.h"
#include "preload/mounts.h"
#include "preload/pages.h"
#include "preload/quiet.h"
#include "preload/system.h"
#include "protocol/map_protocol.h"

namespace dmmap::preload {

namespace {

namespace map = protocol::map;

// A name is gone when signal handlers asked many times in between, or many other programs: very rarely.
constexpr int kMostAttempts = 100;
constexpr int kMostInterrupts = 3;

// The device of an open regular file; 0 for what is none. Neither changes, so the file's server isn't asked.
dev_t device_of(int fd) {
  struct statx status {};
  const long looked = system_call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status);
  return looked == 0 && S_ISREG(status.stx_mode) ? makedev(status.stx_dev_major, status.stx_dev_minor) : 0;
}

// Where the file's mount is; false where it can't be asked.
bool find_server(int fd, Path& root, dev_t& device) {
  device = device_of(fd);
  return device != 0 && major(device) == 0 && find_root(device, root);
}

// The files of one grant, open.
class Files {
 public:
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() {
    for (std::uint32_t each = 0; each < count_; ++each) {
      if (fds_[each] >= 0) {
        system_call(SYS_close, fds_[each]);
      }
    }
  }

  /// Zero, or a negative errno.
  long open(const map::MapOut& grant, const Path& root, dev_t device) {
    for (; count_ < grant.files; ++count_) {
      Path path;  // NOLINT(*-member-init)
      const int length = std::snprintf(path.data(), path.size(), "%s/%s%016llx%016llx-%u", root.data(),
                                       map::kGrantPrefix, static_cast<unsigned long long>(grant.token[0]),
                                       static_cast<unsigned long long>(grant.token[1]), count_);
      if (length >= static_cast<int>(path.size())) {
        return -ENAMETOOLONG;
      }
      const int access = (grant.grant_flags & map::kWritable) != 0 ? O_RDWR : O_RDONLY;
      const long fd = system_call(SYS_openat, AT_FDCWD, path.data(), access | O_CLOEXEC | O_NOFOLLOW);
      if (is_error(fd)) {
        return fd;
      }
      fds_[count_] = static_cast<int>(fd);
      if (device_of(fds_[count_]) != device) {
        ++count_;
        return -ENOENT;  // another mount came to lie there
      }
    }
    return 0;
  }
  [[nodiscard]] int operator[](std::uint32_t file) const { return fds_[file]; }
  /// It's somebody else's to close.
  int give(std::uint32_t file) {
    const int fd = fds_[file];
    fds_[file] = -1;
    return fd;
  }

 private:
  std::array<int, map::kMostPieces> fds_{};
  std::uint32_t count_ = 0;
};

// Maps a grant's pieces, where the call wants them.
class Carrier {
 public:
  Carrier(const MapCall& call, const map::MapExchange& granted, Files& files)
      : call_(call), granted_(granted), files_(files), length_(whole_pages(call.length)) {}

  /// The address, or a negative errno. REQUIRES: the table's lock.
  long map() {
    if (const long room = mappings.reserve(granted_.out.pieces + 2, granted_.out.files); room < 0) {
      return room;
    }
    const long address = fixed() || granted_.out.pieces > 1 ? map_aside() : map_piece(call_.address, 0, 0);
    if (is_error(address)) {
      return address;
    }
    if ((granted_.out.grant_flags & map::kDontCopy) != 0) {
      system_call(SYS_madvise, address, length_, MADV_DONTFORK);
    }
    note(static_cast<std::uintptr_t>(address));
    return address;
  }

 private:
  static constexpr int kPlacement = MAP_FIXED | MAP_FIXED_NOREPLACE;
  [[nodiscard]] bool fixed() const { return (call_.flags & kPlacement) != 0; }

  // The last piece is as long as the call says, that mmap(2) may judge it.
  long map_piece(void* address, std::uint32_t at, int extra_flags) {
    const map::MapPiece& piece = granted_.piece[at];
    return system_call(SYS_mmap, address, piece.length, call_.prot, (call_.flags & ~kPlacement) | extra_flags,
                       files_[piece.file], piece.offset);
  }

  long map_aside() {
    // An address that may have nothing there is taken first, so that nobody else takes it.
    const bool keep_out = (call_.flags & MAP_FIXED_NOREPLACE) != 0;
    const bool in_place = !fixed() || keep_out;
    const int placement = (keep_out ? MAP_FIXED_NOREPLACE : 0) | (call_.flags & MAP_32BIT);
    const long aside = system_call(SYS_mmap, in_place ? call_.address : nullptr, length_, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | placement, -1, 0);
    if (is_error(aside)) {
      return aside;
    }
    if (keep_out && aside != reinterpret_cast<long>(call_.address)) {  // before Linux 4.17
      system_call(SYS_munmap, aside, length_);
      return -EEXIST;
    }
    long at = aside;
    for (std::uint32_t each = 0; each < granted_.out.pieces; ++each) {
      const long mapped = map_piece(reinterpret_cast<void*>(at), each, MAP_FIXED);
      if (is_error(mapped)) {
        system_call(SYS_munmap, aside, length_);
        return mapped;
      }
      at += static_cast<long>(granted_.piece[each].length);
    }
    return in_place ? aside : move_over(aside);
  }

  long move_over(long from) {
    const auto to = reinterpret_cast<long>(call_.address);
    long done = 0;
    for (std::uint32_t each = 0; each < granted_.out.pieces; ++each) {
      const auto length = static_cast<long>(granted_.piece[each].length);
      const long moved = system_call(SYS_mremap, from + done, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to + done);
      if (is_error(moved)) {
        system_call(SYS_munmap, from + done, static_cast<long>(length_) - done);
        if (done > 0) {
          mappings.remove(static_cast<std::uintptr_t>(to), static_cast<std::uintptr_t>(to + done));
          system_call(SYS_munmap, to, done);
        }
        return moved;
      }
      done += length;
    }
    // What was there before is gone.
    mappings.remove(static_cast<std::uintptr_t>(to), static_cast<std::uintptr_t>(to) + length_);
    return to;
  }

  void note(std::uintptr_t at) {
    std::array<std::uint32_t, map::kMostPieces> numbers{};
    std::array<bool, map::kMostPieces> known{};
    for (std::uint32_t each = 0; each < granted_.out.pieces; ++each) {
      const map::MapPiece& piece = granted_.piece[each];
      if (!known[piece.file]) {
        known[piece.file] = true;
        numbers[piece.file] = mappings.add_file(hold(files_.give(piece.file)), granted_.out.grant_flags);
      }
      mappings.insert(at, at + piece.length, numbers[piece.file]);
      at += piece.length;
    }
  }

  const MapCall& call_;
  const map::MapExchange& granted_;
  Files& files_;
  const std::size_t length_;
};

// What comes from outside is looked at before it's used.
bool makes_sense(const map::MapExchange& granted, std::size_t length) {
  if (granted.out.pieces == 0 || granted.out.pieces > map::kMostPieces || granted.out.files == 0 ||
      granted.out.files > map::kMostPieces) {
    return false;
  }
  std::uint64_t sum = 0;
  for (std::uint32_t each = 0; each < granted.out.pieces; ++each) {
    const map::MapPiece& piece = granted.piece[each];
    if (piece.file >= granted.out.files || piece.length == 0 || piece.length != whole_pages(piece.length) ||
        piece.length > whole_pages(length)) {
      return false;
    }
    sum += piece.length;
  }
  return sum == whole_pages(length);
}

// Signals may come while a server thinks, so that a program can be interrupted; but where a timer is faster than the
// server, nothing would ever be answered.
long ask(int fd, map::MapExchange& exchange, bool interruptible) {
  if (interruptible) {
    return system_call(SYS_ioctl, fd, map::kAsk, &exchange);
  }
  const NoSignals no_signals;
  return system_call(SYS_ioctl, fd, map::kAsk, &exchange);
}

long carry_out(const MapCall& call, const map::MapExchange& granted, const Path& root, dev_t device) {
  Files files;
  const NoSignals no_signals;
  if (const long opened = files.open(granted.out, root, device); opened < 0) {
    return opened == -EBUSY ? -ENOENT : opened;  // a region that became another file's in between
  }
  const Quiet quiet(mappings.lock());
  return Carrier(call, granted, files).map();
}

}  // namespace

std::optional<long> map_by_grant(const MapCall& call) {
  const KeepErrno keep;
  Path root;  // NOLINT(*-member-init)
  dev_t device = 0;
  if (!find_server(call.fd, root, device)) {
    descriptors.set_foreign(call.fd);
    return std::nullopt;
  }
  const std::uintptr_t page_offset = number(call.address) & (whole_pages(1) - 1);
  if ((call.flags & MAP_FIXED) != 0 && page_offset != 0) {
    return -EINVAL;
  }
  int interrupted = 0;
  for (int attempt = 0; attempt < kMostAttempts;) {
    map::MapExchange exchange{};
    exchange.in = {.handle = 0,
                   .offset = static_cast<std::uint64_t>(call.offset),
                   .length = call.length,
                   .prot = static_cast<std::uint32_t>(call.prot),
                   .flags = static_cast<std::uint32_t>(call.flags)};
    const long asked = ask(call.fd, exchange, interrupted < kMostInterrupts);
    if (asked == -EINTR) {  // mmap(2) doesn't know that error
      ++interrupted;
      continue;
    }
    ++attempt;
    if (asked < 0) {
      if (asked == -ENOTTY) {  // it isn't asked at mmap
        descriptors.set_foreign(call.fd);
      }
      return std::nullopt;
    }
    if (exchange.out.error != 0) {
      return -static_cast<long>(exchange.out.error);
    }
    if (!makes_sense(exchange, call.length)) {
      return -EIO;
    }
    const long mapped = carry_out(call, exchange, root, device);
    if (mapped != -ENOENT && mapped != -EINTR) {
      return mapped;
    }
    // Perhaps the mount was moved.
    forget_root(device);
    if (!find_root(device, root)) {
      return std::nullopt;
    }
  }
  return -EAGAIN;
}

}  // namespace dmmap::preload
