#include "servers/store/tree/inode.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "servers/store/kv/numbers.h"

namespace dmmap::store {

namespace {

constexpr std::size_t kNumbers = 17;
constexpr long kBillion = 1'000'000'000;

timespec time_of(std::uint64_t seconds, std::uint64_t nanoseconds) {
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

std::string encode_inode(const Inode& inode) {
  const auto seconds = [](const timespec& time) { return static_cast<std::uint64_t>(time.tv_sec); };
  const auto nanoseconds = [](const timespec& time) { return static_cast<std::uint64_t>(time.tv_nsec); };
  return encode({inode.mode, inode.uid, inode.gid, inode.links, inode.rdev, inode.size, inode.pages,
                 seconds(inode.accessed), nanoseconds(inode.accessed), seconds(inode.modified),
                 nanoseconds(inode.modified), seconds(inode.changed), nanoseconds(inode.changed), seconds(inode.born),
                 nanoseconds(inode.born), inode.parent.value, inode.next_position}) +
         inode.target;
}

}  // namespace

bool Inode::is_directory() const {
  return S_ISDIR(mode);
}

std::optional<Inode> decode_inode(std::string_view key, std::string_view value) {
  constexpr std::size_t kFixed = kNumbers * kNumberSize;
  const auto file = decode<1>(key);
  const auto numbers = decode<kNumbers>(value.substr(0, kFixed));
  if (!file || !numbers) {
    return std::nullopt;
  }
  const auto& [mode, uid, gid, links, rdev, size, pages, accessed, accessed_ns, modified, modified_ns, changed,
               changed_ns, born, born_ns, parent, next_position] = *numbers;
  Inode inode;
  inode.file = {(*file)[0]};
  inode.mode = static_cast<std::uint32_t>(mode);
  inode.uid = static_cast<std::uint32_t>(uid);
  inode.gid = static_cast<std::uint32_t>(gid);
  inode.links = links;
  inode.rdev = rdev;
  inode.size = size;
  inode.pages = pages;
  inode.accessed = time_of(accessed, accessed_ns);
  inode.modified = time_of(modified, modified_ns);
  inode.changed = time_of(changed, changed_ns);
  inode.born = time_of(born, born_ns);
  inode.parent = {parent};
  inode.next_position = next_position;
  inode.target = value.substr(kFixed);
  for (const timespec& time : {inode.accessed, inode.modified, inode.changed, inode.born}) {
    if (time.tv_nsec < 0 || time.tv_nsec >= kBillion) {
      return std::nullopt;
    }
  }
  return inode;
}

Result<Inode> get_inode(const Reader& reader, FileId file) {
  const std::string key = key_of(file);
  const auto value = reader.get(Table::inodes, key);
  if (!value) {
    return tl::unexpected(value.error());
  }
  if (!*value) {
    return fail(ENOENT, fmt::format("there's no file {} in the store", file.value));
  }
  auto inode = decode_inode(key, **value);
  if (!inode) {
    return fail(EIO, fmt::format("the store is damaged: what it has of file {} isn't an inode", file.value));
  }
  return std::move(*inode);
}

void put_inode(Transaction& transaction, const Inode& inode) {
  transaction.put(Table::inodes, key_of(inode.file), encode_inode(inode));
}

void remove_inode(Transaction& transaction, FileId file) {
  transaction.remove(Table::inodes, key_of(file));
}

}  // namespace dmmap::store
