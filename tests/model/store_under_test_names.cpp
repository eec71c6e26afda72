// StoreUnderTest's names: files renamed, removed, linked and copied whole.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>

#include "model/store_under_test.h"
#include "servers/store/filesystem/snapshot_ioctl.h"

namespace dmmap::testing {

std::string StoreUnderTest::names(const StoreOperation& operation) {
  RemoteCaller& caller = callers_.at(operation.client);
  const std::string name = StoreOperation::name_of(operation.name);
  const std::string other = StoreOperation::name_of(operation.other_name);
  switch (operation.verb) {
    case StoreVerb::cp:
      return cp(operation);
    case StoreVerb::snapshot:
      return snapshot(operation);
    case StoreVerb::rename:
      return fails_unlike("rename",
                          caller.call(SYS_renameat2, AT_FDCWD, caller.text(path(name)), AT_FDCWD,
                                      caller.text(path(other)), operation.rename_flags()),
                          model_.rename(name, other, operation.rename_flags()));
    case StoreVerb::unlink:
      return fails_unlike("unlink", caller.call(SYS_unlink, caller.text(path(name))), model_.unlink(name));
    case StoreVerb::link:
      return fails_unlike("link", caller.call(SYS_link, caller.text(path(name)), caller.text(path(other))),
                          model_.link(name, other));
    case StoreVerb::list:
      return list(caller);
    default: {
      const FilesModel::File file = model_.find(name);
      if (file && file->node != 0) {
        store_.forget(file->node, name);
      }
      return {};
    }
  }
}

// As cp(1) does it.
std::string StoreUnderTest::cp(const StoreOperation& operation) {
  const FilesModel::File from = model_.find(StoreOperation::name_of(operation.name));
  FilesModel::File to = model_.find(StoreOperation::name_of(operation.other_name));
  RemoteFile source(callers_.at(operation.client));
  if (!from) {
    return fails_unlike("open", source.open(path(operation.name), O_RDONLY), ENOENT);
  }
  if (from == to) {
    return {};
  }
  RemoteFile target(callers_.at(operation.client));
  if (!source.open(path(operation.name), O_RDONLY).ok() ||
      !target.open(path(operation.other_name), O_WRONLY | O_CREAT | O_TRUNC).ok()) {
    return "cp: open fails";
  }
  if (!to) {
    to = model_.make(StoreOperation::name_of(operation.other_name));
  }
  to->bytes = from->bytes;
  std::string wrong = differs("cp", source.copy_range(0, target, 0, 2 * StoreOperation::kMost),
                              static_cast<std::int64_t>(from->size()));
  return wrong + fails_unlike("close", source.close(), 0) + fails_unlike("close", target.close(), 0);
}

std::string StoreUnderTest::snapshot(const StoreOperation& operation) {
  const std::string name = StoreOperation::name_of(operation.name);
  const std::string other = StoreOperation::name_of(operation.other_name);
  RemoteFile source(callers_.at(operation.client));
  const Outcome opened = source.open(path(name), O_RDONLY);
  if (!opened.ok()) {
    return fails_unlike("open", opened, model_.find(name) ? 0 : ENOENT);
  }
  store::SnapshotWish wish;
  wish.directory = store::kRootFile.value;
  std::memcpy(wish.name, other.data(), other.size());
  std::string argument(sizeof wish, '\0');
  std::memcpy(argument.data(), &wish, sizeof wish);
  std::string wrong = fails_unlike("snapshot", source.ioctl(store::kSnapshotIoctl, argument), model_.copy(name, other));
  return wrong + fails_unlike("close", source.close(), 0);
}

std::string StoreUnderTest::list(RemoteCaller& caller) {
  RemoteFile directory(caller);
  if (!directory.open(store_.mountpoint(), O_RDONLY | O_DIRECTORY).ok()) {
    return "the directory can't be opened";
  }
  std::map<std::string, std::uint64_t> listed;
  const auto shared = caller.shared();
  Outcome some;
  while (some = directory.call(SYS_getdents64, shared.data(), shared.size()), some.result > 0) {
    for (std::size_t at = 0; at < static_cast<std::size_t>(some.result);) {
      dirent64 entry{};
      std::memcpy(&entry, shared.data() + at, offsetof(dirent64, d_name));
      const std::string name = shared.data() + at + offsetof(dirent64, d_name);
      if (name != "." && name != ".." && !listed.emplace(name, entry.d_ino).second) {
        return name + " is listed twice";
      }
      at += entry.d_reclen;
    }
  }
  for (const auto& [name, file] : model_.names()) {
    const auto found = listed.find(name);
    if (found == listed.end()) {
      return name + " isn't listed";
    }
    if (file->node != 0 && found->second != file->node) {
      return fmt::format("{} is listed as file {}, not {}", name, found->second, file->node);
    }
  }
  if (listed.size() != model_.names().size()) {
    return fmt::format("{} names are listed, not {}", listed.size(), model_.names().size());
  }
  return fails_unlike("getdents", some, 0) + fails_unlike("close", directory.close(), 0);
}

}  // namespace dmmap::testing
