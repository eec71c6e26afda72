#include "servers/store/kv/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "servers/store/kv/batch_header.h"
#include "servers/store/kv/checksum.h"
#include "servers/store/kv/record_order.h"
#include "servers/store/kv/synced_state.h"

namespace dmmap::store {

namespace {

// The format (db/log_format.h, db/log_writer.cc): blocks of 32 KiB, in which records, or fragments of them, lie one
// after the other: a checksum of what follows the length; the length of the bytes; a type; the bytes. What is left of
// a block, less than a header, is empty.
constexpr std::size_t kBlock = 32768;
constexpr std::size_t kHeader = 7;
enum Type : unsigned char { kFull = 1, kFirst, kMiddle, kLast };

// A checksum as it's kept (util/crc32c.h, Unmask).
std::uint32_t unmasked(std::uint32_t kept) {
  const std::uint32_t turned = kept - 0xa282ead8U;
  return turned >> 17 | turned << 15;
}

struct Fragment {
  explicit Fragment(std::string_view at) {
    if (at.size() >= kHeader) {
      type = static_cast<unsigned char>(at[6]);
      const auto length = little_endian(at.substr(4, 2));
      size = kHeader + length;
      fits = size <= at.size();
      bytes = at.substr(kHeader, length);
      good = type >= kFull && type <= kLast && fits &&
             crc32c(at.substr(6, 1 + length)) == unmasked(static_cast<std::uint32_t>(little_endian(at.substr(0, 4))));
    }
  }
  [[nodiscard]] const char* why() const {
    if (type == 0 && bytes.empty()) {
      return "there are zeros where a record is to be";
    }
    return fits ? "a checksum is wrong" : "a record isn't whole";
  }

  unsigned char type = 0;
  std::size_t size = 0;
  bool fits = false;
  bool good = false;
  std::string_view bytes;
};

class LogReader {
 public:
  LogReader(LogFile& log, std::string_view identity) : log_(log), identity_(identity) {}

  // One after the other; the last one is shorter.
  void block(std::string_view block) {
    for (std::size_t at = 0; at < block.size();) {
      const std::string_view rest = block.substr(at);
      if (rest.size() < kHeader) {
        if (block.size() < kBlock) {
          break_at(log_.bytes + at, rest.size(), "a record isn't whole");
        }
        break;
      }
      const Fragment fragment(rest);
      if (fragment.good) {
        take(fragment, log_.bytes + at);
        at += fragment.size;
      } else {
        break_at(log_.bytes + at, fragment.size, fragment.why());
        in_record_ = false;
        // Its length may be what is wrong; behind it, records may go on anywhere.
        ++at;
      }
    }
    log_.bytes += block.size();
  }

  void end() {
    if (in_record_) {
      break_at(log_.bytes, 0, "a record isn't whole");
    }
    if (!log_.broken) {
      log_.next = order_.next();
    }
  }

 private:
  void break_at(std::uint64_t byte, std::size_t size, const char* why) {
    if (!log_.broken) {
      log_.broken = LogFile::Break{byte, byte + size, why};
      log_.next = order_.next();
    }
  }

  void take(const Fragment& fragment, std::uint64_t byte) {
    const bool begins = fragment.type == kFull || fragment.type == kFirst;
    if (begins == in_record_) {
      break_at(byte, 0, begins ? "a record has no end" : "a record has no beginning");
    }
    if (begins) {
      head_.clear();
      record_at_ = byte;
    } else if (!in_record_) {
      return;
    }
    head_ += fragment.bytes.substr(0, kRecordHead - std::min(kRecordHead, head_.size()));
    in_record_ = fragment.type == kFirst || fragment.type == kMiddle;
    if (!in_record_) {
      record();
    }
  }

  void record() {
    const auto header = parse_batch_header(head_);
    if (!header) {
      break_at(record_at_, 0, "a record is too small");
      return;
    }
    const auto [sequence, count] = *header;
    log_.synced = std::max(log_.synced, parse_record_note(head_, identity_).value_or(0));
    if (!log_.first && !log_.broken) {
      log_.jumps = log_.jumps || count == 0;
      log_.first = count > 0 ? std::optional(sequence) : std::nullopt;
    }
    if (!log_.broken && !order_.follows(sequence, count)) {
      break_at(record_at_, 0, "records before it are missing");
    }
    if (count > 0 && log_.broken && !log_.after) {
      log_.after = sequence;
    }
  }

  LogFile& log_;
  const std::string_view identity_;
  RecordOrder order_;
  bool in_record_ = false;
  std::uint64_t record_at_ = 0;
  std::string head_;
};

}  // namespace

Result<LogFile> read_log(const std::filesystem::path& path, std::uint64_t number, std::string_view identity) {
  LogFile log;
  log.number = number;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail_errno(errno, fmt::format("opening {}", path.string()));
  }
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  LogReader reader(log, identity);
  constexpr std::size_t kBlocks = 8;
  std::vector<char> buffer(kBlocks * kBlock);
  std::size_t filled = 0;
  ssize_t more = 0;
  do {
    more = ::read(fd, buffer.data() + filled, buffer.size() - filled);
    if (more < 0) {
      const int code = errno;
      ::close(fd);
      return fail_errno(code, fmt::format("reading {}", path.string()));
    }
    filled += static_cast<std::size_t>(more);
    if (more == 0 || filled == buffer.size()) {
      for (std::size_t at = 0; at < filled; at += kBlock) {
        reader.block({buffer.data() + at, std::min(kBlock, filled - at)});
      }
      filled = 0;
    }
  } while (more > 0);
  ::close(fd);
  reader.end();
  return log;
}

}  // namespace dmmap::store
