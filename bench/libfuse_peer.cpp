// What paged_bench compares with: the same file, served from memory by libfuse, low-level and with several threads.
//
// What is asked of it: keep_cache, so that opens drop nothing; no question about names or attributes twice; answers
// go out of the memory itself, without a copy of their own, by writev(2) or (splice=1) by splice(2).
#define FUSE_USE_VERSION 312
#include <fmt/format.h>
#include <fuse_lowlevel.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/page_server.h"

namespace {

using dmmap::bench::Command;

constexpr fuse_ino_t kFile = 2;
constexpr double kForEver = 86400;
constexpr unsigned kLargest = 1U << 20U;

// The callbacks are C functions: what they need stands here. Pages are in a memfd, so that they can be spliced.
struct Server {
  dmmap::bench::ServerOptions options;
  int memfd = -1;
  std::byte* bytes = nullptr;
  std::vector<std::byte> data = std::vector<std::byte>(kLargest);  // what is written and read on command
  std::counting_semaphore<> retrieved{0};
};
Server server;

struct stat attributes_of(fuse_ino_t node) {
  struct stat attributes {};
  attributes.st_ino = node;
  attributes.st_mode = node == kFile ? S_IFREG | 0666 : S_IFDIR | 0755;
  attributes.st_nlink = node == kFile ? 1 : 2;
  attributes.st_size = node == kFile ? static_cast<off_t>(server.options.size) : 0;
  return attributes;
}

void init(void* /*data*/, fuse_conn_info* connection) {
  const auto want = [&](unsigned capability, bool wanted) {
    connection->want = wanted ? connection->want | (connection->capable & capability) : connection->want & ~capability;
  };
  want(FUSE_CAP_SPLICE_READ, server.options.splice);
  want(FUSE_CAP_SPLICE_WRITE, server.options.splice);
  want(FUSE_CAP_SPLICE_MOVE, server.options.splice);
  want(FUSE_CAP_WRITEBACK_CACHE, server.options.writeback_cache);
  want(FUSE_CAP_AUTO_INVAL_DATA, false);
  connection->max_write = kLargest;
  if (server.options.readahead) {
    connection->max_readahead = *server.options.readahead;
  }
}

void lookup(fuse_req_t request, fuse_ino_t /*parent*/, const char* name) {
  if (std::string_view(name) != "f") {
    fuse_reply_err(request, ENOENT);
    return;
  }
  fuse_entry_param entry{};
  entry.ino = kFile;
  entry.attr = attributes_of(kFile);
  entry.attr_timeout = kForEver;
  entry.entry_timeout = kForEver;
  fuse_reply_entry(request, &entry);
}

void getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info* /*file*/) {
  const struct stat attributes = attributes_of(node);
  fuse_reply_attr(request, &attributes, kForEver);
}

void setattr(fuse_req_t request, fuse_ino_t node, struct stat* /*wanted*/, int /*which*/, fuse_file_info* file) {
  getattr(request, node, file);
}

void open(fuse_req_t request, fuse_ino_t /*node*/, fuse_file_info* file) {
  file->keep_cache = 1;
  file->noflush = 1;
  fuse_reply_open(request, file);
}

std::size_t clipped(std::size_t size, off_t offset) {
  return std::min(size, server.options.size - std::min(server.options.size, static_cast<std::size_t>(offset)));
}

void read(fuse_req_t request, fuse_ino_t /*node*/, std::size_t size, off_t offset, fuse_file_info* /*file*/) {
  size = clipped(size, offset);
  if (!server.options.splice) {
    // NOLINTNEXTLINE(*-reinterpret-cast): libfuse's interface
    fuse_reply_buf(request, reinterpret_cast<const char*>(server.bytes + offset), size);
    return;
  }
  fuse_bufvec answer{};
  answer.count = 1;
  answer.buf[0].size = size;
  answer.buf[0].flags = static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
  answer.buf[0].fd = server.memfd;
  answer.buf[0].pos = offset;
  fuse_reply_data(request, &answer, FUSE_BUF_SPLICE_MOVE);
}

void write(fuse_req_t request, fuse_ino_t /*node*/, const char* data, std::size_t size, off_t offset,
           fuse_file_info* /*file*/) {
  std::memcpy(server.bytes + offset, data, clipped(size, offset));
  fuse_reply_write(request, size);
}

void fsync(fuse_req_t request, fuse_ino_t /*node*/, int /*data_only*/, fuse_file_info* /*file*/) {
  fuse_reply_err(request, 0);
}

void retrieve_reply(fuse_req_t request, void* /*cookie*/, fuse_ino_t /*node*/, off_t offset, fuse_bufvec* from) {
  fuse_bufvec to{};
  to.count = 1;
  to.buf[0].size = clipped(fuse_buf_size(from), offset);
  to.buf[0].mem = server.data.data();
  fuse_buf_copy(&to, from, static_cast<fuse_buf_copy_flags>(0));
  fuse_reply_none(request);
  server.retrieved.release();
}

int carry_out(fuse_session* session, const Command& command) {
  const auto offset = static_cast<off_t>(command.offset);
  const std::size_t size = std::min<std::size_t>(command.size, kLargest);
  switch (command.verb) {
    case Command::Verb::unmap:
      return -fuse_lowlevel_notify_inval_inode(session, kFile, offset, static_cast<off_t>(command.size));
    case Command::Verb::write: {
      std::memcpy(server.bytes + offset, server.data.data(), size);  // STORE keeps nothing for when the page is dropped
      fuse_bufvec bytes{};
      bytes.count = 1;
      bytes.buf[0].size = size;
      bytes.buf[0].mem = server.data.data();
      return -fuse_lowlevel_notify_store(session, kFile, offset, &bytes, static_cast<fuse_buf_copy_flags>(0));
    }
    case Command::Verb::read: {
      const int failed = -fuse_lowlevel_notify_retrieve(session, kFile, size, offset, nullptr);
      if (failed == 0) {
        server.retrieved.acquire();
      }
      return failed;
    }
  }
  return EINVAL;
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops all{};
  all.init = init;
  all.lookup = lookup;
  all.getattr = getattr;
  all.setattr = setattr;
  all.open = open;
  all.read = read;
  all.write = write;
  all.fsync = fsync;
  all.retrieve_reply = retrieve_reply;
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  server.options = dmmap::bench::parse_options(argc, argv);
  const std::size_t size = server.options.size;
  server.memfd = ::memfd_create("pages", MFD_CLOEXEC);
  if (::ftruncate(server.memfd, static_cast<off_t>(size)) != 0) {
    return 1;
  }
  void* const base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, server.memfd, 0);
  if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast)
    return 1;
  }
  server.bytes = static_cast<std::byte*>(base);
  std::memset(server.bytes, 0, size);
  dmmap::bench::number_pages({server.bytes, size});

  std::string program = "libfuse_peer";
  std::string dash_o = "-o";
  std::string mount_options = "allow_other,default_permissions,subtype=dmmap-bench";
  std::array<char*, 3> arguments{program.data(), dash_o.data(), mount_options.data()};
  fuse_args args = FUSE_ARGS_INIT(static_cast<int>(arguments.size()), arguments.data());
  const fuse_lowlevel_ops all = operations();
  fuse_session* const session = fuse_session_new(&args, &all, sizeof all, nullptr);
  if (session == nullptr || fuse_session_mount(session, server.options.mountpoint.c_str()) != 0) {
    fmt::print(stderr, "libfuse_peer: no mount\n");
    return 1;
  }
  std::thread commands([&] {
    dmmap::bench::serve_commands([&](const Command& command) { return carry_out(session, command); });
    fuse_session_exit(session);
    ::umount2(server.options.mountpoint.c_str(), MNT_DETACH);  // ends the reads of /dev/fuse
  });
  fuse_loop_config* const loop = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(loop, server.options.clone_fd ? 1U : 0U);
  if (server.options.threads > 0) {
    fuse_loop_cfg_set_max_threads(loop, server.options.threads);
  }
  if (server.options.threads == 1) {
    fuse_session_loop(session);
  } else {
    fuse_session_loop_mt(session, loop);
  }
  fuse_loop_cfg_destroy(loop);
  commands.join();
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return 0;
}
