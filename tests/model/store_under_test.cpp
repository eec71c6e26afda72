#include "model/store_under_test.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace dmmap::testing {

std::string differs(std::string_view what, const RemoteCaller::Outcome& outcome, std::int64_t result, int error) {
  if (outcome.error == error && (error != 0 || outcome.result == result)) {
    return {};
  }
  return fmt::format("{}: result {}, error {}; expected: {}, error {}", what, outcome.result, outcome.error,
                     error != 0 ? -1 : result, error);
}

std::string fails_unlike(std::string_view what, const RemoteCaller::Outcome& outcome, int error) {
  return differs(what, outcome, 0, error);
}

std::string bytes_differ(std::string_view what, std::string_view there, std::string_view expected,
                         std::uint64_t offset) {
  if (there == expected) {
    return {};
  }
  const auto [here, wanted] = std::mismatch(there.begin(), there.end(), expected.begin(), expected.end());
  const auto at = static_cast<std::uint64_t>(here - there.begin());
  return fmt::format("{}: {} bytes at {}, {} expected; the first difference at {}: {:#x}, not {:#x}", what,
                     there.size(), offset, expected.size(), offset + at,
                     here != there.end() ? static_cast<unsigned char>(*here) : 0,
                     wanted != expected.end() ? static_cast<unsigned char>(*wanted) : 0);
}

StoreUnderTest::StoreUnderTest(Seen& seen) : seen_(seen) {
  for (std::uint32_t client = 0; client < StoreOperation::kClients; ++client) {
    RemoteCaller& caller = callers_.emplace_back();
    held_.emplace_back(StoreOperation::kFiles, Held{RemoteFile(caller), nullptr});
  }
  seen_.shared_pages += store_.start();
}

StoreUnderTest::~StoreUnderTest() {
  store_.abort();
}

StoreUnderTest::Held& StoreUnderTest::one(const StoreOperation& operation) {
  return held(operation.client, operation.file, operation.name);
}

StoreUnderTest::Held& StoreUnderTest::other(const StoreOperation& operation) {
  return held(operation.client, operation.other_file, operation.other_name);
}

StoreUnderTest::Held& StoreUnderTest::held(std::uint32_t client, std::uint32_t file, std::uint32_t name) {
  Held& found = held_.at(client).at(file);
  if (!found.file) {
    if (const std::string wrong = open(found, StoreOperation::name_of(name), O_RDWR | O_CREAT); !wrong.empty()) {
      throw std::runtime_error(wrong);
    }
  }
  return found;
}

std::string StoreUnderTest::open(Held& held, const std::string& name, int flags) {
  const bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  FilesModel::File file = unnamed ? std::make_shared<ModelFile>() : model_.find(name);
  int error = 0;
  if (file && (flags & O_EXCL) != 0) {
    error = EEXIST;
  } else if (!file && (flags & O_CREAT) == 0) {
    error = ENOENT;
  }
  const Outcome opened = held.remote.open(unnamed ? store_.mountpoint().string() : path(name), flags);
  if (error != 0 || !opened.ok()) {
    return differs("open of " + name, opened, opened.result, error);
  }
  held.file = file ? file : model_.make(name);
  if ((flags & O_TRUNC) != 0) {
    held.file->resize(0);
  }
  return check_status(held);
}

std::string StoreUnderTest::leave(Held& held, bool close, bool unmap) {
  std::string wrong;
  if (close && held.remote.is_open()) {
    wrong = fails_unlike("close", held.remote.close(), 0);
  }
  if (unmap && held.remote.is_mapped()) {
    wrong += fails_unlike("munmap", held.remote.unmap(), 0);
  }
  if (!held.remote.is_open() && !held.remote.is_mapped()) {
    held.file = nullptr;
  }
  return wrong;
}

bool StoreUnderTest::is_mapped(Held& held) {
  if (!held.remote.is_mapped() && held.remote.is_open()) {
    if (const Outcome mapped = held.remote.map(StoreOperation::kMost); !mapped.ok()) {
      throw std::runtime_error(fails_unlike("mmap", mapped, 0));
    }
  }
  return held.remote.is_mapped();
}

std::string StoreUnderTest::check_status(Held& held) {
  ModelFile& file = *held.file;
  if (!held.remote.is_open()) {
    return {};
  }
  const RemoteFile::Status status = held.remote.status();
  if (!status.outcome.ok()) {
    return fails_unlike("fstat", status.outcome, 0);
  }
  if (file.node == 0) {
    file.node = status.node;
  }
  if (status.node != file.node) {
    return fmt::format("it's file {}, not {}", status.node, file.node);
  }
  if (status.size != file.size()) {
    return fmt::format("its size is {}, not {}", status.size, file.size());
  }
  return status.links == file.links ? "" : fmt::format("it has {} names, not {}", status.links, file.links);
}

std::string StoreUnderTest::check_all(Held& held) {
  const std::string& expected = held.file->bytes;
  std::string wrong = check_status(held);
  if (wrong.empty() && held.remote.is_open()) {
    wrong = bytes_differ("a pread of all", held.remote.pread(0, 2 * StoreOperation::kMost).bytes, expected, 0);
  }
  if (wrong.empty() && held.remote.is_mapped() && !expected.empty()) {
    wrong = bytes_differ("a load of all", held.remote.load(0, expected.size()).bytes, expected, 0);
  }
  return wrong;
}

std::string StoreUnderTest::check_brought(const ModelFile& file, std::uint64_t begin, std::uint64_t end) const {
  end = std::min<std::uint64_t>(end, file.size());
  if (begin >= end) {
    return {};
  }
  // What nobody stored to may not have come, and is zeros.
  std::string there = store_.bytes(file.node);
  there.resize(std::max<std::size_t>(there.size(), end), '\0');
  return bytes_differ("the store has", there.substr(begin, end - begin), file.read(begin, end - begin), begin);
}

std::string StoreUnderTest::leave_all() {
  for (auto& client : held_) {
    for (Held& each : client) {
      if (std::string wrong = leave(each, true, true); !wrong.empty()) {
        return wrong;
      }
    }
  }
  return {};
}

std::string StoreUnderTest::restart(bool wholly) {
  if (std::string wrong = leave_all(); !wrong.empty()) {
    return wrong;
  }
  for (const auto& [name, file] : model_.names()) {
    if (file->node != 0) {
      if (std::string wrong = bytes_differ("after all have left " + name, store_.bytes(file->node), file->bytes, 0);
          !wrong.empty()) {
        return wrong;
      }
    }
  }
  store_.stop(wholly);
  seen_.shared_pages += store_.start();
  return {};
}

std::string StoreUnderTest::check_names() {
  for (const auto& [name, file] : model_.names()) {
    Held& reader = held_.front().front();
    std::string wrong = open(reader, name, O_RDONLY);
    if (wrong.empty()) {
      wrong = check_all(reader);
    }
    if (wrong.empty()) {
      wrong = leave(reader, true, true);
    }
    if (!wrong.empty()) {
      return fmt::format("{}: {}", name, wrong);
    }
  }
  return list(callers_.front());
}

std::string StoreUnderTest::settle() {
  for (auto& client : held_) {
    for (Held& each : client) {
      if (std::string wrong = each.file ? check_all(each) : ""; !wrong.empty()) {
        return wrong;
      }
    }
  }
  if (std::string wrong = restart(false); !wrong.empty()) {
    return wrong;
  }
  if (std::string wrong = check_names(); !wrong.empty()) {
    return "after a restart: " + wrong;
  }
  return {};
}

std::string StoreUnderTest::clear() {
  std::string wrong = leave_all();
  while (!model_.names().empty()) {
    const std::string name = model_.names().begin()->first;
    RemoteCaller& caller = callers_.front();
    wrong += fails_unlike("unlink", caller.call(SYS_unlink, caller.text(path(name))), model_.unlink(name));
  }
  return wrong;
}

std::string StoreUnderTest::carry_out(const StoreOperation& operation) {
  ++seen_.operations;
  switch (operation.verb) {
    case StoreVerb::pread:
      return pread(operation, one(operation));
    case StoreVerb::pwrite:
      return pwrite(operation, one(operation));
    case StoreVerb::load:
      return load(operation, one(operation));
    case StoreVerb::store:
      return store(operation, one(operation));
    case StoreVerb::truncate:
      return truncate(operation);
    case StoreVerb::fallocate:
      return fallocate(operation, one(operation));
    case StoreVerb::sync:
      return sync(operation, one(operation));
    case StoreVerb::seek:
      return seek(operation, one(operation));
    case StoreVerb::copy_range:
      return copy_range(operation, one(operation), other(operation));
    case StoreVerb::write_mapped:
      return write_mapped(operation, one(operation), other(operation));
    case StoreVerb::read_mapped:
      return read_mapped(operation, one(operation), other(operation));
    case StoreVerb::stat:
      return check_status(one(operation));
    case StoreVerb::open: {
      Held& held = held_.at(operation.client).at(operation.file);
      std::string wrong = leave(held, true, true);
      return wrong.empty() ? open(held, StoreOperation::name_of(operation.name), operation.open_flags()) : wrong;
    }
    case StoreVerb::leave:
      return leave(held_.at(operation.client).at(operation.file), operation.kind % 3 != 2, operation.kind % 3 != 1);
    case StoreVerb::evict:
      return fails_unlike("evict", one(operation).remote.evict(), 0);
    case StoreVerb::server_unmap:
      return server_unmap(operation, one(operation));
    case StoreVerb::together:
      return together(operation, one(operation));
    case StoreVerb::restart:
      return restart(operation.kind % 2 == 1);
    default:
      return names(operation);
  }
}

}  // namespace dmmap::testing
