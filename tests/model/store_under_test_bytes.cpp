// StoreUnderTest's bytes: what is read, stored, cut, made holes of, copied and brought.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "model/store_under_test.h"
#include "support/requirement.h"

namespace dmmap::testing {

namespace {

constexpr std::size_t kPage = StoreOperation::kPage;
constexpr std::size_t kMost = StoreOperation::kMost;

// How many of `size` bytes at `offset` files may have.
std::size_t clipped(std::uint64_t offset, std::uint64_t size) {
  return offset >= kMost ? 0 : std::min<std::size_t>(size, kMost - offset);
}

std::uint64_t page_start(std::uint64_t offset) {
  return offset / kPage * kPage;
}
std::uint64_t page_end(std::uint64_t offset) {
  return page_start(offset + kPage - 1);
}

bool overlap(std::uint64_t one, std::uint64_t other, std::size_t size) {
  return one < other + size && other < one + size;
}

bool is_zeros(const ModelFile& file, std::uint64_t begin, std::uint64_t end) {
  return file.read(begin, end - begin).find_first_not_of('\0') == std::string::npos;
}

}  // namespace

std::string StoreUnderTest::pread(const StoreOperation& operation, Held& held) {
  if (!held.remote.is_open()) {
    return {};
  }
  const Outcome done = held.remote.pread(operation.offset, operation.size);
  return done.ok()
             ? bytes_differ("pread", done.bytes, held.file->read(operation.offset, operation.size), operation.offset)
             : fails_unlike("pread", done, 0);
}

std::string StoreUnderTest::pwrite(const StoreOperation& operation, Held& held) {
  const std::uint64_t offset = held.remote.appends() ? held.file->size() : operation.offset;
  const std::size_t size = clipped(offset, operation.size);
  if (!held.remote.is_open() || size == 0) {
    return {};
  }
  const std::string text = operation.text(size);
  const Outcome done = held.remote.pwrite(operation.offset, text);
  if (held.remote.is_writable()) {
    held.file->write(offset, text);
  }
  return differs("pwrite", done, static_cast<std::int64_t>(size), held.remote.is_writable() ? 0 : EBADF);
}

std::string StoreUnderTest::load(const StoreOperation& operation, Held& held) {
  if (!is_mapped(held)) {
    return {};
  }
  const ModelFile& file = *held.file;
  const std::uint64_t end = page_end(file.size());
  if (operation.offset >= end) {
    return operation.offset >= kMost
               ? ""
               : differs("a load beyond the end", held.remote.load(operation.offset, 1), 0, -SIGBUS);
  }
  // Zeros in the last page beyond the end, where nobody stores.
  const auto size = static_cast<std::size_t>(std::min(operation.size, end - operation.offset));
  std::string expected = file.read(operation.offset, size);
  expected.resize(size, '\0');
  const Outcome done = held.remote.load(operation.offset, size);
  return done.ok() ? bytes_differ("load", done.bytes, expected, operation.offset) : fails_unlike("load", done, 0);
}

std::string StoreUnderTest::store(const StoreOperation& operation, Held& held) {
  const std::size_t size = held.file->inside(operation.offset, operation.size);
  if (size == 0 || !held.remote.is_writable() || !is_mapped(held)) {
    return {};
  }
  const std::string text = operation.text(size);
  held.file->write(operation.offset, text);
  return differs("store", held.remote.store(operation.offset, text), static_cast<std::int64_t>(size));
}

std::string StoreUnderTest::truncate(const StoreOperation& operation) {
  if (operation.kind % 3 == 2) {
    RemoteCaller& caller = callers_.at(operation.client);
    const FilesModel::File file = model_.find(StoreOperation::name_of(operation.name));
    if (file) {
      file->resize(operation.offset);
    }
    return fails_unlike("truncate", caller.call(SYS_truncate, caller.text(path(operation.name)), operation.offset),
                        file ? 0 : ENOENT);
  }
  Held& held = one(operation);
  if (!held.remote.is_open()) {
    return {};
  }
  if (held.remote.is_writable()) {
    held.file->resize(operation.offset);
  }
  return fails_unlike("ftruncate", held.remote.call(SYS_ftruncate, operation.offset),
                      held.remote.is_writable() ? 0 : EINVAL);
}

std::string StoreUnderTest::fallocate(const StoreOperation& operation, Held& held) {
  const int mode = operation.fallocate_mode();
  const bool keeps = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  const std::size_t size = keeps ? operation.size : clipped(operation.offset, operation.size);
  if (!held.remote.is_open() || size == 0) {
    return {};
  }
  const Outcome done = held.remote.call(SYS_fallocate, mode, operation.offset, size);
  if (held.remote.is_writable()) {
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
      held.file->zero(operation.offset, size);
    }
    if (!keeps) {
      held.file->resize(std::max<std::uint64_t>(held.file->size(), operation.offset + size));
    }
  }
  return fails_unlike("fallocate", done, held.remote.is_writable() ? 0 : EBADF);
}

// Who is told that it's safe must find it in the store.
std::string StoreUnderTest::sync(const StoreOperation& operation, Held& held) {
  const unsigned kind = operation.kind % 4;
  if (kind < 2) {
    const std::uint64_t begin = page_start(operation.offset);
    const std::size_t size = clipped(begin, operation.size + operation.offset - begin);
    if (size == 0 || !is_mapped(held)) {
      return {};
    }
    std::string wrong = fails_unlike("msync", held.remote.msync(begin, size, kind == 0 ? MS_SYNC : MS_ASYNC), 0);
    // A shared mapping of a file that is open for reading alone is a private one to the kernel (mm/mmap.c): not synced.
    return wrong.empty() && kind == 0 && held.remote.is_writable() ? check_brought(*held.file, begin, begin + size)
                                                                   : wrong;
  }
  if (!held.remote.is_open()) {
    return {};
  }
  std::string wrong = fails_unlike("fsync", held.remote.call(kind == 2 ? SYS_fsync : SYS_fdatasync), 0);
  return wrong.empty() ? bytes_differ("after fsync the store has", store_.bytes(held.file->node), held.file->bytes, 0)
                       : wrong;
}

std::string StoreUnderTest::seek(const StoreOperation& operation, Held& held) {
  if (!held.remote.is_open()) {
    return {};
  }
  const ModelFile& file = *held.file;
  const bool hole = operation.kind % 2 == 1;
  const Outcome done = held.remote.call(SYS_lseek, operation.offset, hole ? SEEK_HOLE : SEEK_DATA);
  if (operation.offset >= file.size()) {
    return fails_unlike("lseek beyond the end", done, ENXIO);
  }
  if (!done.ok() && (hole || done.error != ENXIO)) {
    return fails_unlike("lseek", done, 0);
  }
  const std::uint64_t found = done.ok() ? static_cast<std::uint64_t>(done.result) : file.size();
  if (found < operation.offset || found > file.size() || (!hole && done.ok() && found == file.size())) {
    return fmt::format("lseek: {} in a file of {} bytes", found, file.size());
  }
  const std::uint64_t begin = hole ? found : operation.offset;
  const std::uint64_t end = hole ? page_end(found + 1) : found;
  seen_.holes += begin < std::min<std::uint64_t>(end, file.size()) ? 1U : 0U;
  return is_zeros(file, begin, end) ? "" : fmt::format("lseek: a hole where data is, from {} to {}", begin, end);
}

std::string StoreUnderTest::copy_range(const StoreOperation& operation, Held& from, Held& to) {
  const bool whole = operation.copies_whole_pages();
  const std::uint64_t offset = whole ? page_start(operation.offset) : operation.offset;
  const std::uint64_t to_offset = whole ? page_start(operation.other_offset) : operation.other_offset;
  std::size_t size = clipped(to_offset, whole ? kMost : operation.size);
  if (from.file == to.file) {
    size = from.file->inside(offset, size);  // the copy would be copied on
  }
  if (!from.remote.is_open() || !to.remote.is_open() || size == 0) {
    return {};
  }
  const Outcome done = from.remote.copy_range(offset, to.remote, to_offset, size);
  if (!to.remote.is_writable() || to.remote.appends()) {
    return differs("copy_file_range", done, 0, EBADF);
  }
  if (from.file == to.file && overlap(offset, to_offset, size)) {
    return differs("copy_file_range onto itself", done, 0, EINVAL);
  }
  const std::string text = from.file->read(offset, size);
  to.file->write(to_offset, text);
  return differs("copy_file_range", done, static_cast<std::int64_t>(text.size()));
}

std::string StoreUnderTest::write_mapped(const StoreOperation& operation, Held& to, Held& from) {
  const std::uint64_t offset = to.remote.appends() ? to.file->size() : operation.offset;
  const std::size_t size = from.file->inside(operation.other_offset, clipped(offset, operation.size));
  if (size == 0 || !to.remote.is_open() || !to.remote.is_writable() || !is_mapped(from) ||
      (from.file == to.file && overlap(operation.other_offset, offset, size))) {
    return {};
  }
  to.file->write(offset, from.file->read(operation.other_offset, size));
  return differs("pwrite from a mapping",
                 to.remote.pwrite_from(from.remote, operation.other_offset, operation.offset, size),
                 static_cast<std::int64_t>(size));
}

std::string StoreUnderTest::read_mapped(const StoreOperation& operation, Held& from, Held& to) {
  const std::size_t size = from.file->inside(operation.offset, to.file->inside(operation.other_offset, operation.size));
  if (size == 0 || !from.remote.is_open() || !to.remote.is_writable() || !is_mapped(to) ||
      (from.file == to.file && overlap(operation.offset, operation.other_offset, size))) {
    return {};
  }
  to.file->write(operation.other_offset, from.file->read(operation.offset, size));
  return differs("pread into a mapping",
                 from.remote.pread_into(to.remote, operation.other_offset, operation.offset, size),
                 static_cast<std::int64_t>(size));
}

std::string StoreUnderTest::server_unmap(const StoreOperation& operation, Held& held) {
  ++seen_.unmapped;
  const bool to_the_end = operation.kind % 4 == 3;
  store_.take_back(held.file->node, operation.offset, to_the_end ? 0 : operation.size);
  // Before Linux 6.16 what is being brought already isn't waited for (src/mapping/writeback.h).
  static const bool kWaits = needs::kernel(6, 16).empty();
  return kWaits ? check_brought(*held.file, page_start(operation.offset),
                                to_the_end ? held.file->size() : page_end(operation.offset + operation.size))
                : "";
}

// Each who has it open has a part of the range for itself; what they do is done at once, in no order.
std::string StoreUnderTest::together(const StoreOperation& operation, Held& held) {
  const FilesModel::File file = held.file;
  std::vector<Held*> who;
  for (auto& client : held_) {
    const auto has = [&file](Held& each) { return each.file == file && each.remote.is_writable() && is_mapped(each); };
    if (const auto found = std::find_if(client.begin(), client.end(), has); found != client.end()) {
      who.push_back(&*found);
    }
  }
  const std::size_t share = who.empty() ? 0 : file->inside(operation.offset, operation.size) / who.size();
  if (share == 0) {
    return {};
  }
  const std::string all = operation.text(share * who.size());
  for (std::size_t each = 0; each < who.size(); ++each) {
    RemoteFile& remote = who[each]->remote;
    const std::uint64_t offset = operation.offset + each * share;
    const std::string_view text = std::string_view(all).substr(each * share, share);
    if (operation.kind % 2 == 1 && each % 2 == 1 && remote.is_open() && !remote.appends()) {
      remote.begin_pwrite(offset, text);
    } else {
      remote.begin_store(offset, text);
    }
  }
  if (operation.kind % 4 < 2) {
    store_.take_back(file->node, operation.offset, operation.size);
  }
  std::string wrong;
  for (Held* each : who) {
    wrong += differs("a store of several", each->remote.process().finish(), static_cast<std::int64_t>(share));
  }
  file->write(operation.offset, all);
  return wrong;
}

}  // namespace dmmap::testing
