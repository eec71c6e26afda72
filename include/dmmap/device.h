// DeviceFilesystem: a directory of named devices; each open of one is a stream of its own.
//
// Promises: every open() of a device gets an inode of its own, and so can map memory of its own, while stat(2) shows
// one inode number for each device; a file that shows one region to all (add_file()) is one inode. A stream's calls
// stop before its destructor runs; it's destroyed after RELEASE, when no Reply is held. Thread safety: different
// streams, and calls of one stream, can be called from several threads at a time when the session has more than one
// thread; with one thread they come one by one.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/paged_region.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace dmmap {

/// One open device. Override what the device has; the defaults are those of a file that only has its mapped memory.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream();

  /// What do this stream's mappings show? Asked at open (not for O_WRONLY), and at each mmap(2) of a program that
  /// `dmmap run` started; `request.moment` says which. The default refuses.
  virtual Result<Grant> map(const MapRequest& request);
  /// The last mapping of what was granted at mmap(2) is gone (MappedFilesystem::unmapped). The default does nothing.
  virtual void unmapped(const MapRequest& request, const Grant& grant);
  /// The defaults answer from the granted region, at the offset asked for.
  virtual void read(const ReadRequest& request, Reply<Data> reply);
  virtual void write(const WriteRequest& request, Reply<Written> reply);
  /// The default answers ENOTTY.
  virtual void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply);
  /// The events of poll(2) that are true now. The default: always readable and writable.
  virtual std::uint32_t poll(std::uint32_t events);
  /// One close(2) of perhaps many; close(2) returns when it's answered. The default answers at once.
  virtual void flush(const FlushRequest& request, Reply<Done> reply);
  /// fsync(2). The default answers at once.
  virtual void fsync(const FsyncRequest& request, Reply<Done> reply);
  /// The last close, and the end of every mapping that was granted at mmap(2). Mappings granted at open may live on.
  virtual void released();

 protected:
  /// What poll() answers has changed: waiting clients are woken and ask again. From any thread.
  void wake_pollers();
  /// What was granted to this stream, or null.
  [[nodiscard]] std::shared_ptr<Region> granted() const;

 private:
  friend class DeviceFilesystem;
  class State;
  std::unique_ptr<State> state_;
};

/// A character device's number (makedev(3)).
struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

/// How a device looks in its directory.
struct DeviceOptions {
  std::string name;
  std::uint32_t mode = 0666;  ///< permissions
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< st_size in bytes; must cover what may be mapped, since some programs look
  bool own_io = false;     ///< read(2) and write(2) are the streams' own, not those of what is mapped
  /// What kind of device programs are told that it is, where they ask in a way that can be answered so: stat(2) and
  /// fstat(2) of programs that `dmmap run` started. {14, 3} is /dev/dsp (Documentation/admin-guide/devices.txt).
  std::optional<DeviceNumber> character_device;
  bool seekable = true;  ///< O_WRONLY opens of one that isn't have no file position, so that write never waits for read
};

/// Makes the stream of one open: `request.flags` and `request.caller` say how and by whom.
/// Errors become open(2)'s errno.
using OpenStream = std::function<Result<std::shared_ptr<Stream>>(const OpenRequest& request)>;

class DeviceFilesystem : public MappedFilesystem {
 public:
  DeviceFilesystem();
  ~DeviceFilesystem() override;

  /// Adds a device. Before or after mounting.
  /// Errors: EINVAL for an empty name, ".", "..", one with '/', or longer than 255 bytes; EEXIST.
  Result<void> add(DeviceOptions options, OpenStream open);

  /// Adds a file whose contents are `region`: all who open it map, read and write the same bytes. Its size is the
  /// region's, whatever `options` says; a PagedRegion's can be truncated up to its max_size.
  Result<void> add_file(DeviceOptions options, std::shared_ptr<Region> region);

  /// A node of the device of this name, as looking it up gives; nothing when there's none. For Session::device().
  [[nodiscard]] std::optional<NodeId> node_of(std::string_view name);

  /// st_ino of the device of this name, as programs see it; nothing when there's none.
  [[nodiscard]] std::optional<std::uint64_t> inode_of(std::string_view name);

  /// Streams that are open now.
  [[nodiscard]] std::size_t open_streams() const;

  Result<OpenedFile> open_file(const OpenRequest& request) override;
  Result<Grant> map(const MapRequest& request) override;
  void unmapped(const MapRequest& request, const Grant& grant) override;
  void released(const ReleaseRequest& request) override;
  void mounted(Connection& connection) override;
  void lookup(const LookupRequest& request, Reply<Entry> reply) override;
  void getattr(const GetattrRequest& request, Reply<AttributesReply> reply) override;
  void setattr(const SetattrRequest& request, Reply<AttributesReply> reply) override;
  void read_file(const ReadRequest& request, Reply<Data> reply) override;
  void write_file(const WriteRequest& request, Reply<Written> reply) override;
  void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override;
  void poll(const PollRequest& request, Reply<PollReady> reply) override;
  void flush(const FlushRequest& request, Reply<Done> reply) override;
  void fsync(const FsyncRequest& request, Reply<Done> reply) override;
  void getxattr(const GetxattrRequest& request, Reply<Xattr> reply) override;
  void opendir(const OpendirRequest& request, Reply<Opened> reply) override;
  void readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply) override;
  void releasedir(const ReleasedirRequest& request, Reply<Done> reply) override;
  void statfs(const StatfsRequest& request, Reply<FilesystemStatus> reply) override;

 private:
  class Devices;
  std::unique_ptr<Devices> devices_;
};

}  // namespace dmmap
