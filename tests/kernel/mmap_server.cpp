#include "kernel/mmap_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "protocol/flags.h"

namespace dmmap::testing {

using protocol::InHeader;
using protocol::Opcode;

namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::uint32_t kMaxWrite = 128 * 1024;

template <class T>
T read_as(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof(T));
  return value;
}

}  // namespace

MmapServer::MmapServer(Options options, MmapPolicy policy)
    : options_(options), stop_(::eventfd(0, EFD_CLOEXEC)), policy_(std::move(policy)) {
  if (options_.kind == Kind::fuse) {
    start_fuse();
  } else {
    start_cuse();
  }
  if (!trouble_.empty()) {
    return;
  }
  thread_ = std::thread([this] { serve(); });
  std::unique_lock<std::mutex> lock(lock_);
  if (!changed_.wait_for(lock, kPatience, [this] { return ready_; })) {
    trouble_ = "the kernel hasn't said INIT";
  }
}

void MmapServer::start_fuse() {
  device_.reset(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  const std::string options = fmt::format("fd={},rootmode=40755,user_id=0,group_id=0,allow_other", device_.get());
  if (::mount("mmap_server", directory_.path().c_str(), "fuse.dmmap-test", 0, options.c_str()) != 0) {
    trouble_ = fmt::format("mounting: {}", std::strerror(errno));
    return;
  }
  mounted_ = true;
}

void MmapServer::start_cuse() {
  static std::atomic<int> number{0};
  name_ = fmt::format("dmmap_test_{}_{}", ::getpid(), number++);
  device_.reset(::open("/dev/cuse", O_RDWR | O_CLOEXEC));
  if (!device_) {
    trouble_ = fmt::format("/dev/cuse: {}", std::strerror(errno));
  }
}

MmapServer::~MmapServer() {
  end();
  if (mounted_) {
    ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
}

void MmapServer::end() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof(one));
    thread_.join();
  }
  device_.reset();
}

std::string MmapServer::path(std::uint64_t nodeid) const {
  return options_.kind == Kind::cuse ? "/dev/" + name_ : (directory_ / fmt::format("node{}", nodeid)).string();
}

std::int32_t MmapServer::open_backing(int memory) const {
  protocol::BackingMap map{};
  map.fd = memory;
  const int id = ::ioctl(device_.get(), protocol::kDevIocBackingOpen, &map);
  return id < 0 ? -errno : id;
}

int MmapServer::close_backing(std::int32_t backing) const {
  return ::ioctl(device_.get(), protocol::kDevIocBackingClose, &backing) < 0 ? errno : 0;
}

int MmapServer::nodes(unsigned long argument) const {
  const int fd = ::ioctl(device_.get(), protocol::kDevIocNodes, argument);
  return fd < 0 ? -errno : fd;
}

int MmapServer::open_node(std::uint64_t nodeid, int flags) const {
  const UniqueFd root(options_.kind == Kind::cuse ? nodes() : ::open(directory_.path().c_str(), O_PATH | O_CLOEXEC));
  if (root.get() < 0) {
    return root.get();
  }
  const int fd = ::openat(root.get(), fmt::format("node{}", nodeid).c_str(), flags | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int MmapServer::make_known(std::uint64_t nodeid) const {
  const int fd = open_node(nodeid, O_PATH);
  if (fd < 0) {
    return -fd;
  }
  ::close(fd);
  return 0;
}

int MmapServer::answer(std::uint64_t unique, int error, const void* body, std::size_t size) const {
  protocol::OutHeader header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + size);
  header.error = -error;
  header.unique = unique;
  const std::array<iovec, 2> parts{{{&header, sizeof(header)}, {const_cast<void*>(body), size}}};
  return ::writev(device_.get(), parts.data(), parts.size()) < 0 ? errno : 0;
}

int MmapServer::answer_page(std::uint64_t unique, const PageAnswer& said) const {
  const protocol::PageOut fixed{said.pageid};
  std::vector<std::byte> out(sizeof(fixed) + said.bytes.size());
  std::memcpy(out.data(), &fixed, sizeof(fixed));
  std::copy(said.bytes.begin(), said.bytes.end(), out.begin() + sizeof(fixed));
  return answer(unique, said.error, out.data(), said.error == 0 ? out.size() : 0);
}

int MmapServer::notify(protocol::Notice code, const void* body, std::size_t size, const void* more,
                       std::size_t more_size) const {
  protocol::OutHeader header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + size + more_size);
  header.error = static_cast<std::int32_t>(code);
  const std::array<iovec, 3> parts{
      {{&header, sizeof(header)}, {const_cast<void*>(body), size}, {const_cast<void*>(more), more_size}}};
  return ::writev(device_.get(), parts.data(), parts.size()) < 0 ? errno : 0;
}

std::vector<Asked> MmapServer::asked() const {
  const std::lock_guard<std::mutex> lock(lock_);
  return asked_;
}

std::size_t MmapServer::count_locked(Opcode opcode) const {
  return static_cast<std::size_t>(
      std::count_if(asked_.begin(), asked_.end(), [opcode](const Asked& one) { return one.opcode == opcode; }));
}

std::size_t MmapServer::count(Opcode opcode) const {
  const std::lock_guard<std::mutex> lock(lock_);
  return count_locked(opcode);
}

bool MmapServer::wait_for(Opcode opcode, std::size_t how_many) const {
  std::unique_lock<std::mutex> lock(lock_);
  return changed_.wait_for(lock, kPatience, [&] { return count_locked(opcode) >= how_many; });
}

std::optional<protocol::MmapIn> MmapServer::last_mmap() const {
  const std::lock_guard<std::mutex> lock(lock_);
  return last_mmap_;
}

std::map<std::uint64_t, std::vector<std::byte>> MmapServer::written(std::uint64_t nodeid) const {
  const std::lock_guard<std::mutex> lock(lock_);
  const auto found = written_.find(nodeid);
  return found == written_.end() ? std::map<std::uint64_t, std::vector<std::byte>>{} : found->second;
}

std::optional<std::vector<std::byte>> MmapServer::wait_for_reply(std::uint64_t unique) const {
  std::unique_lock<std::mutex> lock(lock_);
  if (!changed_.wait_for(lock, kPatience, [&] { return replies_.count(unique) != 0; })) {
    return std::nullopt;
  }
  return replies_.at(unique);
}

void MmapServer::set_page_policy(PagePolicy policy) {
  const std::lock_guard<std::mutex> lock(lock_);
  page_policy_ = std::move(policy);
}

void MmapServer::set_policy(MmapPolicy policy) {
  const std::lock_guard<std::mutex> lock(lock_);
  policy_ = std::move(policy);
}

void MmapServer::serve() {
  std::vector<std::byte> buffer(kMaxWrite + 8192);
  while (true) {
    std::array<pollfd, 2> waited{{{device_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    if (::poll(waited.data(), waited.size(), -1) < 0) {
      continue;
    }
    if (waited[1].revents != 0) {
      return;
    }
    const ssize_t size = ::read(device_.get(), buffer.data(), buffer.size());
    if (size < 0 && (errno == ENODEV || errno == ECONNABORTED)) {
      return;
    }
    if (size >= static_cast<ssize_t>(sizeof(InHeader))) {
      handle(buffer.data(), static_cast<std::size_t>(size));
    }
  }
}

protocol::Attr MmapServer::attributes(std::uint64_t nodeid) const {
  protocol::Attr attr{};
  attr.ino = nodeid;
  attr.mode = nodeid == 1 ? S_IFDIR | 0755 : S_IFREG | 0666;
  attr.nlink = 1;
  attr.size = nodeid == 1 ? 0 : kNodeSize;
  attr.blksize = kPage;
  return attr;
}

void MmapServer::handle(const std::byte* message, std::size_t size) {
  const auto header = read_as<InHeader>(message);
  const std::byte* const body = message + sizeof(InHeader);
  const auto opcode = static_cast<Opcode>(header.opcode);
  Asked now{opcode, header.nodeid, 0, 0, 0, 0, header.unique, header.pid};
  const auto keep = [&] {
    const std::lock_guard<std::mutex> lock(lock_);
    asked_.push_back(now);
    changed_.notify_all();
  };
  if (silent_) {
    keep();
    return;
  }
  switch (header.opcode) {
    case static_cast<std::uint32_t>(Opcode::init): {
      const auto in = read_as<protocol::InitIn>(body);
      const std::uint64_t offered = in.flags | std::uint64_t{in.flags2} << 32U;
      offered_ = (offered & protocol::kInitMmapRequests) != 0;
      protocol::InitOut out{};
      const std::uint64_t flags = protocol::init_flag::kInitExt | protocol::init_flag::kPassthrough |
                                  (options_.want_requests ? protocol::kInitMmapRequests & offered : 0);
      out.major = protocol::kAbiMajor;
      out.minor = in.minor;
      out.max_readahead = std::min(in.max_readahead, options_.max_readahead);
      out.flags = static_cast<std::uint32_t>(flags);
      out.flags2 = static_cast<std::uint32_t>(flags >> 32U);
      out.max_write = kMaxWrite;
      out.max_stack_depth = 1;
      answer(header.unique, 0, &out, sizeof(out));
      const std::lock_guard<std::mutex> lock(lock_);
      ready_ = true;
      changed_.notify_all();
      return;
    }
    case static_cast<std::uint32_t>(Opcode::cuse_init): {
      const auto in = read_as<protocol::CuseInitIn>(body);
      offered_ = (in.flags & protocol::kCuseInitMmapRequests) != 0;
      const std::string info = "DEVNAME=" + name_;
      std::vector<std::byte> out(sizeof(protocol::CuseInitOut) + info.size() + 1);
      protocol::CuseInitOut fixed{};
      fixed.major = protocol::kAbiMajor;
      fixed.minor = in.minor;
      fixed.flags = options_.want_requests ? in.flags & protocol::kCuseInitMmapRequests : 0;
      fixed.max_readahead = std::min(in.max_readahead, options_.max_readahead);
      fixed.max_read = kMaxWrite;
      fixed.max_write = kMaxWrite;
      std::memcpy(out.data(), &fixed, sizeof(fixed));
      std::memcpy(out.data() + sizeof(fixed), info.c_str(), info.size() + 1);
      answer(header.unique, 0, out.data(), out.size());
      const std::lock_guard<std::mutex> lock(lock_);
      ready_ = true;
      changed_.notify_all();
      return;
    }
    case static_cast<std::uint32_t>(Opcode::lookup): {
      const std::string name(reinterpret_cast<const char*>(body));
      std::uint64_t node = 0;
      if (name.rfind("node", 0) == 0) {
        std::from_chars(name.data() + 4, name.data() + name.size(), node);
      }
      protocol::EntryOut out{};
      out.nodeid = node;
      out.attr = attributes(node);
      out.attr_valid = 1000;
      out.entry_valid = 1000;
      answer(header.unique, node == 0 ? ENOENT : 0, &out, node == 0 ? 0 : sizeof(out));
      return;
    }
    case static_cast<std::uint32_t>(Opcode::getattr):
    case static_cast<std::uint32_t>(Opcode::setattr): {
      protocol::AttrOut out{};
      out.attr = attributes(header.nodeid);
      out.attr_valid = 1000;
      answer(header.unique, 0, &out, sizeof(out));
      return;
    }
    case static_cast<std::uint32_t>(Opcode::open): {
      protocol::OpenOut out{};
      out.fh = now.fh = next_fh_++;
      const bool of_device = options_.kind == Kind::cuse && header.nodeid == 0;
      out.open_flags = options_.kind == Kind::fuse || of_device
                           ? options_.open_flags
                           : protocol::fopen_flag::kKeepCache | protocol::fopen_flag::kNoflush;
      keep();
      answer(header.unique, 0, &out, sizeof(out));
      return;
    }
    case static_cast<std::uint32_t>(Opcode::read): {
      const auto in = read_as<protocol::ReadIn>(body);
      now.fh = in.fh;
      now.offset = in.offset;
      now.size = in.size;
      keep();
      handle_read(header, in);
      return;
    }
    case static_cast<std::uint32_t>(Opcode::write): {
      const auto in = read_as<protocol::WriteIn>(body);
      now.fh = in.fh;
      now.offset = in.offset;
      now.size = in.size;
      keep();
      const std::byte* const bytes = body + sizeof(in);
      {
        const std::lock_guard<std::mutex> lock(lock_);
        for (std::uint64_t at = 0; at < in.size; at += kPage) {
          const std::uint64_t end = std::min<std::uint64_t>(in.size, at + kPage);
          written_[header.nodeid][(in.offset + at) / kPage] = {bytes + at, bytes + end};
        }
      }
      protocol::WriteOut out{};
      out.size = in.size;
      answer(header.unique, 0, &out, sizeof(out));
      return;
    }
    case static_cast<std::uint32_t>(Opcode::mmap):
      if (size >= sizeof(InHeader) + sizeof(protocol::MmapIn)) {
        const auto in = read_as<protocol::MmapIn>(body);
        now.fh = in.fh;
        now.offset = in.offset;
        now.size = in.length;
        keep();
        handle_mmap(header, in);
      }
      return;
    case static_cast<std::uint32_t>(Opcode::page): {
      const auto in = read_as<protocol::PageIn>(body);
      now.fh = in.fh;
      now.mapid = in.mapid;
      now.offset = in.offset;
      now.size = in.page_flags;
      keep();
      handle_page(header, in);
      return;
    }
    case static_cast<std::uint32_t>(Opcode::notify_reply): {
      const std::byte* const bytes = body + sizeof(protocol::RetrieveIn);
      const std::lock_guard<std::mutex> lock(lock_);
      replies_[header.unique] = {bytes, message + size};
      changed_.notify_all();
      return;
    }
    case static_cast<std::uint32_t>(Opcode::munmap): {
      const auto in = read_as<protocol::MunmapIn>(body);
      now.fh = in.fh;
      now.mapid = in.mapid;
      keep();
      answer(header.unique, 0, nullptr, 0);
      return;
    }
    case static_cast<std::uint32_t>(Opcode::interrupt):
      now.mapid = read_as<protocol::InterruptIn>(body).unique;
      keep();
      return;
    case static_cast<std::uint32_t>(Opcode::release):
    case static_cast<std::uint32_t>(Opcode::fsync):
    case static_cast<std::uint32_t>(Opcode::flush):
      now.fh = read_as<std::uint64_t>(body);
      keep();
      answer(header.unique, 0, nullptr, 0);
      return;
    case static_cast<std::uint32_t>(Opcode::forget):
      now.size = read_as<std::uint64_t>(body);
      keep();
      return;
    case static_cast<std::uint32_t>(Opcode::batch_forget): {
      const auto many = read_as<protocol::BatchForgetIn>(body);
      for (std::uint32_t i = 0; i < many.count; ++i) {
        const auto one = read_as<protocol::ForgetOne>(body + sizeof(many) + i * sizeof(protocol::ForgetOne));
        now.opcode = Opcode::forget;
        now.nodeid = one.nodeid;
        now.size = one.nlookup;
        keep();
      }
      return;
    }
    default:
      keep();
      answer(header.unique, ENOSYS, nullptr, 0);
  }
}

void MmapServer::handle_mmap(const InHeader& header, const protocol::MmapIn& in) {
  MmapPolicy policy;
  {
    const std::lock_guard<std::mutex> lock(lock_);
    last_mmap_ = in;
    policy = policy_;
  }
  const MmapAnswer said = policy(in);
  if (!said.now) {
    return;
  }
  std::array<std::byte, 2 * sizeof(protocol::MmapOut)> out{};
  std::memcpy(out.data(), &said.out, sizeof(said.out));
  answer(header.unique, said.error, out.data(), said.error == 0 ? said.size : 0);
}

void MmapServer::handle_page(const InHeader& header, const protocol::PageIn& in) {
  PagePolicy policy;
  {
    const std::lock_guard<std::mutex> lock(lock_);
    policy = page_policy_;
  }
  PageAnswer said;
  said.error = EIO;
  if (policy) {
    said = policy(in);
  }
  if (said.now) {
    answer_page(header.unique, said);
  }
}

void MmapServer::handle_read(const InHeader& header, const protocol::ReadIn& in) {
  std::vector<std::byte> out;
  {
    const std::lock_guard<std::mutex> lock(lock_);
    for (std::uint64_t at = in.offset; at < std::min<std::uint64_t>(in.offset + in.size, kNodeSize); at += kPage) {
      auto& pages = written_[header.nodeid];
      const auto page = pages.find(at / kPage);
      if (page != pages.end()) {
        out.insert(out.end(), page->second.begin(), page->second.end());
      } else {
        out.insert(out.end(), kPage, static_cast<std::byte>(header.nodeid * 16 + at / kPage));
      }
    }
  }
  answer(header.unique, 0, out.data(), std::min<std::size_t>(out.size(), in.size));
}

}  // namespace dmmap::testing
