// MmapServer: a server of the wire's own bytes for the kernel part's tests, on /dev/fuse or /dev/cuse.
//
// Promises: answers each MMAP as the test says, keeps what was asked in order, and what it's asked for nodes. Nothing
// of dmmap's library is in it but the definitions of the wire, so that what's tested is the kernel. Names in the mount:
// "node5" is node 5, a file of kNodeSize bytes; any number from 2 to 99. Page p of node n is filled with n * 16 + p.
// Opens get fh 1, 2, ... On CUSE the device is /dev/NAME; nodes are cached there, and open_node() opens them. Clients
// are processes of their own (client_process.h): while a client waits for its mmap its address space is locked, so it
// mustn't be the server's.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "protocol/abi.h"
#include "protocol/abi_mmap.h"
#include "protocol/opcode.h"
#include "support/temporary_directory.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kNodeSize = 16 * kPage;

/// One request, as far as tests look at it.
struct Asked {
  protocol::Opcode opcode{};
  std::uint64_t nodeid = 0;
  std::uint64_t fh = 0;
  std::uint64_t mapid = 0;  // of MUNMAP; of INTERRUPT the unique it's for
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // of FORGET: how many lookups
  std::uint64_t unique = 0;
  std::uint32_t pid = 0;
};
inline constexpr auto kMmap = protocol::Opcode::mmap;
inline constexpr auto kPageAsked = protocol::Opcode::page;
inline constexpr auto kMunmap = protocol::Opcode::munmap;

/// What an MMAP is answered.
struct MmapAnswer {
  int error = 0;  ///< errno(3), or the out below
  protocol::MmapOut out{};
  std::size_t size = sizeof(protocol::MmapOut);  ///< that many bytes of it, or of zeros beyond
  bool now = true;                               ///< false: not at all, until answer() is called
};
/// What a PAGE is answered.
struct PageAnswer {
  int error = 0;
  std::uint64_t pageid = 0;
  std::vector<std::byte> bytes;
  bool now = true;  ///< as MmapAnswer's
};
using PagePolicy = std::function<PageAnswer(const protocol::PageIn& in)>;
using MmapPolicy = std::function<MmapAnswer(const protocol::MmapIn& in)>;

class MmapServer {
 public:
  enum class Kind { fuse, cuse };
  struct Options {
    Kind kind = Kind::fuse;
    std::uint32_t open_flags = protocol::kOpenMmap | 1U;  ///< with FOPEN_DIRECT_IO
    bool want_requests = true;                            ///< the flag of INIT
    std::uint32_t max_readahead = ~0U;                    ///< bytes; as much as the kernel likes
  };

  MmapServer(Options options, MmapPolicy policy);
  MmapServer(const MmapServer&) = delete;
  MmapServer& operator=(const MmapServer&) = delete;
  /// Ends it as end() does, and unmounts.
  ~MmapServer();

  /// Why it couldn't start, or "".
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  /// What to open: of a node, or the device.
  [[nodiscard]] std::string path(std::uint64_t nodeid = 5) const;
  /// Whether the kernel offers to ask for each mmap.
  [[nodiscard]] bool offered() const { return offered_; }

  /// Errors: the negative errno.
  [[nodiscard]] std::int32_t open_backing(int memory) const;
  int close_backing(std::int32_t backing) const;
  /// Writes a reply. 0, or the errno(3) that the kernel says to it.
  int answer(std::uint64_t unique, int error, const void* body, std::size_t size) const;
  /// On CUSE: the descriptor of the directory with the connection's nodes. Errors: the negative errno.
  [[nodiscard]] int nodes(unsigned long argument = 0) const;
  /// Opens a node by its name, in the mount or among the device's. Not from a thread that serves. Errors: the negative
  /// errno.
  [[nodiscard]] int open_node(std::uint64_t nodeid, int flags) const;
  /// Has the kernel look a node up, which it then knows for as long as the server lives. 0, or errno(3).
  [[nodiscard]] int make_known(std::uint64_t nodeid) const;
  int answer_page(std::uint64_t unique, const PageAnswer& said) const;
  int notify(protocol::Notice code, const void* body, std::size_t size, const void* more = nullptr,
             std::size_t more_size = 0) const;

  [[nodiscard]] std::vector<Asked> asked() const;
  [[nodiscard]] std::size_t count(protocol::Opcode opcode) const;
  /// Waits until there were so many; false when that takes more than ten seconds.
  [[nodiscard]] bool wait_for(protocol::Opcode opcode, std::size_t how_many) const;
  [[nodiscard]] std::optional<protocol::MmapIn> last_mmap() const;
  /// What was last written to a page of a node, if anything was.
  [[nodiscard]] std::map<std::uint64_t, std::vector<std::byte>> written(std::uint64_t nodeid) const;

  /// What NOTIFY_REPLY has brought with this unique; nothing when that takes more than ten seconds.
  [[nodiscard]] std::optional<std::vector<std::byte>> wait_for_reply(std::uint64_t unique) const;

  void set_policy(MmapPolicy policy);
  void set_page_policy(PagePolicy policy);
  /// From now on what is asked is noted, and not answered.
  void fall_silent() { silent_ = true; }
  /// What the device is called, below /dev and /sys/class/cuse.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// As if it had been killed: the descriptor is closed, and nothing is answered any more.
  void end();

 private:
  [[nodiscard]] std::size_t count_locked(protocol::Opcode opcode) const;
  void start_fuse();
  void start_cuse();
  void serve();
  void handle(const std::byte* message, std::size_t size);
  void handle_mmap(const protocol::InHeader& header, const protocol::MmapIn& in);
  void handle_page(const protocol::InHeader& header, const protocol::PageIn& in);
  void handle_read(const protocol::InHeader& header, const protocol::ReadIn& in);
  [[nodiscard]] protocol::Attr attributes(std::uint64_t nodeid) const;

  const Options options_;
  std::string trouble_;
  std::string name_;  // of the device
  TemporaryDirectory directory_;
  bool mounted_ = false;
  std::atomic<bool> offered_{false};
  std::atomic<bool> silent_{false};
  UniqueFd device_;
  UniqueFd stop_;
  mutable std::mutex lock_;
  mutable std::condition_variable changed_;
  MmapPolicy policy_;
  PagePolicy page_policy_;
  std::map<std::uint64_t, std::vector<std::byte>> replies_;
  std::vector<Asked> asked_;
  std::optional<protocol::MmapIn> last_mmap_;
  std::map<std::uint64_t, std::map<std::uint64_t, std::vector<std::byte>>> written_;
  std::uint64_t next_fh_ = 1;
  bool ready_ = false;
  std::thread thread_;
};

}  // namespace dmmap::testing
