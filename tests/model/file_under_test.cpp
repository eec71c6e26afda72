#include "model/file_under_test.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace dmmap::testing {

namespace {

constexpr std::array kNames{
    "load",     "store",        "pread",       "pwrite",           "msync",          "fsync",          "truncate",
    "evict",    "leave",        "server_read", "server_write",     "server_unmap",   "server_discard", "server_resize",
    "together", "delay_faults", "supply_more", "delay_writebacks", "fail_writebacks"};
static_assert(kNames.size() == kVerbs);

std::span<std::byte> bytes_of(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}
std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// What actor `number` stores.
char filling(char first, std::uint32_t number) {
  return static_cast<char>(first + static_cast<int>(number));
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << kNames.at(static_cast<std::size_t>(operation.verb)) << " client " << operation.client << " offset "
             << operation.offset << " size " << operation.size << " '" << operation.fill << "'"
             << (operation.on ? " on" : " off");
}

FileUnderTest::FileUnderTest(Place place, bool writeback_cache) : source_(std::make_shared<MoodySource>(kMost)) {
  region_ = *PagedRegion::create({.id = {1}, .size = 0, .max_size = kMost, .name = "model"}, source_);
  if (!files_.add_file({.name = "f"}, region_)) {
    throw std::runtime_error("add_file");
  }
  SessionOptions options;
  options.writeback_cache = writeback_cache;
  options.threads = 2;
  options.trace = nullptr;
  if (place == Place::device) {
    device_ = std::make_unique<CuseDevice>(files_, "f", "dmmap-test-model", std::move(options));
  } else {
    mount_ = std::make_unique<Mounted>(files_, std::move(options),
                                       place == Place::asked ? Clients::elsewhere : Clients::here);
  }
  const auto path = is_device() ? device_->path() : *mount_ / "f";
  for (std::uint32_t i = 0; i < kClients; ++i) {
    clients_.push_back(std::make_unique<RemoteClient>(path, kMost));
  }
  reader_ = std::make_unique<RemoteClient>(path, kMost, O_RDONLY);
}

FileUnderTest::Outcome FileUnderTest::pread(RemoteClient& who, std::uint64_t offset, std::size_t size) {
  if (!is_device()) {
    return who.pread(offset, size);
  }
  const std::size_t end = std::min<std::size_t>(offset + size, model_.size());
  return end <= offset ? Outcome{} : who.load(offset, end - offset);
}

FileUnderTest::Outcome FileUnderTest::pwrite(RemoteClient& who, std::uint64_t offset, std::string_view bytes) {
  if (!is_device()) {
    return who.pwrite(offset, bytes);
  }
  if (offset + bytes.size() > model_.size()) {
    if (const auto grown = region_->resize(offset + bytes.size()); !grown) {
      return {.error = grown.error().code, .result = -1, .bytes = {}};
    }
  }
  return who.store(offset, bytes);
}

FileUnderTest::Outcome FileUnderTest::truncate(RemoteClient& who, std::uint64_t size) {
  if (!is_device()) {
    return who.truncate(size);
  }
  const auto done = region_->resize(size);
  return {.error = done ? 0 : done.error().code, .result = 0, .bytes = {}};
}

void FileUnderTest::evict(RemoteClient& who) const {
  static_cast<void>(who.forget());
  if (is_device()) {
    // Its pages are no file's that the client could name.
    std::ofstream("/proc/sys/vm/drop_caches") << "1";
  } else {
    static_cast<void>(who.evict());
  }
}

RemoteClient& FileUnderTest::client(std::uint32_t number) {
  if (std::exchange(away_.at(number), false) && !clients_[number]->come_back().ok()) {
    throw std::runtime_error("come_back");
  }
  return *clients_[number];
}

void FileUnderTest::reset() {
  source_->good_mood();
  if (!truncate(client(0), 0).ok()) {
    throw std::runtime_error("truncate");
  }
  // Errors of the former case aren't this one's.
  for (std::uint32_t i = 0; i < kClients; ++i) {
    static_cast<void>(fsync(client(i)));
  }
  source_->clear();
  model_.clear();
}

std::size_t FileUnderTest::clipped(const Operation& operation, std::size_t limit) {
  return operation.offset >= limit ? 0 : std::min<std::size_t>(operation.size, limit - operation.offset);
}

void FileUnderTest::put(std::uint64_t offset, std::string_view bytes) {
  if (model_.size() < offset + bytes.size()) {
    model_.resize(offset + bytes.size(), '\0');
  }
  model_.replace(offset, bytes.size(), bytes);
}

void FileUnderTest::cut(std::uint64_t size) {
  model_.resize(size, '\0');
}

std::string FileUnderTest::check_bytes(const char* who, const Outcome& outcome, std::uint64_t offset,
                                       std::size_t size) const {
  if (!outcome.ok()) {
    return fmt::format("{} of {} bytes at {} failed: {}", who, size, offset, outcome.error);
  }
  const std::string expected = model_.substr(std::min<std::size_t>(offset, model_.size()), size);
  if (outcome.bytes == expected) {
    return {};
  }
  const auto [there, here] =
      std::mismatch(outcome.bytes.begin(), outcome.bytes.end(), expected.begin(), expected.end());
  const auto at = there - outcome.bytes.begin();
  return fmt::format("{} of {} bytes at {} brought {} bytes, {} expected; the first difference at {}: {:#x}, not {:#x}",
                     who, size, offset, outcome.bytes.size(), expected.size(), offset + static_cast<std::uint64_t>(at),
                     there != outcome.bytes.end() ? static_cast<unsigned char>(*there) : 0,
                     here != expected.end() ? static_cast<unsigned char>(*here) : 0);
}

std::string FileUnderTest::check_server_read(std::uint64_t offset, std::size_t size) const {
  Outcome outcome;
  outcome.bytes.resize(size);
  if (const auto done = region_->read(offset, bytes_of(outcome.bytes)); !done) {
    return "server's read: " + done.error().message;
  }
  return check_bytes("server's read", outcome, offset, size);
}

std::string FileUnderTest::carry_out(const Operation& operation) {
  switch (operation.verb) {
    case Verb::load:
    case Verb::store:
    case Verb::pread:
    case Verb::pwrite:
      return access(operation);
    case Verb::msync:
    case Verb::fsync:
    case Verb::truncate:
    case Verb::evict:
      return change(operation);
    case Verb::together:
      return together(operation);
    case Verb::leave:
      return leave(operation);
    default:
      return serve(operation);
  }
}

// What is refused on the way is told to close(2), and kept.
std::string FileUnderTest::leave(const Operation& operation) {
  for (std::uint32_t i = 0; i < kClients; ++i) {
    if (!std::exchange(away_.at(i), true)) {
      static_cast<void>(clients_[i]->leave());
    }
  }
  const std::size_t inside = clipped(operation, model_.size());
  return inside == 0
             ? ""
             : check_bytes("a load by a reader", reader_->load(operation.offset, inside), operation.offset, inside);
}

std::string FileUnderTest::access(const Operation& operation) {
  RemoteClient& who = client(operation);
  const std::size_t inside = clipped(operation, model_.size());
  switch (operation.verb) {
    case Verb::load:
      if (inside == 0) {
        const std::size_t pages_end = (model_.size() + kPage - 1) / kPage * kPage;
        if (operation.offset < pages_end || operation.offset >= kMost) {
          return {};
        }
        const Outcome outcome = who.load(operation.offset, 1);
        return outcome.error == -SIGBUS ? "" : fmt::format("no SIGBUS beyond the end at {}", operation.offset);
      }
      return check_bytes("a load", who.load(operation.offset, inside), operation.offset, inside);
    case Verb::store: {
      if (inside == 0) {
        return {};
      }
      const std::string bytes(inside, operation.fill);
      const Outcome outcome = who.store(operation.offset, bytes);
      put(operation.offset, bytes);
      return outcome.ok() ? "" : fmt::format("a store at {} failed: {}", operation.offset, outcome.error);
    }
    case Verb::pread:
      return check_bytes("a pread", pread(who, operation.offset, operation.size), operation.offset, operation.size);
    default: {
      const std::size_t size = clipped(operation, kMost);
      if (size == 0) {
        return {};
      }
      const std::string bytes(size, operation.fill);
      const Outcome outcome = pwrite(who, operation.offset, bytes);
      if (!outcome.ok() && source_->refuses.load()) {
        // Nothing is to have changed.
        return outcome.error == ENOSPC || outcome.error == EIO ? "" : fmt::format("pwrite: {}", outcome.error);
      }
      put(operation.offset, bytes);
      return outcome.result == static_cast<std::int64_t>(size)
                 ? ""
                 : fmt::format("a pwrite of {} at {}: {} ({})", size, operation.offset, outcome.result, outcome.error);
    }
  }
}

std::string FileUnderTest::synced(const char* what, const Outcome& outcome) const {
  if (outcome.ok()) {
    // Whoever is told that it's safe must find it in the source.
    if (source_->text(model_.size()) != model_) {
      return fmt::format("{} succeeded, but the source hasn't got everything", what);
    }
    return {};
  }
  return outcome.error == ENOSPC || outcome.error == EIO ? "" : fmt::format("{}: {}", what, outcome.error);
}

std::string FileUnderTest::change(const Operation& operation) {
  RemoteClient& who = client(operation);
  switch (operation.verb) {
    case Verb::msync:
      return synced("msync", who.msync());
    case Verb::fsync:
      return synced("fsync", fsync(who));
    case Verb::evict:
      evict(who);
      return {};
    default: {
      const std::uint64_t size = std::min<std::uint64_t>(operation.offset, kMost);
      const Outcome outcome = truncate(who, size);
      cut(size);
      return outcome.ok() ? "" : fmt::format("truncate to {}: {}", size, outcome.error);
    }
  }
}

std::string FileUnderTest::serve(const Operation& operation) {
  // With the writeback cache the kernel alone knows how far clients have written.
  const std::size_t size = std::min<std::size_t>(region_->size(), model_.size());
  const std::size_t inside = clipped(operation, size);
  const std::uint64_t last_page = (size + kPage - 1) / kPage;
  const std::uint64_t page = std::min(operation.offset / kPage, last_page);
  const PageRange pages{page, std::min<std::uint64_t>(1 + operation.size / kPage, last_page - page)};
  switch (operation.verb) {
    case Verb::server_read:
      return inside == 0 ? "" : check_server_read(operation.offset, inside);
    case Verb::server_write: {
      const std::string bytes(inside, operation.fill);
      const std::uint64_t offset = std::min<std::uint64_t>(operation.offset, size);
      const auto done = region_->write(offset, bytes_of(bytes));
      put(offset, bytes);
      if (!done && !source_->refuses.load()) {
        return "server's write: " + done.error().message;
      }
      return inside == 0 ? "" : check_bytes("a reader's load", reader_->load(offset, inside), offset, inside);
    }
    case Verb::server_unmap: {
      const auto done = region_->unmap(pages);
      if (!done) {
        return done.error().code == ENOSPC ? "" : "unmap: " + done.error().message;
      }
      const std::size_t begin = pages.first * kPage;
      const std::size_t end = std::min<std::size_t>(model_.size(), (pages.first + pages.count) * kPage);
      const std::string there = source_->text(model_.size());
      return begin >= end || there.compare(begin, end - begin, model_, begin, end - begin) == 0
                 ? ""
                 : "unmap succeeded, but the source hasn't got everything";
    }
    case Verb::server_discard: {
      const auto done = region_->discard(pages);
      const std::size_t end = std::min<std::size_t>(model_.size(), (pages.first + pages.count) * kPage);
      if (pages.first * kPage < end) {
        put(pages.first * kPage, std::string(end - pages.first * kPage, '\0'));
      }
      return done ? "" : "discard: " + done.error().message;
    }
    case Verb::server_resize: {
      const std::uint64_t wanted = std::min<std::uint64_t>(operation.offset, kMost);
      const auto done = region_->resize(wanted);
      cut(wanted);
      return done ? "" : "resize: " + done.error().message;
    }
    case Verb::delay_faults:
      source_->delays_faults = operation.on;
      return {};
    case Verb::supply_more:
      source_->supplies_more = operation.on;
      return {};
    case Verb::delay_writebacks:
      source_->delays_writebacks = operation.on;
      return {};
    default:
      source_->refuses = operation.on;
      return {};
  }
}

// Each actor has a quarter of the range for itself; what they do is done at once, in no order.
std::string FileUnderTest::together(const Operation& operation) {
  const std::size_t share = clipped(operation, std::min<std::size_t>(region_->size(), model_.size())) / (kClients + 1);
  if (share == 0) {
    return {};
  }
  for (std::uint32_t i = 0; i < kClients; ++i) {
    client(i).begin_store(operation.offset + i * share, std::string(share, filling(operation.fill, i)));
  }
  std::thread unmapping([&] {
    if (operation.on) {
      static_cast<void>(region_->unmap({operation.offset / kPage, 1}));
    }
  });
  const std::string own(share, filling(operation.fill, kClients));
  const auto done = region_->write(operation.offset + kClients * share, bytes_of(own));
  std::string wrong = done || source_->refuses.load() ? "" : "server's write: " + done.error().message;
  for (std::uint32_t i = 0; i < kClients; ++i) {
    const auto outcome = clients_[i]->finish(std::chrono::seconds(60));
    if (!outcome || !outcome->ok()) {
      wrong = fmt::format("a store of client {} {}", i, outcome ? "failed" : "hangs");
    }
    put(operation.offset + i * share, std::string(share, filling(operation.fill, i)));
  }
  put(operation.offset + kClients * share, own);
  unmapping.join();
  return wrong.empty() ? check_bytes("a load after all stored", client(operation).load(operation.offset, 4 * share),
                                     operation.offset, 4 * share)
                       : wrong;
}

std::string FileUnderTest::settle() {
  source_->good_mood();
  // An fsync may still tell of an error that was; and one that does returns without having waited for the writebacks
  // that are under way before Linux 6.16 (fs/fuse/file.c, fuse_fsync), which may fail yet.
  constexpr int kTries = 5;
  for (std::uint32_t i = 0; i < kClients; ++i) {
    Outcome outcome = fsync(client(i));
    for (int tries = 1; tries < kTries && !outcome.ok(); ++tries) {
      outcome = fsync(client(i));
    }
    if (!outcome.ok()) {
      return fmt::format("fsync fails for ever: {}", outcome.error);
    }
  }
  if (region_->size() != model_.size()) {
    return fmt::format("the region has {} bytes, not {}", region_->size(), model_.size());
  }
  if (source_->text(model_.size()) != model_) {
    return "the source hasn't got everything";
  }
  if (const auto done = region_->unmap({0, (model_.size() + kPage - 1) / kPage}); !done) {
    return "unmap: " + done.error().message;
  }
  for (const auto& each : clients_) {
    if (model_.empty()) {
      break;
    }
    if (std::string wrong = check_bytes("the last load", each->load(0, model_.size()), 0, model_.size());
        !wrong.empty()) {
      return wrong;
    }
  }
  const PagedCounters now = region_->counters();
  return now.bytes_kept == 0 ? "" : fmt::format("{} bytes are still kept", now.bytes_kept);
}

}  // namespace dmmap::testing
