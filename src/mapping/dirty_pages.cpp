#include <dmmap/dirty_pages.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "mapping/own_files.h"
#include "mapping/writeback.h"
#include "session/interceptor.h"
#include "session/serving.h"

namespace dmmap {

namespace {

// For reading: the kernel writes through any open for writing that there is, and there is one as long as it has dirty
// pages (fs/fuse/file.c, fuse_write_file_get).
constexpr int kAccess = O_RDONLY;

std::string writing_back(NodeId node) {
  return fmt::format("writing node {} back", node.value);
}

}  // namespace

class DirtyPages::Requests final : public session::Interceptor {
 public:
  explicit Requests(Filesystem& filesystem) : filesystem_(filesystem) {}

  using Interceptor::take;

  mapping::OwnFiles& files() { return files_; }

  bool take(const LookupRequest& request, Reply<Entry>& reply) override {
    const auto node = files_.looked_up(request);
    if (!node) {
      return false;
    }
    GetattrRequest question;
    static_cast<Request&>(question) = static_cast<const Request&>(request);
    question.node = *node;
    filesystem_.getattr(question, session::answer_with_attributes_of(*node, std::move(reply)));
    return true;
  }
  bool take(const OpenRequest& request, Reply<Opened>& reply) override {
    if (!files_.opened(request)) {
      return false;
    }
    Opened answer;
    answer.handle = files_.handle();
    answer.keep_cache = true;
    reply.ok(answer);
    return true;
  }
  bool take(const FsyncRequest& request, Reply<Done>& reply) override { return done(request.handle, reply); }
  bool take(const FlushRequest& request, Reply<Done>& reply) override { return done(request.handle, reply); }
  bool take(const ReleaseRequest& request, Reply<Done>& reply) override { return done(request.handle, reply); }

 private:
  bool done(HandleId handle, Reply<Done>& reply) const {
    if (handle != files_.handle()) {
      return false;
    }
    reply.ok({});
    return true;
  }

  Filesystem& filesystem_;
  mapping::OwnFiles files_;
};

DirtyPages::DirtyPages(Filesystem& filesystem) : requests_(std::make_unique<Requests>(filesystem)) {}

DirtyPages::~DirtyPages() = default;

void DirtyPages::mounted(Connection& connection) {
  requests_->files().mounted(connection);
}

void DirtyPages::unmounted() {
  requests_->files().unmounted();
}

void DirtyPages::write_back(NodeId node, const std::function<void(Result<void>)>& then) {
  const session::WhileWaiting waiting;
  if (!waiting.may_wait()) {
    then(fail(EDEADLK, "too many requests wait for others of this mount"));
    return;
  }
  {
    const mapping::OwnFiles::Use connection(requests_->files());
    if (connection && !mapping::writeback_waits(connection->capabilities())) {
      then(fail(EOPNOTSUPP, "before Linux 6.16 nothing tells when pages have been brought"));
      return;
    }
  }
  const auto file = requests_->files().open(node, kAccess);
  if (!file) {
    then(tl::unexpected(file.error()));
    return;
  }
  // Not fsync(2), which takes the inode's lock (fs/fuse/file.c, fuse_fsync): whoever waits for `then` may hold it.
  const bool synced = mapping::sync_range(file->get(), 0, 0);
  then(synced ? Result<void>() : fail_errno(errno, writing_back(node)));
  // The file is closed after that: close(2) takes the lock too.
}

Result<void> DirtyPages::write_back(NodeId node) {
  const auto file = requests_->files().open(node, kAccess);
  if (!file) {
    return tl::unexpected(file.error());
  }
  return ::fsync(file->get()) == 0 ? Result<void>() : fail_errno(errno, writing_back(node));
}

session::Interceptor& DirtyPages::interceptor() {
  return *requests_;
}

}  // namespace dmmap
