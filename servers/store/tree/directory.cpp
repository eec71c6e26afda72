#include "servers/store/tree/directory.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "servers/store/kv/numbers.h"

namespace dmmap::store {

namespace {

std::string value_of(const Inode& file, std::uint64_t position) {
  return encode({file.file.value, file.mode & S_IFMT, position});
}

}  // namespace

Directory::Directory(FileId directory) : prefix_(key_of(directory)) {}

std::string Directory::name_key(std::string_view name) const {
  return prefix_ + std::string(name);
}

std::string Directory::place_key(std::uint64_t position) const {
  return prefix_ + encode({position});
}

Result<std::optional<Named>> Directory::find(const Reader& reader, std::string_view name) const {
  const auto value = reader.get(Table::names, name_key(name));
  if (!value) {
    return tl::unexpected(value.error());
  }
  if (!*value) {
    return std::nullopt;
  }
  const auto numbers = decode<3>(**value);
  if (!numbers) {
    return fail(EIO, fmt::format("the store is damaged: what it has of the name \"{}\" isn't an entry", name));
  }
  const auto [file, type, position] = *numbers;
  return Named{std::string(name), {file}, static_cast<std::uint32_t>(type), position};
}

Result<std::vector<Named>> Directory::list(const Reader& reader, std::uint64_t position, std::size_t most) const {
  std::vector<Named> entries;
  Cursor cursor = reader.scan(Table::places, KeyRange::of(prefix_));
  for (cursor.seek(place_key(position + 1)); entries.size() < most && cursor.valid(); cursor.next()) {
    auto entry = find(reader, cursor.value());
    if (!entry) {
      return tl::unexpected(entry.error());
    }
    if (!*entry || cursor.key() != place_key((*entry)->position)) {
      return fail(EIO, "the store is damaged: a directory lists a name that it hasn't");
    }
    entries.push_back(std::move(**entry));
  }
  if (auto good = cursor.status(); !good) {
    return tl::unexpected(good.error());
  }
  return entries;
}

void Directory::add(Transaction& transaction, Inode& inode, std::string_view name, const Inode& file) const {
  const std::uint64_t position = inode.next_position++;
  ++inode.size;
  inode.links += file.is_directory() ? 1U : 0U;
  transaction.put(Table::names, name_key(name), value_of(file, position));
  transaction.put(Table::places, place_key(position), name);
}

void Directory::remove(Transaction& transaction, Inode& inode, const Named& entry) const {
  --inode.size;
  inode.links -= S_ISDIR(entry.type) ? 1U : 0U;
  transaction.remove(Table::names, name_key(entry.name));
  transaction.remove(Table::places, place_key(entry.position));
}

void Directory::redirect(Transaction& transaction, const Named& entry, const Inode& file) const {
  transaction.put(Table::names, name_key(entry.name), value_of(file, entry.position));
}

}  // namespace dmmap::store
