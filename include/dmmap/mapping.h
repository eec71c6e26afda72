// Who may map what: the request that a server is asked, and its answer.
//
// Promises: one request, one answer. The server's code is the same however and whenever the client's kernel can ask;
// what this tier can't tell is at its default.
#pragma once

#include <dmmap/error.h>
#include <dmmap/filesystem.h>
#include <dmmap/region.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dmmap {

/// When the server is asked. Stock kernels ask at open(), once for the whole file; a program that `dmmap run` started
/// asks at each mmap(2) as well (docs/per-mmap.md), and a kernel with kernel/patches for every program: see MmapRequest
/// for what mustn't be waited for then.
enum class MapMoment { open, mmap };

/// May this client map that file?
struct MapRequest {
  Caller caller;
  NodeId node;
  HandleId handle;
  MapMoment moment = MapMoment::open;
  std::uint64_t offset = 0;             ///< bytes, of whole pages; 0 at open
  std::optional<std::uint64_t> length;  ///< bytes, rounded up to whole pages; absent at open: the whole file
  bool read = true;    ///< at open: may be mapped PROT_READ; at mmap: asks for it, for PROT_EXEC, or for neither
  bool write = false;  ///< at open: may be mapped PROT_WRITE and MAP_SHARED; at mmap: asks for both
  std::optional<bool> shared;           ///< MAP_SHARED or MAP_PRIVATE; absent at open: either may come
  int prot = 0;                         ///< mmap(2)'s, as it came; 0 at open
  int flags = 0;                        ///< mmap(2)'s, as it came, of which a kernel tells MAP_SHARED or MAP_PRIVATE
                                        ///< alone; 0 at open
  std::uint32_t process = 0;            ///< the caller's process id (caller.pid is a thread's); 0 at open
  std::shared_ptr<Region> node_region;  ///< what other opens of this very inode have now, or null. At open, an inode
                                        ///< has one region at a time: granting another one is refused with EBUSY
};

/// A run of whole pages of one region: the pages {region, offset / page_size()} and on.
struct Piece {
  std::shared_ptr<Region> region;
  std::uint64_t offset = 0;  ///< bytes into the region
  std::uint64_t length = 0;  ///< bytes
};

/// The answer: these pages, from there on.
struct Grant {
  std::shared_ptr<Region> region;
  std::uint64_t offset = 0;  ///< bytes into the region, of whole pages; 0 at open; where the file is the region, the
                             ///< request's offset
  bool inherit = true;       ///< whether a child has the mapping after fork(2); can't be refused at open
  bool may_grow = true;      ///< whether mremap(2) may make it longer; can't be refused at open
  /// Whether mprotect(2) may make writable what wasn't asked for as such, where the handle is open for writing; can't
  /// be refused at open.
  bool may_become_writable = false;
  /// In place of `region` and `offset`: what the mapping shows, piece after piece, of the request's length together; at
  /// most 40. The same page may come twice. Only at mmap, of a program that asks itself.
  std::vector<Piece> pieces{};
};

/// What one client has of a region, as it was granted; a child that inherited it isn't named.
struct Holding {
  MapMoment moment = MapMoment::open;
  std::uint32_t process = 0;  ///< who opened or mapped; 0 from another pid namespace
  NodeId node;                ///< the inode that its mappings show
  std::uint64_t offset = 0;   ///< bytes into the region
  std::uint64_t length = 0;   ///< bytes; 0 at open: as much as it likes
  bool write = false;         ///< may be mapped PROT_WRITE and MAP_SHARED
  int prot = 0;               ///< as asked for at mmap; 0 at open
  Tier tier = Tier::open;     ///< who asked
};

/// One region that clients hold.
struct RegionUse {
  std::shared_ptr<Region> region;
  std::vector<Holding> holdings;
};

/// What a server says when it lets a file be opened through a MappedFilesystem.
struct OpenedFile {
  HandleId handle;      ///< unique among the open handles of the file system; below kFirstLibraryId
  bool stream = false;  ///< no file position (FOPEN_STREAM) where the open gets no backing, with which that can't go
  bool own_io = false;  ///< read(2) and write(2) are the server's own, not those of what is mapped
};

/// A Filesystem that says at each open what the file's mappings show. On this kernel's best tier the library carries
/// the grant out: for a SharedRegion by FUSE passthrough, with the backing kept until RELEASE; for a PagedRegion by the
/// inode's page cache.
///
/// read(2) and write(2) see the same bytes as the mappings: of a SharedRegion by read_file() and write_file(), whose
/// defaults answer from it, of a PagedRegion by the page cache. With OpenedFile::own_io they are the server's own,
/// whatever is mapped, and always come to read_file() and write_file(); a PagedRegion can be mapped then where the
/// mount has Feature::direct_io_allow_mmap (SessionOptions).
///
/// A refused map lets the open succeed; mmap(MAP_SHARED) then fails with ENODEV, whatever error was given, since that
/// is all this tier can say, and a touch of a MAP_PRIVATE mapping gets SIGBUS. A grant that can't be carried out (the
/// mount lacks passthrough) does the same and is logged once. O_WRONLY handles can't be mapped (mmap(2), EACCES): map()
/// is asked for them only where what it grants answers write(2). To let clients map for reading only, refuse O_RDWR in
/// open_file().
///
/// Asked at mmap(2) as well (MapMoment::mmap), the library makes a file for each grant, which the client's side maps
/// and holds until its last piece is unmapped, and so tells the end. There a refusal is mmap(2)'s errno; what can be
/// reached is the whole of the regions granted, by those who were granted them. What can't be granted fails, with a
/// line in the log: EIO for a grant without a region, or with pieces that aren't whole pages or don't add up; ENXIO
/// where it ends beyond a SharedRegion; ESTALE for one that was revoked; EBUSY for a PagedRegion of another mount;
/// EOPNOTSUPP for a PagedRegion of a device whose kernel doesn't let its server reach the pages.
///
/// A PagedRegion is one node's: granting it to another at open fails with EBUSY. A second open of one inode (by a bind
/// mount, /proc/self/fd or an O_PATH descriptor; linux/fuse.h knows one backing an inode) is granted the same region or
/// fails with EBUSY.
///
/// Thread safety: as Filesystem; the calls below come from any thread of the session, several at a time.
class MappedFilesystem : public Filesystem {
 public:
  MappedFilesystem();
  ~MappedFilesystem() override;

  /// May this file be opened? The handle is yours to choose; released() ends it, exactly once, also when the open
  /// failed after this answer.
  virtual Result<OpenedFile> open_file(const OpenRequest& request) = 0;

  /// What do this file's mappings show? The default refuses.
  virtual Result<Grant> map(const MapRequest& request);

  /// The handle is closed for good, and so is every mapping that was granted at mmap(2). One that was granted at open
  /// may live on: Region::in_use and on_idle tell.
  virtual void released(const ReleaseRequest& request);

  /// The last mapping of what was granted at mmap(2), in answer to `request`, is gone: by munmap, exec, exit or a
  /// signal, with all parts, and with all children that had inherited it. Called once a grant, also for one that the
  /// client never came to map. A program that closes descriptors behind its C library's back ends it early:
  /// Region::in_use still knows. The default does nothing.
  virtual void unmapped(const MapRequest& request, const Grant& grant);

  /// Answer from the granted region; EBADF without one. A read past the end is short, a write past the end ENOSPC.
  virtual void read_file(const ReadRequest& request, Reply<Data> reply);
  virtual void write_file(const WriteRequest& request, Reply<Written> reply);

  /// The region that a handle was granted, or null.
  [[nodiscard]] std::shared_ptr<Region> granted(HandleId handle) const;

  /// The regions that are granted now, and to whom. Regions without an open file or a mapping aren't among them.
  [[nodiscard]] std::vector<RegionUse> regions() const;

  /// Whether the kernel caches pages of a PagedRegion as this node of this mount: until it has forgotten the node, the
  /// region's size changes by way of the kernel only.
  [[nodiscard]] bool shows_paged(NodeId node) const;

  /// Asked after what the kernel held and the region had kept has been written back. The defaults succeed.
  void fsync(const FsyncRequest& request, Reply<Done> reply) override;
  void flush(const FlushRequest& request, Reply<Done> reply) override;
  /// What was granted has data up to its end, and a hole there (lseek(2), SEEK_DATA, SEEK_HOLE); ENXIO otherwise. Not
  /// ENOSYS, which the kernel would take for the whole mount's answer: PagedRegion::unmap uses the request itself.
  void lseek(const LseekRequest& request, Reply<Seeked> reply) override;
  /// There's none (ENODATA). Not ENOSYS, for the same reason: the library has attributes of its own.
  void getxattr(const GetxattrRequest& request, Reply<Xattr> reply) override;

  void mounted(Connection& connection) override;
  /// Calls released() for every handle that is still open.
  void unmounted() override;
  void open(const OpenRequest& request, Reply<Opened> reply) final;
  void release(const ReleaseRequest& request, Reply<Done> reply) final;
  void read(const ReadRequest& request, Reply<Data> reply) final;
  void write(const WriteRequest& request, Reply<Written> reply) final;
  [[nodiscard]] std::span<session::Interceptor* const> interceptors() final;

  // For the library's own layers.
  class Grants;
  struct Asked;
  struct CarriedOut;

 private:
  Result<Opened> carry_out(const OpenRequest& request, const OpenedFile& file);
  std::unique_ptr<Grants> grants_;
};

}  // namespace dmmap
