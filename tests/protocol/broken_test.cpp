// Broken requests: refused or understood, and never read past their end.
//
// Every message is placed right before memory that can't be read (guarded.h).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "protocol/opcode.h"
#include "tests/protocol/decode_everything.h"
#include "tests/protocol/guarded.h"

namespace dmmap::protocol {
namespace {

struct File {
  std::string name;
  std::vector<std::byte> bytes;
  [[nodiscard]] bool valid() const { return name.starts_with("valid-"); }
};

std::vector<File> corpus() {
  std::vector<File> all;
  for (const auto& entry : std::filesystem::directory_iterator(DMMAP_CORPUS)) {
    std::ifstream in(entry.path(), std::ios::binary);
    File file{entry.path().filename(), std::vector<std::byte>(entry.file_size())};
    in.read(reinterpret_cast<char*>(file.bytes.data()), static_cast<std::streamsize>(file.bytes.size()));
    all.push_back(std::move(file));
  }
  std::sort(all.begin(), all.end(), [](const File& a, const File& b) { return a.name < b.name; });
  return all;
}

template <class R>
int code_of(const Envelope& envelope) {
  const auto request = decode<R>(envelope, {.setxattr_ext = true});
  return request ? 0 : request.error().code;
}

struct Own {
  Opcode opcode;
  int (*decode)(const Envelope&);
};

constexpr std::array kOwn{
    Own{Opcode::lookup, code_of<LookupRequest>},
    Own{Opcode::forget, code_of<ForgetRequest>},
    Own{Opcode::getattr, code_of<GetattrRequest>},
    Own{Opcode::setattr, code_of<SetattrRequest>},
    Own{Opcode::readlink, code_of<ReadlinkRequest>},
    Own{Opcode::symlink, code_of<SymlinkRequest>},
    Own{Opcode::mknod, code_of<MknodRequest>},
    Own{Opcode::mkdir, code_of<MkdirRequest>},
    Own{Opcode::unlink, code_of<UnlinkRequest>},
    Own{Opcode::rmdir, code_of<RmdirRequest>},
    Own{Opcode::rename, code_of<RenameRequest>},
    Own{Opcode::link, code_of<LinkRequest>},
    Own{Opcode::open, code_of<OpenRequest>},
    Own{Opcode::read, code_of<ReadRequest>},
    Own{Opcode::write, code_of<WriteRequest>},
    Own{Opcode::statfs, code_of<StatfsRequest>},
    Own{Opcode::release, code_of<ReleaseRequest>},
    Own{Opcode::fsync, code_of<FsyncRequest>},
    Own{Opcode::setxattr, code_of<SetxattrRequest>},
    Own{Opcode::getxattr, code_of<GetxattrRequest>},
    Own{Opcode::listxattr, code_of<ListxattrRequest>},
    Own{Opcode::removexattr, code_of<RemovexattrRequest>},
    Own{Opcode::flush, code_of<FlushRequest>},
    Own{Opcode::init, code_of<InitRequest>},
    Own{Opcode::opendir, code_of<OpendirRequest>},
    Own{Opcode::readdir, code_of<ReaddirRequest>},
    Own{Opcode::releasedir, code_of<ReleasedirRequest>},
    Own{Opcode::fsyncdir, code_of<FsyncdirRequest>},
    Own{Opcode::getlk, code_of<GetlkRequest>},
    Own{Opcode::setlk, code_of<SetlkRequest>},
    Own{Opcode::setlkw, code_of<SetlkwRequest>},
    Own{Opcode::access, code_of<AccessRequest>},
    Own{Opcode::create, code_of<CreateRequest>},
    Own{Opcode::interrupt, code_of<InterruptRequest>},
    Own{Opcode::bmap, code_of<BmapRequest>},
    Own{Opcode::destroy, code_of<DestroyRequest>},
    Own{Opcode::ioctl, code_of<IoctlRequest>},
    Own{Opcode::poll, code_of<PollRequest>},
    Own{Opcode::notify_reply, code_of<NotifyReplyRequest>},
    Own{Opcode::batch_forget, code_of<ForgetRequest>},
    Own{Opcode::fallocate, code_of<FallocateRequest>},
    Own{Opcode::readdirplus, code_of<ReaddirplusRequest>},
    Own{Opcode::rename2, code_of<RenameRequest>},
    Own{Opcode::lseek, code_of<LseekRequest>},
    Own{Opcode::copy_file_range, code_of<CopyFileRangeRequest>},
    Own{Opcode::setupmapping, code_of<SetupmappingRequest>},
    Own{Opcode::removemapping, code_of<RemovemappingRequest>},
    Own{Opcode::syncfs, code_of<SyncfsRequest>},
    Own{Opcode::tmpfile, code_of<TmpfileRequest>},
    Own{Opcode::statx, code_of<StatxRequest>},
    Own{Opcode::copy_file_range_64, code_of<CopyFileRangeRequest>},
    Own{Opcode::cuse_init, code_of<CuseInitRequest>},
};

/// 0 when `message` is a good request of its own opcode, else the error's code.
int verdict(std::span<const std::byte> message) {
  const auto envelope = open_envelope(message);
  if (!envelope) {
    return envelope.error().code;
  }
  const auto* own = std::find_if(kOwn.begin(), kOwn.end(), [&](const Own& each) {
    return static_cast<std::uint32_t>(each.opcode) == envelope->opcode;
  });
  return own == kOwn.end() ? ENOSYS : own->decode(*envelope);
}

void set_length(std::span<std::byte> message) {
  const auto length = static_cast<std::uint32_t>(message.size());
  std::memcpy(message.data(), &length, std::min(message.size(), sizeof length));
}

TEST(Corpus, ValidIsTakenAndBrokenRefused) {
  Guarded memory;
  const auto files = corpus();
  ASSERT_GT(files.size(), 80U);
  for (const File& file : files) {
    const auto message = memory.place(file.bytes);
    EXPECT_EQ(verdict(message), file.valid() ? 0 : EPROTO) << file.name;
    decode_everything(message);
  }
}

TEST(Corpus, HasEveryOpcode) {
  const auto files = corpus();
  for (const Own& own : kOwn) {
    EXPECT_TRUE(std::any_of(files.begin(), files.end(), [&own](const File& file) {
      const auto envelope = open_envelope(file.bytes);
      return file.valid() && envelope && envelope->opcode == static_cast<std::uint32_t>(own.opcode);
    })) << static_cast<std::uint32_t>(own.opcode);
  }
}

TEST(Corpus, CutAtEveryLength) {
  Guarded memory;
  for (const File& file : corpus()) {
    for (std::size_t length = 0; length < file.bytes.size(); ++length) {
      const auto message = memory.place(std::span(file.bytes).first(length));
      if (file.valid()) {
        EXPECT_EQ(verdict(message), EPROTO) << file.name << " cut to " << length;
      }
      set_length(message);  // so that the decoders see it too
      decode_everything(message);
    }
  }
}

// The same numbers on every run: a failure here can be repeated.
TEST(Corpus, MutatedAtRandom) {
  std::mt19937 random(20091127);  // NOLINT(cert-msc51-cpp)
  const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  constexpr std::array<std::byte, 6> kNasty{std::byte{0},    std::byte{0xff}, std::byte{0x7f},
                                            std::byte{0x80}, std::byte{'/'},  std::byte{1}};
  Guarded memory;
  std::vector<File> files = corpus();
  std::erase_if(files, [](const File& file) { return file.bytes.size() < 40 || file.bytes.size() > 1024; });
  std::size_t understood = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes = files.at(below(files.size())).bytes;
    const auto& other = files.at(below(files.size())).bytes;
    if (below(4) == 0) {  // another's body, or a part of it
      bytes.resize(40);
      bytes.insert(bytes.end(), other.begin() + 40,
                   other.end() - static_cast<std::ptrdiff_t>(below(other.size() - 39)));
    }
    for (std::size_t i = below(6); i > 0; --i) {
      bytes.at(below(bytes.size())) =
          below(2) == 0 ? kNasty.at(below(kNasty.size())) : static_cast<std::byte>(below(256));
    }
    if (below(4) == 0) {
      bytes.resize(40 + below(bytes.size() - 39));
    }
    const auto message = memory.place(bytes);
    if (below(8) != 0) {
      set_length(message);
    }
    understood += decode_everything(message) != 0 ? 1U : 0U;
  }
  EXPECT_GT(understood, 1000U) << "mutations that are all refused test nothing";
}

}  // namespace
}  // namespace dmmap::protocol
