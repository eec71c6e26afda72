// Region: a run of pages that a server names, and that clients' mappings show.
//
// Promises: read, write and discard work the same on every kind of region, from any thread, while clients use the same
// pages. A store by either side is seen by the other; in a SharedRegion a store of an aligned word of up to 8 bytes is
// never seen in part. Clients share this memory and may change it at any moment: read a value once and check what you
// read. No call here ever raises a signal in the server.
#pragma once

#include <dmmap/error.h>
#include <dmmap/ids.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace dmmap {

/// The running system's page size, in bytes (sysconf(3), _SC_PAGESIZE).
[[nodiscard]] std::uint64_t page_size();

/// A run of pages. Thread safety: every call, from any thread.
class Region {
 public:
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  virtual ~Region() = default;

  [[nodiscard]] virtual RegionId id() const = 0;
  /// In bytes. A SharedRegion's is a multiple of page_size() and never changes.
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual const std::string& name() const = 0;

  /// Copies the bytes from `offset` on into `to`.
  /// Errors: ERANGE when the range doesn't lie within the region.
  [[nodiscard]] virtual Result<void> read(std::uint64_t offset, std::span<std::byte> to) const = 0;

  /// Copies `from` to `offset`; every mapping of those pages shows it at once.
  /// Errors: ERANGE when the range doesn't lie within the region.
  [[nodiscard]] virtual Result<void> write(std::uint64_t offset, std::span<const std::byte> from) = 0;

  /// The contents of these pages are gone, their memory is given back, and the next touch, by anyone, is a fresh page
  /// of zeros. Clients' private copies (MAP_PRIVATE, already written) stay theirs.
  /// Errors: ERANGE when the range doesn't lie within the region.
  [[nodiscard]] virtual Result<void> discard(PageRange pages) = 0;

  /// Takes the pages away from all clients, for good: a touch of a mapping that exists gets SIGBUS, and so does one of
  /// a mapping made later through a handle that is open. The server's own calls go on to work, on the contents as they
  /// were. A store that races with revoke may be lost. Revoking twice is harmless.
  [[nodiscard]] virtual Result<void> revoke() = 0;

  /// Whether any client has the region open or mapped. Exact, also after fork and SIGKILL; what a client has closed and
  /// unmapped may count until the kernel has finished tearing it down.
  [[nodiscard]] virtual bool in_use() const = 0;

  /// `callback` is called, from a thread of the library, each time that the last open and the last mapping of the
  /// region have gone, after it had been granted. Replaces the callback set before. It may call anything of the
  /// library, and may drop the last reference to the region.
  virtual void on_idle(std::function<void()> callback) = 0;

 protected:
  Region() = default;
};

/// How to make a SharedRegion.
struct SharedRegionOptions {
  RegionId id;              ///< chosen by the server, unique in the process
  std::uint64_t size = 0;   ///< bytes; rounded up to whole pages; 1 to 2^62
  std::string name;         ///< as /proc/PID/maps and /proc/PID/fd show it, "memfd:NAME"; at most 249 bytes
  bool huge_pages = false;  ///< ask for transparent huge pages; needs shmem_enabled=advise (see huge_pages_active())
};

/// A Region whose pages are memory (a memfd, memfd_create(2)) that the server has mapped too, so that a store by
/// either side is seen by the other at memory speed. Clients reach it by FUSE passthrough (fs/fuse/passthrough.c,
/// Linux 6.9), which maps the memfd's own pages. Starts as zeros; memory is taken page by page as it is touched.
class SharedRegion final : public Region {
 public:
  /// Errors: EINVAL for a size of 0, one that is too large, or a name that is too long; ENOMEM, EMFILE and ENFILE from
  /// the system.
  [[nodiscard]] static Result<std::shared_ptr<SharedRegion>> create(const SharedRegionOptions& options);
  ~SharedRegion() override;

  [[nodiscard]] RegionId id() const override;
  [[nodiscard]] std::uint64_t size() const override;
  [[nodiscard]] const std::string& name() const override;
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> to) const override;
  [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> from) override;
  [[nodiscard]] Result<void> discard(PageRange pages) override;
  [[nodiscard]] Result<void> revoke() override;
  [[nodiscard]] bool in_use() const override;
  void on_idle(std::function<void()> callback) override;

  /// The server's own mapping, valid as long as the region, also after revoke(). The bytes are shared with clients: to
  /// the language they are volatile; prefer read() and write().
  [[nodiscard]] std::span<std::byte> bytes() const;

  /// Bytes of the region that have memory behind them now (st_blocks).
  [[nodiscard]] std::uint64_t resident_bytes() const;

  /// Whether the system's settings let this region have transparent huge pages
  /// (/sys/kernel/mm/transparent_hugepage/shmem_enabled is "always", "within_size", "advise" or "force").
  [[nodiscard]] bool huge_pages_active() const;

  class Impl;
  /// For the layers that carry out grants.
  [[nodiscard]] Impl& impl() const { return *impl_; }

 private:
  explicit SharedRegion(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace dmmap
