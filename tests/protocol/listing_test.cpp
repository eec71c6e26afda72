// Directories: entries as the kernel takes them apart again.
#include <dirent.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "protocol/encode.h"
#include "protocol/opcode.h"

namespace dmmap::protocol {
namespace {

struct Parsed {
  std::string name;
  std::uint64_t ino;
  std::uint64_t next;
  std::uint32_t type;
  fuse_entry_out entry;
};

/// As fs/fuse/readdir.c reads it, record by record, with `lead` bytes before each fuse_dirent.
std::vector<Parsed> parse(std::span<const std::byte> bytes, std::size_t lead) {
  std::vector<Parsed> all;
  while (bytes.size() >= lead + FUSE_NAME_OFFSET) {
    Parsed one{};
    std::memcpy(&one.entry, bytes.data(), lead);
    fuse_dirent head{};
    std::memcpy(&head, bytes.data() + lead, FUSE_NAME_OFFSET);
    one.ino = head.ino;
    one.next = head.off;
    one.type = head.type;
    const std::size_t record = FUSE_DIRENT_ALIGN(lead + FUSE_NAME_OFFSET + head.namelen);
    if (record > bytes.size()) {
      ADD_FAILURE() << "a record that ends beyond the listing";
      break;
    }
    one.name.assign(reinterpret_cast<const char*>(bytes.data() + lead + FUSE_NAME_OFFSET), head.namelen);
    all.push_back(one);
    bytes = bytes.subspan(record);
  }
  EXPECT_TRUE(bytes.empty());
  return all;
}

ReplyLimits room(std::uint32_t size) {
  return {.opcode = static_cast<std::uint32_t>(Opcode::readdir), .size = size};
}

TEST(Listing, NamesOfAllLengthsComeBack) {
  std::vector<std::string> names;
  for (std::size_t length = 1; length <= 255; ++length) {
    names.emplace_back(length, static_cast<char>('a' + length % 26));
  }
  std::vector<DirectoryEntry> entries;
  for (const std::string& name : names) {
    entries.push_back({name, 100 + entries.size(), entries.size() + 1, DT_REG});
  }
  WireReply out;
  ASSERT_TRUE(encode(DirectoryListing{entries}, room(1 << 20), out));
  EXPECT_EQ(out.entries_taken, entries.size());
  const auto parsed = parse(out.fixed(), 0);
  ASSERT_EQ(parsed.size(), entries.size());
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    EXPECT_EQ(parsed[i].name, names[i]);
    EXPECT_EQ(parsed[i].ino, 100 + i);
    EXPECT_EQ(parsed[i].next, i + 1);
    EXPECT_EQ(parsed[i].type, static_cast<std::uint32_t>(DT_REG));
  }
}

TEST(Listing, TakesWhatFits) {
  const std::vector<DirectoryEntry> entries(10, DirectoryEntry{"eight888", 1, 1, DT_DIR});  // 32 bytes each
  for (std::uint32_t size = 32; size < 340; ++size) {
    WireReply out;
    ASSERT_TRUE(encode(DirectoryListing{entries}, room(size), out));
    EXPECT_EQ(out.entries_taken, std::min<std::size_t>(size / 32, 10));
    EXPECT_EQ(out.size(), out.entries_taken * 32);
  }
}

TEST(Listing, EmptyIsTheEnd) {
  WireReply out;
  ASSERT_TRUE(encode(DirectoryListing{}, room(4096), out));
  EXPECT_EQ(out.size(), 0U);
  EXPECT_EQ(out.entries_taken, 0U);
}

// The kernel refuses such names with EIO, and all the others of the answer with them (fs/fuse/readdir.c).
TEST(Listing, NamesThatNoFileHas) {
  for (const std::string_view name : {std::string_view(""), std::string_view("a/b"), std::string_view("a\0b", 3)}) {
    const std::vector<DirectoryEntry> entries(1, DirectoryEntry{name, 1, 1, DT_REG});
    WireReply out;
    const auto result = encode(DirectoryListing{entries}, room(4096), out);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, EIO);
  }
}

// An empty answer would tell the client that the directory ends here.
TEST(Listing, RoomForNoneIsAnError) {
  const std::vector<DirectoryEntry> entries(1, DirectoryEntry{"eight888", 1, 1, DT_DIR});
  WireReply out;
  const auto result = encode(DirectoryListing{entries}, room(31), out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, EINVAL);
}

TEST(Listing, PlusCarriesEntries) {
  DirectoryEntryPlus dot{.name = {".", 1, 1, DT_DIR}, .entry = {}};
  DirectoryEntryPlus file{.name = {"file", 2, 2, DT_REG}, .entry = {}};
  file.entry.node = {77};
  file.entry.attributes.mode = 0100644;
  file.entry.entry_valid = std::chrono::seconds(3);
  const std::vector<DirectoryEntryPlus> entries{dot, file};
  WireReply out;
  ASSERT_TRUE(encode(DirectoryListingPlus{entries}, room(4096), out));
  EXPECT_EQ(out.entries_taken, 2U);
  const auto parsed = parse(out.fixed(), sizeof(fuse_entry_out));
  ASSERT_EQ(parsed.size(), 2U);
  EXPECT_EQ(parsed[0].name, ".");
  EXPECT_EQ(parsed[0].entry.nodeid, 0U);
  EXPECT_EQ(parsed[1].name, "file");
  EXPECT_EQ(parsed[1].entry.nodeid, 77U);
  EXPECT_EQ(parsed[1].entry.attr.mode, 0100644U);
  EXPECT_EQ(parsed[1].entry.entry_valid, 3U);

  WireReply narrow;
  ASSERT_TRUE(encode(DirectoryListingPlus{entries}, room(200), narrow));
  EXPECT_EQ(narrow.entries_taken, 1U) << "only what fits is a lookup";
}

}  // namespace
}  // namespace dmmap::protocol
