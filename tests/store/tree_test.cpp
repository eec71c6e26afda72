// Names and inodes: what the man pages say, and what the check finds.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "servers/store/kv/numbers.h"
#include "store/page_model.h"
#include "store/tree_fixture.h"

namespace dmmap::store::testing {
namespace {

TEST(TreeTest, NamesAreBytes) {
  Store store;
  const std::string longest(kLongestName, 'x');
  EXPECT_TRUE(store.make(kRootFile, longest));
  EXPECT_EQ(code_of(store.make(kRootFile, longest + "x")), ENAMETOOLONG);
  EXPECT_EQ(code_of(store.rename(kRootFile, longest, kRootFile, longest + "x")), ENAMETOOLONG);
  const std::string bytes("\xff\xfe\x01\n\x80", 5);
  const auto made = store.make(kRootFile, bytes);
  ASSERT_TRUE(made);
  EXPECT_EQ(store.find(kRootFile, bytes), made->file);
  // One name is the beginning of the other, and of the next directory's key.
  EXPECT_TRUE(store.make(kRootFile, "a"));
  EXPECT_TRUE(store.make(kRootFile, "aa"));
  EXPECT_EQ(tree_damage(View(store.database())), "");
}

TEST(TreeTest, AListingGoesOnWhereItWas) {
  Store store;
  for (int each = 0; each < 10; ++each) {
    ASSERT_TRUE(store.make(kRootFile, "n" + std::to_string(each)));
  }
  const Directory root(kRootFile);
  const auto first = root.list(View(store.database()), 0, 4);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 4U);
  // What was seen goes, what wasn't stays, and what comes comes last, also under a name that was seen.
  ASSERT_TRUE(store.change([](Tree& tree) { return tree.unlink(kRootFile, "n3"); }));
  ASSERT_TRUE(store.change([](Tree& tree) { return tree.unlink(kRootFile, "n6"); }));
  ASSERT_TRUE(store.make(kRootFile, "n3"));
  const auto rest = root.list(View(store.database()), first->back().position, 100);
  ASSERT_TRUE(rest);
  std::string names;
  for (const Named& each : *rest) {
    names += each.name + " ";
  }
  EXPECT_EQ(names, "n4 n5 n7 n8 n9 n3 ");
}

TEST(TreeTest, TimesAreTheDirectorysToo) {
  Store store;
  const auto folder = store.make(kRootFile, "folder", kFolder);
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->born.tv_sec, 1002);
  EXPECT_EQ(folder->born.tv_nsec, 5);
  ASSERT_TRUE(store.make(folder->file, "file"));  // at 1003
  EXPECT_EQ(store.inode(folder->file).modified.tv_sec, 1003);
  EXPECT_EQ(store.inode(kRootFile).modified.tv_sec, 1002);
  ASSERT_TRUE(store.rename(folder->file, "file", kRootFile, "moved"));  // at 1004
  const auto moved = store.find(kRootFile, "moved");
  ASSERT_TRUE(moved);
  EXPECT_EQ(store.inode(*moved).changed.tv_sec, 1004);
  EXPECT_EQ(store.inode(*moved).modified.tv_sec, 1003);
  EXPECT_EQ(store.inode(folder->file).modified.tv_sec, 1004);
  EXPECT_EQ(store.inode(kRootFile).modified.tv_sec, 1004);
}

// inode(7): a directory with the set-group-ID bit hands its group on.
TEST(TreeTest, GroupsAreHandedOn) {
  Store store;
  const auto make = [&](FileId in, const char* name, std::uint32_t mode) {
    const auto made = store.change([&](Tree& tree) { return tree.make(in, name, {.mode = mode, .uid = 7, .gid = 8}); });
    EXPECT_TRUE(made);
    return made.value_or(Inode{});
  };
  const Inode plain = make(kRootFile, "plain", kFolder | S_ISGID);
  EXPECT_EQ(plain.gid, 8U);
  const auto set = store.change(
      [&](Tree& tree) { return tree.make(kRootFile, "set", {.mode = kFolder | S_ISGID, .uid = 7, .gid = 9}); });
  ASSERT_TRUE(set);
  const Inode folder = make(set->file, "folder", kFolder);
  EXPECT_EQ(folder.gid, 9U);
  EXPECT_EQ(folder.mode, kFolder | S_ISGID);
  const Inode file = make(set->file, "file", kFile);
  EXPECT_EQ(file.gid, 9U);
  EXPECT_EQ(file.mode, kFile);
}

TEST(TreeTest, AWhiteoutStaysWhereAFileWas) {
  Store store;
  const auto made = store.make(kRootFile, "a");
  ASSERT_TRUE(made);
  ASSERT_TRUE(store.rename(kRootFile, "a", kRootFile, "b", RENAME_WHITEOUT));
  EXPECT_EQ(store.find(kRootFile, "b"), made->file);
  const auto left = store.find(kRootFile, "a");
  ASSERT_TRUE(left);
  EXPECT_EQ(store.inode(*left).mode & S_IFMT, static_cast<std::uint32_t>(S_IFCHR));
  EXPECT_EQ(store.inode(*left).rdev, 0U);
  EXPECT_EQ(code_of(store.rename(kRootFile, "a", kRootFile, "b", 8)), EINVAL);
  EXPECT_EQ(tree_damage(View(store.database())), "");
}

TEST(TreeTest, WhoIsInARemovedDirectoryMakesNothing) {
  Store store;
  const auto folder = store.make(kRootFile, "folder", kFolder);
  const auto file = store.make(kRootFile, "file");
  ASSERT_TRUE(folder && file);
  ASSERT_TRUE(store.change([](Tree& tree) { return tree.rmdir(kRootFile, "folder"); }));
  EXPECT_EQ(code_of(store.make(folder->file, "late")), ENOENT);
  EXPECT_EQ(code_of(store.rename(kRootFile, "file", folder->file, "late")), ENOENT);
  EXPECT_EQ(code_of(store.change([&](Tree& tree) { return tree.link(file->file, folder->file, "late"); })), ENOENT);
  EXPECT_EQ(code_of(store.make(file->file, "late")), ENOTDIR);
  EXPECT_EQ(code_of(store.change([](Tree& tree) { return tree.make_root(0, 0); })), EEXIST);
}

// More runs of pages, and more attributes, than are removed at once: what is left is an orphan until the end.
TEST(TreeTest, AnOrphanGoesPieceByPiece) {
  Store store;
  const auto made = store.make(kRootFile, "file");
  const auto other = store.make(kRootFile, "other");
  ASSERT_TRUE(made && other);
  {
    Transaction transaction(store.database());
    const std::vector<std::byte> page(kStorePage, std::byte{1});
    Inode inode = *made;
    for (std::uint64_t each = 0; each < 2500; ++each) {
      const auto more = FilePages(made->file).write(transaction, 3 * each, page);
      ASSERT_TRUE(more);
      inode.pages += static_cast<std::uint64_t>(*more);
      transaction.put(Table::xattrs, encode({made->file.value}) + "user." + std::to_string(each), "value");
    }
    inode.size = 3 * 2500 * kStorePage;
    put_inode(transaction, inode);
    transaction.put(Table::xattrs, encode({other->file.value}) + "user.a", "value");
    ASSERT_TRUE(transaction.commit());
  }
  ASSERT_EQ(tree_damage(View(store.database())), "");
  EXPECT_EQ(code_of(remove_orphan(store.database(), made->file)), EBUSY);
  ASSERT_TRUE(store.change([](Tree& tree) { return tree.unlink(kRootFile, "file"); }));
  int steps = 1;
  for (auto more = remove_orphan(store.database(), made->file); more && more->more;
       more = remove_orphan(store.database(), made->file)) {
    EXPECT_EQ(tree_damage(View(store.database())), "");
    ++steps;
  }
  EXPECT_EQ(steps, 5);
  EXPECT_EQ(code_of(get_inode(View(store.database()), made->file)), ENOENT);
  EXPECT_EQ(tree_damage(View(store.database())), "");
  EXPECT_EQ(damage(View(store.database())), "");
  const auto kept = View(store.database()).get(Table::xattrs, encode({other->file.value}) + "user.a");
  EXPECT_TRUE(kept && *kept);
}

TEST(TreeTest, TheCheckFindsWhatIsWrong) {
  Store store;
  const auto folder = store.make(kRootFile, "folder", kFolder);
  const auto file = store.make(folder->file, "file");
  ASSERT_TRUE(folder && file);
  const std::uint64_t in = folder->file.value;
  const std::uint64_t it = file->file.value;
  const auto inode_with = [&](const auto& change) {
    return [=, &store](Transaction& transaction) {
      Inode inode = store.inode({it});
      change(inode);
      put_inode(transaction, inode);
    };
  };
  struct Wrong {
    std::function<void(Transaction&)> action;
    std::string complaint;
  };
  const std::vector<Wrong> wrongs{
      {inode_with([](Inode& inode) { inode.links = 2; }), "file 3 has 1 links, and says that it has 2"},
      {inode_with([](Inode& inode) { inode.pages = 2; }), "file 3 has 0 pages, and says that it has 2"},
      {[=](Transaction& transaction) {
         transaction.put(Table::lists, encode({it, 0}), encode({1, 1}));
       },
       "file 3 has pages beyond its size"},
      {inode_with([](Inode& inode) { inode.mode = kFolder; }), "is of file 3, which is of another type"},
      {[=](Transaction& transaction) { remove_inode(transaction, {it}); }, "is of file 3, which is missing"},
      {[=](Transaction& transaction) { remove_inode(transaction, {in}); }, "is in 2, which is no directory"},
      {[=](Transaction& transaction) { transaction.remove(Table::names, encode({in}) + "file"); },
       "file 3 has 0 names, and is no orphan"},
      {[=](Transaction& transaction) {
         transaction.remove(Table::places, encode({in, 1}));
       },
       "the name \"file\" in directory 2 isn't listed"},
      {[=](Transaction& transaction) {
         transaction.put(Table::places, encode({in, 9}), "file");
       },
       "directory 2 lists 2 names, and has 1"},
      {[=](Transaction& transaction) { transaction.put(Table::orphans, encode({it}), ""); },
       "file 3 has 1 names, and is an orphan"},
      {[=](Transaction& transaction) {
         transaction.put(Table::lists, encode({77, 0}), encode({1, 1}));
       },
       "an entry of the table of lists is none"},
      {[=](Transaction& transaction) { transaction.put(Table::xattrs, encode({77}) + "user.a", ""); },
       "an entry of the table of xattrs is none"},
      {[=](Transaction& transaction) { transaction.put(Table::inodes, encode({it}), "short"); },
       "an entry of the table of inodes is none"},
  };
  for (const Wrong& wrong : wrongs) {
    Transaction transaction(store.database());
    wrong.action(transaction);
    EXPECT_NE(tree_damage(transaction).find(wrong.complaint), std::string::npos) << wrong.complaint << "\nin\n"
                                                                                 << tree_damage(transaction);
  }
  // Two directories that are in each other, and in nothing else.
  Transaction transaction(store.database());
  Inode inode = store.inode({in});
  inode.parent = {in};
  put_inode(transaction, inode);
  EXPECT_NE(tree_damage(transaction).find("directory 2 isn't below the root"), std::string::npos);
}

}  // namespace
}  // namespace dmmap::store::testing
