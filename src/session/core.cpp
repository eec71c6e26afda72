#include "session/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "protocol/abi.h"
#include "protocol/encode.h"
#include "protocol/opcode.h"
#include "protocol/print.h"
#include "session/completion.h"
#include "session/connection_impl.h"
#include "session/interceptor.h"
#include "session/negotiate.h"
#include "session/opcode_table.h"
#include "session/out_message.h"
#include "session/pending_request.h"
#include "session/serving.h"
#include "transport/thread.h"

namespace dmmap::session {

namespace {

// fs/fuse/dev.c refuses to read into less than the largest write and its headers.
constexpr std::size_t kHeaderRoom = 4096;
// Those that wait in calls of regions, from handlers, included.
constexpr std::size_t kMostThreads = 256;

}  // namespace

Core::Core(Filesystem& filesystem, SessionOptions options, std::unique_ptr<transport::Transport> transport)
    : filesystem_(filesystem),
      options_(std::move(options)),
      transport_(std::move(transport)),
      trace_(options_.trace),
      buffers_(options_.max_write + kHeaderRoom),
      connection_(std::make_unique<ConnectionImpl>(*this)) {}

Core::~Core() = default;

Result<void> Core::begin() {
  while (true) {
    Buffer buffer = buffers_.take();
    const auto size = transport_->receive(buffer.span());
    if (!size) {
      return tl::unexpected(size.error());
    }
    if (*size == 0) {
      return fail(ENOTCONN, "the file system was unmounted before it was ready");
    }
    const auto envelope = protocol::open_envelope(buffer.span().first(*size));
    if (!envelope) {
      return tl::unexpected(envelope.error());
    }
    const auto pending = std::make_shared<detail::PendingRequest>(shared_from_this(), buffer, *size);
    pending->identify(envelope->unique, {.opcode = envelope->opcode, .size = 0});
    if (envelope->opcode != static_cast<std::uint32_t>(protocol::Opcode::init)) {
      pending->fail(EIO);  // nothing else may come before INIT
      continue;
    }
    const auto again = protocol::open_envelope(pending->message());
    const auto offer = protocol::decode<InitRequest>(*again, dialect_);
    if (!offer) {
      pending->fail(EPROTO);
      return tl::unexpected(offer.error());
    }
    trace_.request("INIT", *offer, trace_.on() ? protocol::describe(*offer) : std::string());
    protocol::WireReply wire;
    if (offer->major > kMajor) {
      // linux/fuse.h, "Version negotiation": answer with our own major and wait for an INIT that has it.
      protocol::encode_init({.minor = kNewestMinor}, wire);
      pending->succeed(wire, [] { return std::string("only 7"); });
      continue;
    }
    auto agreement = negotiate(*offer, options_);
    if (!agreement) {
      pending->fail(EPROTO);
      return tl::unexpected(agreement.error());
    }
    dialect_ = agreement->dialect;
    protocol::encode_init(agreement->reply, wire);
    const Delivery delivery = pending->succeed(wire, [&] {
      return fmt::format("FUSE 7.{} flags {:#x} max_write {}", agreement->reply.minor, agreement->reply.flags,
                         agreement->reply.max_write);
    });
    if (delivery == Delivery::gone) {
      return fail(ENOTCONN, "the file system was unmounted before it was ready");
    }
    connection_->agreed(std::move(agreement->capabilities));
    return {};
  }
}

void Core::start() {
  filesystem_.mounted(*connection_);
  const MutexLock lock(threads_lock_);
  for (unsigned i = 0; i < options_.threads; ++i) {
    start_serving();
  }
}

void Core::start_serving() {
  ++active_;
  threads_.push_back(start_thread("dmmap-serve", [this] { serve(); }));
}

bool Core::begin_waiting() {
  const MutexLock lock(threads_lock_);
  if (active_ == 1 && standing_by_ == 0 && !joining_) {
    if (threads_.size() >= kMostThreads) {
      return false;
    }
    start_serving();
  }
  --active_;
  turn_.notify_one();
  return true;
}

void Core::end_waiting() {
  const MutexLock lock(threads_lock_);
  ++active_;
}

// Each thread that polls the device is woken by each request, and all but one find nothing: those that were started
// because others waited, and more than were asked for, stand by instead.
void Core::await_turn() {
  if (active_ <= options_.threads) {
    return;
  }
  MutexLock lock(threads_lock_);
  if (active_ <= options_.threads) {
    return;
  }
  --active_;
  ++standing_by_;
  while (active_ >= options_.threads && !joining_) {
    lock.wait(turn_);
  }
  --standing_by_;
  ++active_;
}

void Core::forgotten(NodeId node) {
  for (Interceptor* const interceptor : filesystem_.interceptors()) {
    interceptor->forgotten(node);
  }
  if (!is_library_node(node)) {
    filesystem_.forget(node);
  }
}

void Core::serve() {
  mark_serving_thread(*this);
  Buffer buffer = buffers_.take();
  while (true) {
    await_turn();
    if (!buffer.bytes) {
      buffer = buffers_.take();
    }
    const auto size = transport_->receive(buffer.span());
    if (!size) {
      log(LogLevel::error, size.error().message);
      end(tl::unexpected(size.error()));
      return;
    }
    if (*size == 0) {
      end({});
      return;
    }
    dispatch(buffer, *size);
  }
}

void Core::dispatch(Buffer& buffer, std::size_t size) {
  const auto pending = std::make_shared<detail::PendingRequest>(shared_from_this(), buffer, size);
  const auto envelope = protocol::open_envelope(pending->message());
  if (!envelope) {
    log(LogLevel::error, envelope.error().message);
    return;
  }
  pending->identify(envelope->unique, {.opcode = envelope->opcode, .size = 0});
  const OpcodeRow* row = find_opcode(envelope->opcode);
  if (row == nullptr) {
    log(LogLevel::warning, fmt::format("opcode {} is not one of FUSE 7.{}", envelope->opcode, kNewestMinor));
    pending->fail(ENOSYS);
    return;
  }
  if (trace_.on()) {
    trace_.request(row->name, envelope->request, row->print(*this, *envelope));
  }
  {
    const MutexLock lock(requests_lock_);
    requests_[envelope->unique] = pending;
  }
  // The table first, the flag second: finish() does it the other way round, so one of the two sees the request.
  if (draining_.load()) {
    pending->abandon();
    return;
  }
  row->handle(pending, *envelope);
}

void Core::answered(std::uint64_t unique) {
  const MutexLock lock(requests_lock_);
  requests_.erase(unique);
}

void Core::lookup_not_taken(NodeId node) {
  if (lookups_.remove(node, 1)) {
    // Not from here: the caller may hold a lock of the file system's.
    notifications_.post(node, [self = shared_from_this(), node](bool /*send*/) { self->forgotten(node); });
  }
}

void Core::interrupt(std::uint64_t unique, const InterruptRequest& request) {
  std::shared_ptr<detail::PendingRequest> waiting;
  {
    const MutexLock lock(requests_lock_);
    requests_.erase(unique);  // INTERRUPT itself has no answer
    auto found = requests_.find(request.interrupted.value | protocol::kUniqueResend);
    if (found == requests_.end()) {
      found = requests_.find(request.interrupted.value);
    }
    if (found != requests_.end()) {
      waiting = found->second.lock();
    }
  }
  if (waiting) {
    waiting->interrupt();
    return;
  }
  // It's on its way to another thread, or answered: EAGAIN has the kernel send the interrupt again in the first case,
  // and does nothing in the second (fs/fuse/dev.c, fuse_dev_do_write).
  static_cast<void>(transport_->reply({unique}, OutMessage(-EAGAIN, unique).parts()));
}

void Core::forget(const ForgetRequest& request) {
  for (const ForgetItem& item : request.items) {
    if (lookups_.remove(item.node, item.nlookup)) {
      forgotten(item.node);
    }
  }
}

void Core::end(Result<void> outcome) {
  const MutexLock lock(state_lock_);
  if (!ended_) {
    ended_ = true;
    outcome_ = std::move(outcome);
  }
  state_changed_.notify_all();
}

bool Core::wait_ended(std::optional<std::chrono::steady_clock::time_point> deadline) {
  MutexLock lock(state_lock_);
  while (!ended_ && !woken_) {
    if (!deadline) {
      lock.wait(state_changed_);
    } else if (lock.wait_until(state_changed_, *deadline) == std::cv_status::timeout) {
      break;
    }
  }
  woken_ = false;  // here, not above: a wake() that came before this call counts
  return ended_;
}

void Core::wake() {
  const MutexLock lock(state_lock_);
  woken_ = true;
  state_changed_.notify_all();
}

Result<void> Core::outcome() {
  const MutexLock lock(state_lock_);
  return outcome_;
}

void Core::finish() {
  draining_.store(true);
  std::vector<std::shared_ptr<detail::PendingRequest>> unanswered;
  {
    const MutexLock lock(requests_lock_);
    for (const auto& [id, weak] : requests_) {
      if (auto pending = weak.lock()) {
        unanswered.push_back(std::move(pending));
      }
    }
  }
  for (const auto& pending : unanswered) {
    pending->abandon();
  }
  unanswered.clear();
  // The threads go on to fail what comes, since a notification that is under way may wait for it.
  connection_->gone();
  notifications_.stop();
  transport_->interrupt_receivers();
  std::vector<std::thread> threads;
  {
    const MutexLock lock(threads_lock_);
    joining_ = true;
    threads.swap(threads_);
    turn_.notify_all();
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  transport_->close();
  for (const NodeId node : lookups_.take_all()) {
    forgotten(node);
  }
  filesystem_.unmounted();
}

}  // namespace dmmap::session
