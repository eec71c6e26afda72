#include "transport/dev_cuse.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

#include "protocol/abi.h"
#include "protocol/abi_mmap.h"
#include "protocol/flags.h"
#include "protocol/opcode.h"

namespace dmmap::transport {

namespace {

using protocol::InHeader;
using protocol::Opcode;

constexpr std::size_t kLongestName = 63;

// Of what comes for a device's open file (fs/fuse/cuse.c: all with node 0). Others have no node at all.
bool names_device(Opcode opcode) {
  constexpr std::array kOpcodes{Opcode::open,  Opcode::read,  Opcode::write, Opcode::release, Opcode::flush,
                                Opcode::fsync, Opcode::ioctl, Opcode::poll,  Opcode::mmap,    Opcode::munmap};
  return std::find(kOpcodes.begin(), kOpcodes.end(), opcode) != kOpcodes.end();
}

template <class T>
T struct_at(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

Result<std::unique_ptr<DevCuse>> DevCuse::open(Device device) {
  const bool plain = std::all_of(device.name.begin(), device.name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
  if (device.name.empty() || device.name.size() > kLongestName || !plain || device.name.front() == '.') {
    return fail(EINVAL, fmt::format("'{}' can't be a device's name: letters, digits, '_', '-' and '.', up to {}",
                                    device.name, kLongestName));
  }
  // The kernel would make the device all the same, without a node in /dev.
  struct stat there {};
  if (::lstat(("/dev/" + device.name).c_str(), &there) == 0) {
    return fail(EEXIST, fmt::format("/dev/{} is there already: choose another name, or remove it", device.name));
  }
  UniqueFd fd(::open("/dev/cuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    const int code = errno;
    return fail_errno(code, code == ENOENT || code == ENODEV
                                ? "/dev/cuse: this kernel has no CUSE, or 'modprobe cuse' brings it"
                                : "/dev/cuse: whoever makes a device has to be let in");
  }
  auto inner = DevFuse::create(std::move(fd));
  if (!inner) {
    return tl::unexpected(inner.error());
  }
  return std::unique_ptr<DevCuse>(new DevCuse(std::move(device), std::move(*inner)));
}

Result<std::size_t> DevCuse::receive(std::span<std::byte> buffer) {
  auto size = inner_->receive(buffer);
  if (!size || *size < sizeof(InHeader)) {
    return size;
  }
  auto header = struct_at<InHeader>(buffer.data());
  const auto opcode = static_cast<Opcode>(header.opcode);
  if (opcode == Opcode::cuse_init) {
    return translate_init(buffer);
  }
  if (header.nodeid == 0 && names_device(opcode)) {
    header.nodeid = device_.node.value;
    std::memcpy(buffer.data(), &header, sizeof header);
  }
  return size;
}

std::size_t DevCuse::translate_init(std::span<std::byte> buffer) {
  auto header = struct_at<InHeader>(buffer.data());
  const auto asked = struct_at<protocol::CuseInitIn>(buffer.data() + sizeof header);
  init_.store(header.unique);
  // With mmap requests come backing files and nodes. Nothing else that INIT speaks of is for devices.
  const bool mmap = (asked.flags & protocol::kCuseInitMmapRequests) != 0;
  const std::uint64_t flags =
      protocol::init_flag::kInitExt |
      (mmap ? protocol::init_flag::kPassthrough | protocol::kInitMmapRequests : std::uint64_t{0});
  protocol::InitIn init{};
  init.major = asked.major;
  init.minor = asked.minor;
  init.max_readahead = asked.max_readahead;
  init.flags = static_cast<std::uint32_t>(flags);
  init.flags2 = static_cast<std::uint32_t>(flags >> 32U);
  header.opcode = static_cast<std::uint32_t>(Opcode::init);
  header.len = sizeof header + sizeof init;
  std::memcpy(buffer.data(), &header, sizeof header);
  std::memcpy(buffer.data() + sizeof header, &init, sizeof init);
  return header.len;
}

Result<void> DevCuse::reply(RequestId request, std::span<const iovec> message) {
  std::uint64_t init = request.value;
  if (init != 0 && init_.compare_exchange_strong(init, 0)) {
    return answer_init(request, message);
  }
  return inner_->reply(request, message);
}

Result<void> DevCuse::answer_init(RequestId request, std::span<const iovec> message) {
  std::vector<std::byte> bytes;
  for (const iovec& part : message) {
    const auto* const begin = static_cast<const std::byte*>(part.iov_base);
    bytes.insert(bytes.end(), begin, begin + part.iov_len);
  }
  if (bytes.size() < sizeof(protocol::OutHeader) + sizeof(protocol::InitOut)) {
    return inner_->reply(request, message);  // an error
  }
  auto header = struct_at<protocol::OutHeader>(bytes.data());
  const auto agreed = struct_at<protocol::InitOut>(bytes.data() + sizeof header);
  const std::uint64_t flags = agreed.flags | std::uint64_t{agreed.flags2} << 32U;
  protocol::CuseInitOut out{};
  out.major = agreed.major;
  out.minor = agreed.minor;
  out.flags = (flags & protocol::kInitMmapRequests) != 0 ? protocol::kCuseInitMmapRequests : 0;
  out.max_readahead = out.flags != 0 ? agreed.max_readahead : 0;
  out.max_read = agreed.max_write;
  out.max_write = agreed.max_write;
  out.dev_major = device_.major;
  out.dev_minor = device_.minor;
  std::string info = "DEVNAME=" + device_.name;
  info.push_back('\0');
  header.len = static_cast<std::uint32_t>(sizeof header + sizeof out + info.size());
  const std::array<iovec, 3> parts{{{&header, sizeof header}, {&out, sizeof out}, {info.data(), info.size()}}};
  auto sent = inner_->reply(request, parts);
  // The device is made before that returns, and if it can't be the connection is given up (cuse_process_init_reply).
  return sent && !inner_->connected() ? fail(ENODEV, "the kernel has made no device") : sent;
}

}  // namespace dmmap::transport
