// Snapshots of trees: what is in them, what they share, and what an end in the middle leaves.
#include "servers/store/tree/snapshot.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "servers/store/content/content.h"
#include "servers/store/pages/page_check.h"
#include "servers/store/tree/xattrs.h"
#include "store/churn.h"
#include "store/tree_fixture.h"

namespace dmmap::store::testing {
namespace {

constexpr timespec kNow{5000, 0};

// Everything below a directory: path -> what it is.
using Listing = std::map<std::string, std::string>;

class SnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tree_ = store_.make(kRootFile, "tree", kFolder)->file;
    const FileId deep = store_.make(tree_, "deep", kFolder)->file;
    const FileId deeper = store_.make(deep, "deeper", kFolder)->file;
    store_.make(deep, "empty", kFolder);
    const FileId file = store_.make(deeper, "file")->file;
    write(file, 0, std::string(10000, 'f'));
    write(file, 100000, "end");
    ASSERT_TRUE(store_.change([&](Tree& tree) { return tree.link(file, tree_, "another name"); }));
    ASSERT_TRUE(store_.change(
        [&](Tree& tree) { return tree.make(deep, "link", {.mode = S_IFLNK | 0777U, .target = "../nowhere"}); }));
    Transaction transaction(store_.database());
    ASSERT_TRUE(Xattrs(file).set(transaction, "user.a", "value", 0));
    ASSERT_TRUE(transaction.commit());
    for (unsigned each = 0; each < 1300; ++each) {
      const auto made = store_.make(tree_, fmt::format("n{}", each));
      if (each % 10 == 0) {
        write(made->file, 4096, fmt::format("{}", each));
      }
    }
  }

  void write(FileId file, std::uint64_t offset, const std::string& text) {
    Transaction transaction(store_.database());
    auto inode = get_inode(transaction, file);
    ASSERT_TRUE(inode);
    ASSERT_TRUE(Content(*inode).write(transaction, offset, std::as_bytes(std::span(text))));
    put_inode(transaction, *inode);
    ASSERT_TRUE(transaction.commit());
  }

  std::string read(const Inode& inode) {
    Inode copy = inode;
    std::string bytes(inode.size, '\0');
    EXPECT_TRUE(Content(copy).read(View(store_.database()), 0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }

  Listing listing(FileId directory) {
    Listing all;
    const View view(store_.database());
    std::vector<std::pair<FileId, std::string>> open{{directory, ""}};
    while (!open.empty()) {
      const auto [at, path] = open.back();
      open.pop_back();
      const auto entries = Directory(at).list(view, 0, 100000);
      EXPECT_TRUE(entries);
      for (const Named& entry : *entries) {
        const Inode inode = store_.inode(entry.file);
        const std::string name = path + "/" + entry.name;
        all[name] = fmt::format("{:o} {}:{} links {} size {} modified {} to '{}' attributes '{}' pages {} of {}",
                                inode.mode, inode.uid, inode.gid, inode.links, inode.size, inode.modified.tv_sec,
                                inode.target, *Xattrs(entry.file).list(view), inode.pages,
                                inode.is_directory() ? 0 : std::hash<std::string>{}(read(inode)));
        if (inode.is_directory()) {
          open.emplace_back(entry.file, name);
        }
      }
    }
    return all;
  }

  PageCounts pages() {
    std::string complaints;
    const auto counts =
        check_pages(View(store_.database()), [&](const std::string& text) { complaints += text + "\n"; });
    EXPECT_TRUE(counts);
    EXPECT_EQ(complaints, "");
    return counts.value_or(PageCounts{});
  }
  std::string damage() { return tree_damage(View(store_.database())); }

  Store store_;
  FileId tree_;
};

TEST_F(SnapshotTest, HasAllAndSharesIt) {
  const Listing before = listing(tree_);
  const PageCounts counts = pages();
  Snapshot snapshot(store_.database(), tree_, kNow);
  ASSERT_TRUE(snapshot.build());
  EXPECT_EQ(damage(), "") << "a store is sound with a snapshot that has no name yet";
  EXPECT_EQ(code_of(snapshot.name_it(kRootFile, "tree")), EEXIST);
  const auto named = snapshot.name_it(kRootFile, "copy");
  ASSERT_TRUE(named);
  EXPECT_EQ(snapshot.copy(), FileId{});
  EXPECT_EQ(store_.find(kRootFile, "copy"), named->file);
  EXPECT_TRUE(listing(named->file) == before);
  EXPECT_EQ(damage(), "");
  EXPECT_EQ(pages().pages, counts.pages);
  EXPECT_EQ(pages().shared, counts.pages);
  EXPECT_EQ(pages().shown, 2 * counts.shown);
  // Either goes its own way from there.
  write(*store_.find(named->file, "another name"), 5000, "changed");
  EXPECT_TRUE(listing(tree_) == before);
  EXPECT_EQ(read(store_.inode(*store_.find(named->file, "another name"))).substr(4999, 9), "fchangedf");
}

TEST_F(SnapshotTest, OfItselfInItself) {
  const Listing before = listing(tree_);
  Snapshot snapshot(store_.database(), tree_, kNow);
  ASSERT_TRUE(snapshot.build());
  const auto named = snapshot.name_it(tree_, "copy");
  ASSERT_TRUE(named);
  EXPECT_TRUE(listing(named->file) == before);
  EXPECT_EQ(damage(), "");
}

TEST_F(SnapshotTest, OfWhatIsSharedAlready) {
  const PageCounts counts = pages();
  for (const char* const name : {"copy", "copy of both", "copy of four"}) {
    Snapshot snapshot(store_.database(), kRootFile, kNow);
    ASSERT_TRUE(snapshot.build());
    ASSERT_TRUE(snapshot.name_it(kRootFile, name));
  }
  EXPECT_EQ(damage(), "");
  EXPECT_EQ(pages().pages, counts.pages);
  EXPECT_EQ(pages().shown, 8 * counts.shown);
  EXPECT_TRUE(listing(*store_.find(*store_.find(kRootFile, "copy of four"), "tree")) == listing(tree_));
}

TEST_F(SnapshotTest, OfAFile) {
  const FileId file = *store_.find(tree_, "another name");
  Snapshot snapshot(store_.database(), file, kNow);
  ASSERT_TRUE(snapshot.build());
  const auto named = snapshot.name_it(kRootFile, "copy");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->links, 1U);
  EXPECT_EQ(read(*named), read(store_.inode(file)));
  EXPECT_EQ(damage(), "");
}

TEST_F(SnapshotTest, ThatGetsNoNameGoesWholly) {
  const PageCounts counts = pages();
  {
    Snapshot snapshot(store_.database(), tree_, kNow);
    ASSERT_TRUE(snapshot.build());
    EXPECT_NE(snapshot.copy(), FileId{});
  }
  ASSERT_TRUE(settle(store_.database()));
  EXPECT_EQ(damage(), "");
  EXPECT_EQ(pages().shared, 0U);
  EXPECT_EQ(pages().shown, counts.shown);
}

TEST_F(SnapshotTest, OfNothing) {
  EXPECT_EQ(code_of(Snapshot(store_.database(), FileId{12345678}, kNow).build()), ENOENT);
}

}  // namespace
}  // namespace dmmap::store::testing
